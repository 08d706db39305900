"""Deliveries of Forgejo and Gitea as events. Performs no I/O.

A delivery tells where to look, who did it, and by which key it is the same event again, where it
carries an id of what happened; most do not, and have no key. Kinds and actions that nobody looks at
are no events; a payload that lacks what it must have is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forge import event_keys
from forge.doctor_probe import is_doctor_probe
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
    ReviewerRequested,
)
from forge.gitea import decode_models, records
from forge.gitea.json_value import JsonValue
from forge.gitea.records import DeliveryRecord
from forge.gitea.schema import read
from forge.models import Repo, User
from forge.webhook import Delivery

_Reading = Callable[[JsonValue, Repo, DeliveryRecord], Event]

_REVIEWS = ("pull_request_review_approved", "pull_request_review_rejected", "pull_request_review_comment")


def decode(delivery: Delivery, named: Callable[[Repo, int], Repo] = lambda repo, _: repo) -> list[Event]:
    """The events in a delivery, none if nobody looks at its kind; raises Malformed, a ValueError.

    `named` maps a repository of the forge, with its id, to its configured name.
    """
    actions = _READINGS.get(delivery.kind)
    if actions is None:
        return []
    payload = JsonValue.parse(delivery.body, delivery.kind)
    reading = actions.get(read(records.Action, payload).action)
    if reading is None:
        return []
    told = read(records.DeliveryRecord, payload)
    if told.pull_request is not None and is_doctor_probe(told.pull_request.title or ""):
        return []
    repo = named(decode_models.repo(payload["repository"], delivery.forge), told.repository.id)
    return [reading(payload, repo, told)]


def _look(kind: type[Event], side: str) -> _Reading:
    """What a payload tells without an id: a time of whole seconds and the state after it are none."""

    def look(payload: JsonValue, repo: Repo, told: DeliveryRecord) -> Event:
        return kind(decode_models.ref(payload[side], repo), _actor(told), event_keys.UNKNOWN)

    return look


def _opened(kind: type[Event], side: str) -> _Reading:
    def opened(payload: JsonValue, repo: Repo, told: DeliveryRecord) -> Event:
        ref = decode_models.ref(payload[side], repo)
        return kind(ref, _actor(told), event_keys.opened(repo.forge, told.repository.id, ref.number))

    return opened


def _comment(payload: JsonValue, repo: Repo, told: DeliveryRecord) -> Event:
    ref, comment = decode_models.ref(payload["issue"], repo), read(records.CommentBody, payload["comment"])
    key, digest = event_keys.commented(repo.forge, comment.id), event_keys.digest(comment.body or "")
    return CommentPosted(ref, _actor(told), key, comment.id, digest)


def _pull_closed(payload: JsonValue, repo: Repo, told: DeliveryRecord) -> Event:
    pull = payload["pull_request"]
    ref = decode_models.ref(pull, repo)
    if read(records.Merged, pull).merged:
        return PullMerged(ref, _actor(told), event_keys.merged(repo.forge, told.repository.id, ref.number))
    return PullClosed(ref, _actor(told), event_keys.UNKNOWN)


def _actor(told: DeliveryRecord) -> User:
    return User(told.sender.id, told.sender.login)


_READINGS: Mapping[str, Mapping[str, _Reading]] = {
    "issues": {
        "opened": _opened(IssueOpened, "issue"),
        "reopened": _look(IssueOpened, "issue"),
        "edited": _look(IssueEdited, "issue"),
        "closed": _look(IssueClosed, "issue"),
    },
    "issue_assign": dict.fromkeys(("assigned", "unassigned"), _look(IssueAssigned, "issue")),
    "issue_label": dict.fromkeys(("label_updated", "label_cleared"), _look(IssueLabeled, "issue")),
    "issue_comment": {"created": _comment},
    "pull_request_comment": {"created": _comment},
    "pull_request": {
        "opened": _opened(PullChanged, "pull_request"),
        **dict.fromkeys(("reopened", "edited"), _look(PullChanged, "pull_request")),
        "closed": _pull_closed,
    },
    "pull_request_sync": {"synchronized": _look(PullChanged, "pull_request")},
    "pull_request_review_request": {"review_requested": _look(ReviewerRequested, "pull_request")},
    **{kind: {"reviewed": _look(PullReviewed, "pull_request")} for kind in _REVIEWS},
}
"""What to make of each kind (`X-Forgejo-Event-Type`) and action."""

KINDS = frozenset(_READINGS)
"""The kinds that may be events."""
