"""Runs the analysers over the lines that a pull request adds, and follows its lines. Runs nothing of the change itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bots.models import Scan
from bots.review_policy import DEFAULT_POLICY, ReviewPolicy
from bots.review_rounds import FollowedLines, LinePlace
from forge.diff import DiffTooLarge, added_lines, parse
from forge.models import PullRequest
from forge.protocol import Unavailable
from hive.git_mirror.mirror import GitError, GitInterrupted, TooLarge, TreeLimits
from hive.inspect.fetch import MirrorOf, fetch
from hive.inspect.line_follower import contexts, follow, keep
from hive.inspect.review_policy import read_policy
from hive.scan import analyse

SCANNED = TreeLimits(files=2_000, total_bytes=64 << 20)


@dataclass(frozen=True, slots=True)
class PullScanner:
    """Runs the analysers over the files of a pull request's head.

    What is asked of one head after another is answered from the mirror: `policy` and `scan` fetch it.
    """

    mirror: MirrorOf
    bounds: TreeLimits = SCANNED

    def policy(self, pull: PullRequest) -> ReviewPolicy:
        """What the base branch says about reviews; raises Unavailable if it has to be read again."""
        with self._asked(pull):
            mirror = self.mirror(pull.ref.repo)
            try:
                return read_policy(mirror, fetch(mirror, pull))
            except GitInterrupted:
                raise
            except GitError:  # the scan will say so
                return DEFAULT_POLICY

    def contexts(self, pull: PullRequest, places: tuple[LinePlace, ...]) -> tuple[str, ...]:
        """A digest of each line of the head with its neighbours; empty where it cannot be read."""
        with self._asked(pull):
            return contexts(self.mirror(pull.ref.repo), pull.head_sha, places)

    def follow(
        self, pull: PullRequest, since: str, then: tuple[LinePlace, ...], now: tuple[LinePlace, ...]
    ) -> FollowedLines | None:
        """Where lines of the reviewed head `since` are, and which lines of the head are new; None if that cannot be known."""
        with self._asked(pull):
            return follow(self.mirror(pull.ref.repo), since, pull.head_sha, then, now)

    def keep(self, pull: PullRequest, number: int) -> bool:
        """Keep the head as that of a round; False if it is not here."""
        with self._asked(pull):
            mirror = self.mirror(pull.ref.repo)
            if not mirror.has(pull.head_sha):
                return False
            keep(mirror, pull.ref.number, number, pull.head_sha)
            return True

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

    @contextmanager
    def _asked(self, pull: PullRequest) -> Iterator[None]:
        try:
            yield
        except GitInterrupted as error:
            raise Unavailable(f"{pull.ref} cannot be looked at now: {error}") from error
