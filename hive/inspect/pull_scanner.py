"""Runs the analysers over the lines that a pull request adds. Runs nothing of the change itself."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from bots.models import Scan
from forge.diff import DiffTooLarge, added_lines, parse
from forge.models import PullRequest
from forge.protocol import Unavailable
from hive.git_mirror.mirror import GitError, GitInterrupted, TooLarge, TreeLimits
from hive.inspect.fetch import fetch
from hive.inspect.pull_history import PullHistory
from hive.scan import analyse

SCANNED = TreeLimits(files=2_000, total_bytes=64 << 20)


@dataclass(frozen=True, slots=True)
class PullScanner(PullHistory):
    """Runs the analysers over the files of a pull request's head."""

    bounds: TreeLimits = SCANNED

    def scan(self, pull: PullRequest) -> Scan:
        """Analyse the lines that a pull request adds; raises Unavailable if it has to be scanned again."""
        try:
            mirror = self.mirror(pull.ref.repo)
            base = fetch(mirror, pull)
            forked_at = mirror.merge_base(base, pull.head_sha)
            changed = added_lines(parse(mirror.diff(forked_at, pull.head_sha)))
            with tempfile.TemporaryDirectory(prefix="hive-scan-") as root:
                mirror.write_out(pull.head_sha, Path(root), frozenset(changed), bounds=self.bounds)
                return replace(analyse(Path(root), changed, pull.head_sha), base_sha=forked_at)
        except GitInterrupted as error:
            raise Unavailable(f"{pull.ref} cannot be looked at now: {error}") from error
        except (TooLarge, DiffTooLarge) as error:
            return Scan(pull.head_sha, failed=(("change", f"is too large to be reviewed: {error}"),))
        except (GitError, ValueError) as error:
            return Scan(pull.head_sha, failed=(("git", str(error)),))
