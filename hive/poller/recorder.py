"""Records changes in the ledger, each once, and enqueues the events that bots get. Asks no forge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bots.rounds import OWN_CONTEXTS, RED
from forge import event_keys
from forge.events import (
    CommentPosted,
    Event,
    IssueAssigned,
    IssueClosed,
    IssueEdited,
    IssueLabeled,
    IssueOpened,
    PullChanged,
    PullClosed,
    PullConflicted,
    PullMerged,
    PullReviewed,
    ReviewerRequested,
    StatusFailed,
)
from forge.models import Ref, Repo
from forge.poll_changes import Change, ChangeKind
from hive.ledger import Ledger, Origin
from hive.poller.subject import SubjectDiff

REFRESH = "refresh"
"""The name of the hive's own refresh jobs, in the place of a bot's name."""

ISSUE: Mapping[ChangeKind, type[Event]] = {
    ChangeKind.OPENED: IssueOpened,
    ChangeKind.REOPENED: IssueOpened,
    ChangeKind.EDITED: IssueEdited,
    ChangeKind.RETITLED: IssueEdited,
    ChangeKind.ASSIGNED: IssueAssigned,
    ChangeKind.UNASSIGNED: IssueAssigned,
    ChangeKind.LABELED: IssueLabeled,
    ChangeKind.UNLABELED: IssueLabeled,
    ChangeKind.CLOSED: IssueClosed,
}
PULL: Mapping[ChangeKind, type[Event]] = {
    ChangeKind.OPENED: PullChanged,
    ChangeKind.REOPENED: PullChanged,
    ChangeKind.RETITLED: PullChanged,
    ChangeKind.PUSHED: PullChanged,
    ChangeKind.RETARGETED: PullChanged,
    ChangeKind.MERGED: PullMerged,
    ChangeKind.CLOSED: PullClosed,
    ChangeKind.REVIEWED: PullReviewed,
    ChangeKind.REVIEW_REQUESTED: ReviewerRequested,
    ChangeKind.CONFLICTED: PullConflicted,
}
"""The changes that are events for bots; all others are in the ledger only."""

ALONE = frozenset({ChangeKind.OPENED, ChangeKind.MERGED, ChangeKind.COMMENTED, ChangeKind.REMARKED})
"""Changes that a delivery reports under the same key: each is an event of its own, so that none is handled twice."""


@dataclass(frozen=True, slots=True)
class PollerDeps:
    """What the poller needs: the team of a repository, who subscribes, the origin of events, and their pages."""

    ledger: Ledger
    team_of: Callable[[Repo], str | None]
    listeners: Callable[[str, Event], Iterable[str]]
    origin: Callable[[str, Event], Origin]
    page_url: Callable[[Event], str]


def record(deps: PollerDeps, found: SubjectDiff, *, silent: bool = False) -> tuple[int, list[int]]:
    """Record a diff; returns how many changes were new, and the ids of their jobs.

    Call it within a transaction. `silent` changes cause no jobs: they happened before the hive watched.
    """
    ledger, forge = deps.ledger, found.ref.repo.forge
    team = deps.team_of(found.ref.repo)
    place = (found.repo_id, found.ref.number)
    kept = ledger.snapshots.save_subject(forge, place, found.now, found.was, team=team or "")
    # Two refreshes at once: what the slower one found by comparing may be older than what is known.
    changes = [*found.rows, *(found.diffs if kept else ())]
    news = [
        change for change in sorted(changes, key=_when) if ledger.snapshots.add_change(forge, change, team=team or "")
    ]
    if silent or team is None:
        return len(news), []
    jobs: list[int] = []
    for event in events(news, found.ref, is_pull=found.is_pull):
        wanted = [(bot, event) for bot in deps.listeners(team, event)]
        made = ledger.jobs.enqueue(team, wanted, origin=deps.origin(team, event))
        if made:
            kind, ref, page = type(event).WIRE, str(event.ref), deps.page_url(event)
            ledger.audit.add(event.actor.login, kind, team=team, ref=ref, url=page, key=event.key)
        jobs += made
    return len(news), jobs


def events(news: Iterable[Change], ref: Ref, *, is_pull: bool) -> Iterator[Event]:
    """Changes of one subject as events; several of one type are one event for a bot, under the newest key."""
    found: dict[object, Event] = {}
    for change in news:
        event = event_of(change, ref, is_pull=is_pull)
        if event is not None:
            slot = change.key if change.kind in ALONE else type(event)
            found.pop(slot, None)
            found[slot] = event
    yield from found.values()


def event_of(change: Change, ref: Ref, *, is_pull: bool) -> Event | None:
    """The event of a change, if there is one for it."""
    if change.kind is ChangeKind.COMMENTED:
        return CommentPosted(ref, change.actor, change.key, int(change.what))
    if change.kind is ChangeKind.REMARKED and change.is_reply:  # as a delivery reports it, under the same key
        return CommentPosted(
            ref, change.actor, event_keys.commented(ref.repo.forge, int(change.what)), int(change.what)
        )
    if change.kind is ChangeKind.STATUS_SET:
        context, _, state = change.what.rpartition("=")
        is_red = is_pull and state in RED and not context.startswith(OWN_CONTEXTS)
        return StatusFailed(ref, change.actor, change.key) if is_red else None
    kind = (PULL if is_pull else ISSUE).get(change.kind)
    return None if kind is None else kind(ref, change.actor, change.key)


def _when(change: Change) -> float:
    return change.at.timestamp()
