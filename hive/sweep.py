"""What webhooks missed: asks a forge what changed and makes the same events, through the same door.

A sweep sees how things stand, not each step on the way: states between two looks, reactions and
who edited a body stay unseen, and nothing may depend on them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from forge import keys
from forge.events import (
    CommentPosted,
    Event,
    IssueAssigned,
    IssueClosed,
    IssueLabeled,
    IssueOpened,
    PullChanged,
    PullClosed,
    PullMerged,
    PullReviewed,
)
from forge.protocol import ForgeError, Reader
from forge.types import Issue, Repo
from hive.ledger import Ledger

log = logging.getLogger("hive.sweep")

OVERLAP = timedelta(seconds=10)
"""Times of a forge are whole seconds and its clock is not ours: look back a little, keys are there for that."""


def begin(ledger: Ledger, repo: Repo) -> None:
    """What happened in a repository before now is no work for the hive."""
    now = datetime.fromtimestamp(ledger.clock(), UTC)
    if ledger.intake.cursor(f"sweep:{repo}") is None:
        ledger.intake.move_cursor(f"sweep:{repo}", now.isoformat())


class Sweeper:
    """Looks through the repositories of one team."""

    def __init__(
        self,
        reader: Reader,
        ledger: Ledger,
        team: str,
        repos: Iterable[Repo],
        listeners: Callable[[type[Event]], Iterable[str]],
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._team = team
        self._repos = tuple(repos)
        self._listeners = listeners

    def sweep(self) -> list[int]:
        """Look at everything that changed since the last look; returns the jobs it made.

        A repository that cannot be asked keeps its cursor: the next look covers both.
        """
        made = []
        for repo in self._repos:
            try:
                made += self._sweep(repo)
            except ForgeError as error:
                log.warning("sweep_failed repo=%s error=%r", repo, str(error)[:200])
        return made

    def _sweep(self, repo: Repo) -> list[int]:
        name = f"sweep:{repo}"
        cursor = self._ledger.intake.cursor(name)
        if cursor is None:
            begin(self._ledger, repo)
            return []
        changed = self._reader.changed_since(repo, datetime.fromisoformat(cursor) - OVERLAP)
        events = [event for issue in changed for event in self._events(issue)]
        newest = max((issue.updated_at for issue in changed), default=None)
        with self._ledger.transaction():
            wanted = [(bot, event) for event in events for bot in self._listeners(type(event))]
            made = self._ledger.intake.owe(self._team, wanted)
            if newest is not None:
                self._ledger.intake.move_cursor(name, newest.isoformat())
            if made:
                self._ledger.audit.add("sweep", "Found", team=self._team, ref=str(repo), jobs=len(made))
        return made

    def _events(self, issue: Issue) -> Iterator[Event]:
        for comment in self._reader.comments(issue.ref):
            yield CommentPosted(issue.ref, comment.author, keys.commented(comment), comment.id)
        if issue.is_pull:
            yield from self._pull_events(issue)
            return
        yield IssueOpened(issue.ref, issue.author, keys.opened(issue))
        if issue.assignees:
            yield IssueAssigned(issue.ref, issue.author, keys.assigned(issue))
        if issue.labels:
            yield IssueLabeled(issue.ref, issue.author, keys.labeled(issue))
        if not issue.is_open:
            yield IssueClosed(issue.ref, issue.author, keys.closed(issue))

    def _pull_events(self, issue: Issue) -> Iterator[Event]:
        pull = self._reader.pull(issue.ref)
        if pull.merged:
            yield PullMerged(pull.ref, pull.merged_by or pull.author, keys.merged(pull))
            return
        if not pull.is_open:
            yield PullClosed(pull.ref, pull.author, keys.closed(pull))
            return
        yield PullChanged(pull.ref, pull.author, keys.changed(pull))
        for review in self._reader.reviews(pull.ref):
            key = keys.reviewed(pull.ref, review.state, review.body, review.submitted_at)
            yield PullReviewed(pull.ref, review.author, key)
