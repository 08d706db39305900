"""How repositories and subjects stood at the last look: what the next one is compared with. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from forge import dedup_keys
from forge.changes import SubjectEntry
from hive.codec import Codec


@dataclass(frozen=True, slots=True)
class KnownSubject:
    """An issue or pull request. `comments` are digests by id, None while nobody has looked into it."""

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
        """What a row of a list tells."""
        issue = subject.issue
        return cls(issue.updated_at, dedup_keys.digest(issue.body), issue.is_pull, issue.is_open)


@dataclass(frozen=True, slots=True)
class KnownRepo:
    """A repository. `again` says that its refs have to be asked for at the next pass, whatever the feed says."""

    path: str
    archived: bool
    updated: datetime
    again: bool = False
    refs: dict[str, str] = field(default_factory=dict)
    releases: dict[int, str] = field(default_factory=dict)
    """Digests by id."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the passes over one organisation stand, by the forge's own clock."""

    since: datetime
    feed: int
    seen: datetime
    deep: datetime


SUBJECT = Codec(KnownSubject)
REPO = Codec(KnownRepo)
CURSOR = Codec(Cursor)
