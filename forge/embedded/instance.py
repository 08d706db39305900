"""One embedded forge as its services see it: its state, its behaviour, and its refusals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forge.embedded.faults import Faults
from forge.embedded.flavour import Flavour
from forge.embedded.git import Git
from forge.embedded.state import ForgeState, Row

NOT_FOUND = "The target couldn't be found."
NOREPLY = "noreply.localhost"


class Refusal(Exception):
    """A request is refused; `status` and `message` are those of the API's response.

    A message of None is an empty answer, `html` a page as of a crash.
    """

    def __init__(self, status: int, message: str | None = "", *, html: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.html = html


class Missing(Refusal):
    """Not found, or not visible to the caller."""

    def __init__(self, *errors: str, message: str = NOT_FOUND) -> None:
        super().__init__(404, message)
        self.errors = errors


class Renamed(Exception):
    """A user or repository was renamed; `status` is that of the redirect."""

    def __init__(self, old: str, new: str, status: int) -> None:
        super().__init__(new)
        self.old = old
        self.new = new
        self.status = status


def broken() -> Refusal:
    """The response of a real forge to what it does not expect: 500 without a message."""
    return Refusal(500)


@dataclass
class ForgeInstance:
    """Everything that a service needs beside its arguments."""

    root: Path
    state: ForgeState
    flavour: Flavour
    url: str
    clock: Callable[[], float] = time.time
    check_delay: float = 0.0
    """Seconds that a pull request counts as being checked for conflicts after each change."""
    hook_delay: float = 0.0
    """Seconds before a delivery is tried."""
    hook_timeout: float = 5.0
    """Seconds that a receiver of hooks has to answer."""
    faults: Faults = field(default_factory=Faults)
    lock: int = -1
    """An open file that every git process holds as well: what is left of a forge that was killed can be waited for."""
    _moving: dict[int, threading.RLock] = field(default_factory=dict, repr=False)

    @property
    def api(self) -> str:
        """Where the API begins."""
        return f"{self.url}/api/v1"

    @property
    def kept(self) -> tuple[int, ...]:
        """The file descriptors that git processes inherit."""
        return () if self.lock < 0 else (self.lock,)

    def now(self) -> int:
        """Whole seconds since 1970."""
        return int(self.clock())

    def git(self, repo: Row | int, quarantine: Mapping[str, str] | None = None) -> Git:
        """The bare repository; its path has its id, so that a rename moves nothing."""
        key = repo if isinstance(repo, int) else repo["id"]
        return Git(self.root / "repositories" / f"{key}.git", quarantine, self.kept)

    def moving(self, repo_id: int) -> threading.RLock:
        """Held from before a ref of a repository moves until that is recorded, so that records are in order."""
        return self._moving.setdefault(repo_id, threading.RLock())

    def must(self, table: str, key: int | None) -> Row:
        """The row with that id; raises Missing."""
        row = self.state.get(table, key)
        if row is None:
            raise Missing
        return row


def names(count: Sequence[Any]) -> str:
    """A question mark for each value, for an SQL list."""
    return ", ".join("?" * len(count))
