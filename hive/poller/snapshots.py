"""Repositories and subjects as they were at the last poll, to compare with. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from forge import event_keys
from forge.poll_changes import SubjectEntry
from hive.codec import Codec


@dataclass(frozen=True, slots=True)
class KnownSubject:
    """An issue or pull request. `comments` are digests by id, None if they were never read."""

    updated: datetime
    body: str
    is_pull: bool
    is_open: bool
    head: str = ""
    comments: dict[int, str] | None = None
    reviews: dict[int, int] = field(default_factory=dict)
    """How many remarks each review held, by the review's id."""

    @classmethod
    def glanced(cls, subject: SubjectEntry) -> KnownSubject:
        """What a row of a list shows."""
        issue = subject.issue
        return cls(issue.updated_at, event_keys.digest(issue.body), issue.is_pull, issue.is_open)


@dataclass(frozen=True, slots=True)
class KnownRepo:
    """A repository. `again` is whether its refs have to be read by the next poll, regardless of the feed."""

    path: str
    archived: bool
    updated: datetime
    again: bool = False
    refs: dict[str, str] = field(default_factory=dict)
    releases: dict[int, str] = field(default_factory=dict)
    """Digests by id."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position of an organisation's polls, by the forge's clock."""

    since: datetime
    feed: int
    seen: datetime
    deep: datetime


SUBJECT = Codec(KnownSubject)
REPO = Codec(KnownRepo)
CURSOR = Codec(Cursor)
