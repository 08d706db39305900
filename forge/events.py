"""Events: something happened at a ref. Performs no I/O.

An event says where (`ref`), by whom (`actor`), and has a key by which it is the same event again; the key
is empty if a delivery does not identify what happened. It carries no state: a handler asks the forge for the current one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forge.models import Ref, User
from forge.wire_names import WireNamed, by_wire_name


@dataclass(frozen=True, slots=True)
class Event(WireNamed):
    """Something happened at `ref`; two events with one `key` are the same event.

    `wire` names a type of event wherever it is stored; it stays when the class is renamed.
    """

    ref: Ref
    actor: User
    key: str


@dataclass(frozen=True, slots=True)
class SubjectChanged(Event, wire="subject_changed"):
    """Something happened to a subject; only a refresh shows what. The hive itself handles it, no bot does."""


@dataclass(frozen=True, slots=True)
class IssueOpened(Event, wire="issue_opened"):
    """An issue was filed, or reopened."""


@dataclass(frozen=True, slots=True)
class IssueTakenIn(Event, wire="issue_taken_in"):
    """An operator wants an issue or pull request looked at that is older than the hive. The hive itself makes it.

    `wake` is whether its lane's agent may get it.
    """

    wake: bool = False


@dataclass(frozen=True, slots=True)
class IssueEdited(Event, wire="issue_edited"):
    """An issue's title or body was changed."""


@dataclass(frozen=True, slots=True)
class IssueAssigned(Event, wire="issue_assigned"):
    """The assignees of an issue changed; the payload does not say how."""


@dataclass(frozen=True, slots=True)
class IssueLabeled(Event, wire="issue_labeled"):
    """The labels of an issue changed, or were set again; the payload does not say how."""


@dataclass(frozen=True, slots=True)
class IssueClosed(Event, wire="issue_closed"):
    """An issue was closed."""


@dataclass(frozen=True, slots=True)
class CommentPosted(Event, wire="comment_posted"):
    """A comment was posted on an issue or pull request.

    `digest` is of its text when it was first reported: accounts with write access can edit comments of others, even
    within the second of posting, and then no time of a forge shows it. Empty if unknown.
    """

    comment_id: int
    digest: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PullChanged(Event, wire="pull_request_changed"):
    """A pull request was opened, reopened, retitled, or got a new head or another base."""


@dataclass(frozen=True, slots=True)
class PullMerged(Event, wire="pull_request_merged"):
    """A forge reports that a pull request was merged; verify before believing it."""


@dataclass(frozen=True, slots=True)
class PullClosed(Event, wire="pull_request_closed"):
    """A pull request was closed without a merge."""


@dataclass(frozen=True, slots=True)
class PullConflicted(Event, wire="pull_request_conflicted"):
    """A pull request that is no draft can no longer be merged into its base; only polling sees that."""


@dataclass(frozen=True, slots=True)
class StatusFailed(Event, wire="status_failed"):
    """A commit status that is not the hive's own turned red on a pull request's head."""


@dataclass(frozen=True, slots=True)
class PullReviewed(Event, wire="pull_request_reviewed"):
    """A review was submitted; the payload names neither its id nor its comments."""


@dataclass(frozen=True, slots=True)
class ReviewerRequested(Event, wire="reviewer_requested"):
    """Somebody was asked for a review of a pull request; the pull request says who."""


@dataclass(frozen=True, slots=True)
class WorkEnded(Event, wire="work_ended"):
    """A run of `agent` on this issue has ended, so it has room for another one. The hive itself makes it."""

    agent: str


@dataclass(frozen=True, slots=True)
class ReviewAsked(Event, wire="review_requested"):
    """A pull request has to be reviewed at its head: `again`, because it was asked for, or because this head was not reviewed yet.

    `full` is whether all is said and checked again, also what was said or withheld before.
    """

    again: bool = True
    full: bool = False


EVENTS: Mapping[str, type[Event]] = by_wire_name(
    kind for kind in list(vars().values()) if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
)
"""Every type of event by its wire name."""
