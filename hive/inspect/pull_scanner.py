"""Runs the analysers over what a pull request brings. Runs nothing of the change itself."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bots.models import Finding, Scan
from bots.scan_names import CHANGE
from forge.diff import DiffTooLarge, FileDiff, added_lines, parse
from forge.models import PullRequest
from forge.protocol import Unavailable
from hive.git_mirror.commits import Commits
from hive.git_mirror.mirror import GitError, GitInterrupted, TooLarge, TreeLimits
from hive.inspect.broken_imports import broken_imports
from hive.inspect.fetch import base_of
from hive.inspect.merge_conflicts import merge_conflicts
from hive.inspect.pull_history import PullHistory
from hive.scan.analysis import ENGINES, WORKERS, analyse
from hive.scan.engine import Engine
from hive.scan.positives import ALL_CLEAN
from hive.scan.sources import Before, OldFile
from hive.scan.tree import ENGINE, concerns, tree_findings

SCANNED = TreeLimits(files=2_000, total_bytes=64 << 20)


@dataclass(frozen=True, slots=True)
class PullScanner(PullHistory):
    """Runs the analysers over the files of a pull request's head, and of its base; `workers` of them at once."""

    bounds: TreeLimits = SCANNED
    workers: int = WORKERS
    engines: Sequence[Engine] = ENGINES

    def scan(self, pull: PullRequest) -> Scan:
        """Analyse what a pull request brings; raises Unavailable if it has to be scanned again."""
        try:
            mirror = self.mirror(pull.ref.repo)
            base = base_of(mirror, pull)
            forked_at = mirror.merge_base(base, pull.head_sha)
            clashes = tuple(merge_conflicts(mirror, base, pull))
            scan = scan_commits(
                mirror, forked_at, pull.head_sha, bounds=self.bounds, workers=self.workers, engines=self.engines
            )
            return with_findings(scan, clashes)
        except GitInterrupted as error:
            raise Unavailable(f"{pull.ref} cannot be looked at now: {error}") from error
        except (GitError, ValueError) as error:
            return Scan(pull.head_sha, failed=(("git", str(error)),))


def scan_commits(
    commits: Commits,
    old: str,
    new: str,
    *,
    bounds: TreeLimits = SCANNED,
    workers: int = WORKERS,
    engines: Sequence[Engine] = ENGINES,
) -> Scan:
    """Analyse what one commit has that another has not; one too large is a scan that failed. Raises GitError."""
    try:
        files = parse(commits.diff(old, new))
        with tempfile.TemporaryDirectory(prefix="hive-scan-") as folder:
            head, base = Path(folder, "head"), Path(folder, "base")
            head.mkdir()
            base.mkdir()
            shown = [file for file in files if file.path is not None and file.regular]
            paths = frozenset(file.path for file in shown if file.path is not None)
            commits.write_out(new, head, paths, bounds=bounds)
            was = frozenset(file.old_path for file in shown if file.old_path is not None)
            commits.write_out(old, base, was, bounds=bounds)
            changed, before, unread = _told(shown, head, base)
            scan = analyse(head, changed, new, before=before, workers=workers, engines=engines)
    except (TooLarge, DiffTooLarge) as error:
        return Scan(new, failed=((CHANGE, f"is too large to be reviewed: {error}"),))
    missed = {path for path, _ in scan.skipped}
    found = (
        *tree_findings(files, [path for path in unread if path not in missed]),
        *broken_imports(commits, files, old, new),
    )
    if concerns(files) and not found:
        scan = replace(scan, ran=(*scan.ran, ENGINE))
    return replace(with_findings(scan, found), base_sha=old)


def with_findings(scan: Scan, found: Sequence[Finding]) -> Scan:
    """A scan with what is wrong with the tree: its change is not clean then."""
    if not found:
        return scan
    ran = scan.ran if ENGINE in scan.ran else (*scan.ran, ENGINE)
    rest = tuple(item for item in scan.findings if item.rule != ALL_CLEAN)
    return replace(scan, ran=ran, findings=(*found, *rest))


def _told(files: Sequence[FileDiff], head: Path, base: Path) -> tuple[Mapping[str, frozenset[int]], Before, list[str]]:
    """The added lines of each file, what each was before, and those that hold no text.

    A file that git calls binary and that is text is new in all its lines: attributes of the change decide nothing.
    """
    changed = dict(added_lines(files))
    old = {file.path: OldFile(file.old_path, file.removed) for file in files if file.path and file.old_path}
    unread = []
    for file in files:
        if not file.binary or file.path is None:
            continue
        content = _content(head / file.path)
        if b"\0" in content:
            unread.append(file.path)
        else:
            changed[file.path] = _all(content)
            if file.old_path is not None:
                old[file.path] = OldFile(file.old_path, _all(_content(base / file.old_path)))
    return changed, Before(base, old), unread


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def _all(content: bytes) -> frozenset[int]:
    return frozenset(range(1, content.count(b"\n") + 2))
