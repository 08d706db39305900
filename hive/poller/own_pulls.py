"""Looks at the pull requests of runs for what nothing else tells: red checks, and a base that moved into conflict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from forge.models import PullRequest, Ref
from forge.poll_changes import SOMEBODY, Change, ChangeKind
from forge.protocol import NotFound, PollReader, Refused
from hive.poller.recorder import PollerDeps, record
from hive.poller.subject import SubjectDiff

AT_ONCE = 20
"""The most pull requests of one round; with more of them each is looked at every few rounds."""


@dataclass
class OwnPulls:
    """The pull requests of open runs that nobody works on just now, on one forge."""

    watcher: PollReader
    deps: PollerDeps
    forge: str
    _next: int = 0
    _conflicts: dict[Ref, tuple[str, str]] = field(default_factory=dict)
    """Head and base of what was in conflict in the last round: a forge that still checks says that it is, too."""

    def look(self) -> list[int]:
        """Look at some of them; returns the jobs that it made. Raises ForgeError."""
        runs = self.deps.ledger.runs
        refs = sorted({ref for ref in map(Ref.parse, runs.idle_pulls()) if ref.repo.forge == self.forge})
        if not refs:
            return []
        self._next %= len(refs)
        some = (refs * 2)[self._next : self._next + min(AT_ONCE, len(refs))]
        self._next += len(some)
        self._conflicts = {ref: known for ref, known in self._conflicts.items() if ref in refs}
        return [job for ref in some for job in self._look_at(ref)]

    def _look_at(self, ref: Ref) -> list[int]:
        ledger = self.deps.ledger
        try:
            pull = self.watcher.pull(ref)
            was = ledger.snapshots.subject(ref.repo.forge, pull.base_repo_id, ref.number)
            if was is None or not pull.is_open:
                return []
            rows = [
                *self.watcher.status_changes(ref.repo, pull.base_repo_id, pull.head_sha),
                *self._conflicted(pull),
            ]
        except (NotFound, Refused):  # the sweep tells what is gone, and what may not be read
            return []
        found = SubjectDiff(ref, pull.base_repo_id, is_pull=True, rows=tuple(rows), diffs=(), was=was, now=was)
        with ledger.transaction():
            return record(self.deps, found)[1]

    def _conflicted(self, pull: PullRequest) -> Iterator[Change]:
        """A conflict that two rounds in a row have seen, once for each head and base."""
        if pull.mergeable or pull.draft:  # a draft is never called mergeable
            self._conflicts.pop(pull.ref, None)
            return
        now = (pull.head_sha, pull.base_sha)
        if self._conflicts.get(pull.ref) == now:
            key = (
                f"conflict:{pull.ref.repo.forge}:{pull.base_repo_id}#{pull.ref.number}:{pull.head_sha}:{pull.base_sha}"
            )
            place, at = str(pull.ref.number), self.watcher.now()
            yield Change(key, ChangeKind.CONFLICTED, pull.base_repo_id, place, SOMEBODY, at, pull.base_branch)
        self._conflicts[pull.ref] = now
