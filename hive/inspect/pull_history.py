"""What git knows of a pull request beside its present changes: the policy of its base, and its lines from round to round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bots.review_policy import DEFAULT_POLICY, ReviewPolicy
from bots.review_rounds import FollowedLines, LinePlace
from forge.models import PullRequest
from forge.protocol import Unavailable
from hive.git_mirror.mirror import GitError, GitInterrupted, Mirror
from hive.inspect.fetch import MirrorOf, base_of
from hive.inspect.line_follower import contexts, follow, keep
from hive.inspect.review_policy import read_policy


@dataclass(frozen=True, slots=True)
class PullHistory:
    """Reads mirrors; `policy` fetches what is not here yet. Each raises Unavailable if it has to be asked again."""

    mirror: MirrorOf

    def policy(self, pull: PullRequest) -> ReviewPolicy:
        """What the base branch says about reviews."""
        with self._mirror_of(pull) as mirror:
            try:
                return read_policy(mirror, base_of(mirror, pull))
            except GitInterrupted:
                raise
            except GitError:  # the scan will say so
                return DEFAULT_POLICY

    def contexts(self, pull: PullRequest, places: tuple[LinePlace, ...]) -> tuple[str, ...]:
        """A digest of each line of the head with its neighbours; empty where it cannot be read."""
        with self._mirror_of(pull) as mirror:
            return contexts(mirror, pull.head_sha, places)

    def follow(
        self, pull: PullRequest, since: str, then: tuple[LinePlace, ...], now: tuple[LinePlace, ...]
    ) -> FollowedLines | None:
        """Where lines of the reviewed head `since` are, and which lines of the head are new; None if that cannot be known."""
        with self._mirror_of(pull) as mirror:
            return follow(mirror, since, pull.head_sha, then, now)

    def keep(self, pull: PullRequest, number: int) -> bool:
        """Keep the head as that of a round; False if it is not here."""
        with self._mirror_of(pull) as mirror:
            if not mirror.has(pull.head_sha):
                return False
            keep(mirror, pull.ref.number, number, pull.head_sha)
            return True

    @contextmanager
    def _mirror_of(self, pull: PullRequest) -> Iterator[Mirror]:
        try:
            yield self.mirror(pull.ref.repo)
        except GitInterrupted as error:
            raise Unavailable(f"{pull.ref} cannot be looked at now: {error}") from error
