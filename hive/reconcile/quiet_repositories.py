"""Which repositories of an organisation had no push since they were looked at: one list answers for all of them.

A look at one repository is three requests and a git; a hive of a hundred agents would make ten requests a second to
learn that nothing has happened.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from forge.poll_changes import RepositoryEntry

FRESH_SECONDS = 10.0
"""How long a list answers: all that are looked at in one pass share it."""

SETTLED = timedelta(seconds=60)
"""How old the last change must be on the forge's clock to be known by its time: times are whole seconds, and follow a push late."""

TRUSTED_SECONDS = 600.0
"""After this a repository is looked at although its list says that nothing was pushed."""


class RepositoryLister(Protocol):
    """What lists repositories of a forge, and knows its time."""

    def list_repositories(self, owner: str) -> list[RepositoryEntry]:
        """The repositories of an organisation. Raises ForgeError."""

    def now(self) -> datetime:
        """The forge's clock at its last answer."""


@dataclass(frozen=True, slots=True)
class _Look:
    updated_at: datetime
    until: float


@dataclass
class QuietRepositories:
    """The repositories of one organisation. Repositories are named by their ids, which survive a rename."""

    lister: RepositoryLister
    owner: str
    settled: timedelta = SETTLED
    listed_at: float = 0.0
    """When the list was asked for that answers now; 0.0 to ask for another."""

    _listed: dict[int, datetime] = field(default_factory=dict)
    _asked_at: datetime | None = None
    _looks: dict[int, _Look] = field(default_factory=dict)

    def is_quiet(self, repo_id: int) -> bool:
        """Whether nothing can have been pushed since `looked_at`; to be asked before each look that nothing else is the reason of. Raises ForgeError."""
        if not self.listed_at or time.monotonic() - self.listed_at > FRESH_SECONDS:
            began = time.monotonic()
            rows = self.lister.list_repositories(self.owner)
            self._listed = {row.repository.id: row.updated_at for row in rows}
            self.listed_at, self._asked_at = began, self.lister.now()
        look = self._looks.get(repo_id)
        return look is not None and time.monotonic() < look.until and self._listed.get(repo_id) == look.updated_at

    def looked_at(self, repo_id: int) -> None:
        """Write down that a repository was looked at after the last list, and is as it was."""
        self._looks.pop(repo_id, None)
        updated_at = self._listed.get(repo_id)
        if updated_at is not None and self._asked_at is not None and self._asked_at - updated_at > self.settled:
            self._looks[repo_id] = _Look(updated_at, time.monotonic() + TRUSTED_SECONDS)
