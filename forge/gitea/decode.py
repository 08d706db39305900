"""Deliveries of Forgejo and Gitea as events. Performs no I/O.

A delivery tells where to look, who did it, and by which key it is the same event again. Kinds and
actions that nobody looks at are no events; a payload that lacks what it must have is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from forge import keys
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
    PullMerged,
    PullReviewed,
)
from forge.gitea import shapes
from forge.gitea.field import Field
from forge.types import Issue, Repo, ReviewState, User
from forge.webhook import Delivery

_Reading = Callable[[Field, Repo, User], Event]

_REVIEWS = {
    "pull_request_review_approved": ReviewState.APPROVED,
    "pull_request_review_rejected": ReviewState.REQUEST_CHANGES,
    "pull_request_review_comment": ReviewState.COMMENT,
}


def decode(delivery: Delivery) -> list[Event]:
    """The events in a delivery, none if nobody looks at its kind; raises Malformed, a ValueError."""
    actions = _READINGS.get(delivery.kind)
    if actions is None:
        return []
    payload = Field.parse(delivery.body, delivery.kind)
    reading = actions.get(payload["action"].text())
    if reading is None:
        return []
    return [reading(payload, shapes.repo(payload["repository"], delivery.forge), shapes.user(payload["sender"]))]


def _issue(kind: type[Event], key: Callable[[Issue], str]) -> _Reading:
    def read(payload: Field, repo: Repo, actor: User) -> Event:
        issue = shapes.issue(payload["issue"], repo)
        return kind(issue.ref, actor, key(issue))

    return read


def _without_labels(issue: Issue) -> str:
    # `label_cleared` still carries the labels that were there before.
    return keys.labeled(replace(issue, labels=()))


def _comment(payload: Field, repo: Repo, actor: User) -> Event:
    comment = shapes.comment(payload["comment"], shapes.ref(payload["issue"]["number"], repo))
    return CommentPosted(comment.ref, actor, keys.commented(comment), comment.id)


def _changed(payload: Field, repo: Repo, actor: User) -> Event:
    pull = shapes.pull(payload["pull_request"], repo)
    return PullChanged(pull.ref, actor, keys.changed(pull))


def _pull_closed(payload: Field, repo: Repo, actor: User) -> Event:
    pull = shapes.pull(payload["pull_request"], repo)
    if pull.merged:
        return PullMerged(pull.ref, actor, keys.merged(pull))
    return PullClosed(pull.ref, actor, keys.closed(pull))


def _reviewed(payload: Field, repo: Repo, actor: User) -> Event:
    pull, review = shapes.pull(payload["pull_request"], repo), payload["review"]
    state = _REVIEWS.get(review["type"].text())
    if state is None:
        raise review["type"].wrong("is no kind of review")
    return PullReviewed(pull.ref, actor, keys.reviewed(pull.ref, state, review["content"].words(), pull.updated_at))


_READINGS: Mapping[str, Mapping[str, _Reading]] = {
    "issues": {
        "opened": _issue(IssueOpened, keys.opened),
        "reopened": _issue(IssueOpened, keys.reopened),
        "edited": _issue(IssueEdited, keys.edited),
        "closed": _issue(IssueClosed, keys.closed),
    },
    "issue_assign": dict.fromkeys(("assigned", "unassigned"), _issue(IssueAssigned, keys.assigned)),
    "issue_label": {
        "label_updated": _issue(IssueLabeled, keys.labeled),
        "label_cleared": _issue(IssueLabeled, _without_labels),
    },
    "issue_comment": {"created": _comment},
    "pull_request_comment": {"created": _comment},
    "pull_request": {**dict.fromkeys(("opened", "reopened", "edited"), _changed), "closed": _pull_closed},
    "pull_request_sync": {"synchronized": _changed},
    **{kind: {"reviewed": _reviewed} for kind in _REVIEWS},
}
"""What to make of each kind (`X-Forgejo-Event-Type`) and action."""

KINDS = frozenset(_READINGS)
"""The kinds that may be events."""
