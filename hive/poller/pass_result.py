"""What a pass has found, and what came of it. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from forge.models import Ref, Repo
from forge.poll_changes import Change
from hive.poller.snapshots import KnownRepo, KnownSubject
from hive.poller.subject import SubjectDiff


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one poll did. `requests` is its cost, `more` that it stopped at its limit."""

    requests: int = 0
    changes: int = 0
    jobs: tuple[int, ...] = ()
    deep: bool = False
    more: bool = False
    failed: str = ""


@dataclass
class PassFindings:
    """What a pass has found so far; nothing of it is anywhere else yet."""

    began: datetime
    deep: bool
    gone: list[int] = field(default_factory=list)
    begins: dict[Repo, datetime] = field(default_factory=dict)
    met: set[int] = field(default_factory=set)
    repos: dict[int, KnownRepo] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    lost: list[tuple[int, int]] = field(default_factory=list)
    glances: list[tuple[tuple[int, int], KnownSubject]] = field(default_factory=list)
    looks: list[tuple[SubjectDiff, bool]] = field(default_factory=list)
    pending: list[Ref] = field(default_factory=list)
    left: datetime | None = None
