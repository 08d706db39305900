"""What all processes share: settings, ledger, queue, secrets, bots, and who is who."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bots.bot import Bot
from bots.models import Team
from forge.events import Event
from forge.models import Repo, User
from forge.protocol import ForgeError
from hive.config import DEFAULT_ACCOUNTS, Settings, nearest
from hive.instance.custom_bots import BotNotFound, load_bot
from hive.instance.file_modes import make_private
from hive.instance.repository_names import RepositoryNames
from hive.ledger import Ledger
from hive.ledger.errors import IncompatibleDatabase, is_transient
from hive.poller import REFRESH
from hive.queue.wakeup import Wakeup
from hive.secret_store import SecretStore
from hive.supervisor.heartbeat import FIX, HEARTBEATS, Loops
from hive.worker.loop_guard import Origins, subscribes

if TYPE_CHECKING:
    from hive.poller.repository_tracker import RepositoryTracker
    from hive.queue.task_queue import Queue


log = logging.getLogger("hive.instance.instance")


STORE_SECONDS = 1.0
"""Seconds between two checks whether the ledger is writable."""


class StartupError(Exception):
    """The hive cannot start as it is; the message says what is missing and what to do."""


@dataclass(frozen=True)
class Instance:
    """An instance as one process sees it; `close` releases what it opened."""

    settings: Settings
    before_roster: Settings | None = None
    """What `hive.yaml` says, if a roster says otherwise of agents and lanes."""

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger; raises StartupError if it cannot be opened."""
        try:
            return Ledger(self.ledger_path)
        except IncompatibleDatabase as error:
            raise StartupError(str(error)) from error
        except sqlite3.DatabaseError as error:
            path = self.ledger_path
            raise StartupError(f"{path}: {error}; {FIX.format(path=path.name)}") from error
        except OSError as error:
            raise StartupError(f"the state directory cannot be used: {error}") from error

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is."""
        return self.settings.state / "ledger.db"

    def loops(self, process: str, stop: threading.Event) -> Loops:
        """The loops of one process; `stop` ends them."""
        return Loops(self.settings.state / HEARTBEATS, process, stop, late_after=self.settings.limits.late_seconds)

    @cached_property
    def queue(self) -> Queue:
        """The queue; raises StartupError if it cannot be opened."""
        from hive.queue.task_queue import Queue  # noqa: PLC0415  the receiver needs none, and huey brings ten megabytes

        file = self.settings.state / "queue.db"
        try:
            return Queue(self.settings.queue or file)
        except sqlite3.Error as error:
            said = f"{file} cannot be used ({error})"
            raise StartupError(
                f"{said}; stop the hive and delete it: it holds wake-ups only, which are sent again"
            ) from error

    @cached_property
    def wakeup(self) -> Wakeup:
        """What wakes the worker."""
        return Wakeup(self.settings.state / "work.wakeup")

    @cached_property
    def secret_store(self) -> SecretStore:
        """The secrets."""
        return SecretStore(self.settings.state / "secrets")

    @cached_property
    def bots(self) -> dict[str, Bot]:
        """The configured bots by name; raises StartupError for a missing one.

        An operator's own module lies in the folder of the configuration; see `hive.instance.custom_bots`.
        """
        found: dict[str, Bot] = {}
        for module in self.settings.bots:
            try:
                bot = load_bot(module, self.settings.home)
            except BotNotFound as error:
                raise StartupError(f"bots: {error}") from error
            if bot.name in found:
                raise StartupError(f"bots: {module} holds a bot whose name is taken: {bot.name}")
            found[bot.name] = bot
        for name in self.settings.accounts:
            if name not in {*found, *DEFAULT_ACCOUNTS}:
                raise StartupError(f"accounts: no bot is named {name!r}{nearest(name, ['core', *found])}")
        return found

    @property
    def agents(self) -> Path:
        """The directory of the agents on this host."""
        return self.settings.state / "agents"

    @cached_property
    def teams(self) -> dict[str, Team]:
        """The members of each team; raises StartupError if `hive init` was never run for a forge."""
        return {name: self.team(name) for name in self.settings.teams}

    def listeners(self, team: str, event: Event) -> list[str]:
        """The bots that subscribe to an event, by its type and actor."""
        return [name for name, bot in self.bots.items() if subscribes(bot, event, self.teams[team])]

    @cached_property
    def origins(self) -> Origins:
        """What events come from."""
        return Origins(self.ledger, self.teams)

    def account(self, bot: str, intent: str) -> str:
        """The login that performs an intent of a bot: some need the right to write code, which only `core` has."""
        from hive.outbox.executor import NEEDS_CORE  # noqa: PLC0415  the receiver writes to no forge

        return self.settings.account("core" if intent in NEEDS_CORE else bot)

    def bots_of(self, login: str) -> list[str]:
        """The bots that act as a login, and the hive's own refreshes."""
        return [bot for bot in (*self.bots, REFRESH) if self.settings.account(bot) == login]

    def ops(self, team: str) -> Repo:
        """The repository where a team's operators are notified."""
        return self.settings.meta_of(self.settings.teams[team].forge)

    @cached_property
    def names(self) -> RepositoryNames:
        """What repositories are called, here and on their forge."""
        return RepositoryNames(self.ledger, self.settings)

    @cached_property
    def repository_tracker(self) -> RepositoryTracker:
        """Where the repositories are."""
        from hive.instance.repositories import repository_tracker  # noqa: PLC0415  the receiver asks no forge

        return repository_tracker(self.settings, self.ledger, self.secret_store, self.url, self.ops)

    def address(self, repo: Repo) -> str:
        """The current path of a repository on the forge; raises OSError while it is unavailable, or the repository is missing."""
        try:
            if not self.repository_tracker.is_available(repo):
                raise OSError(f"{repo} is not where it was")
        except ForgeError as error:
            raise OSError(f"{repo} cannot be looked for: {error}") from error
        return self.names.current(repo).path

    def url(self, forge: str) -> str:
        """A forge's address without a slash at its end."""
        return self.settings.forges[forge].url.rstrip("/")

    def team(self, name: str) -> Team:
        """The members of a team by pinned ids; raises StartupError if `hive init` was never run for its forge."""
        mine = self.settings.teams[name]
        agents = {agent: _pinned(self.ledger, mine.forge, agent) for agent in mine.agents}
        return Team(
            name=name,
            operators=frozenset(_pinned(self.ledger, mine.forge, login).id for login in mine.operators),
            agents=agents,
            accounts={bot: _pinned(self.ledger, mine.forge, login) for bot, login in self.settings.accounts.items()},
            lanes=mine.lane_list(),
            kinds=mine.kind_list(),
            repos=frozenset(Repo(mine.forge, name, repo) for repo in mine.repos),
            configs={Repo(mine.forge, self.settings.configs, agent): agent for agent in mine.agents},
            max_bot_turns=self.settings.limits.bot_turns,
            max_open_runs=self.settings.limits.open_runs,
            operator_logins=tuple(_pinned(self.ledger, mine.forge, login).login for login in mine.operators),
            models=self.settings.model.known,
            agent_models=self.settings.model.agents,
            source=source if (source := self.settings.own_source) and source.owner == name else None,
            own=tuple(self.settings.own_repos(name)),
        )

    @contextmanager
    def alone(self, part: str) -> Iterator[None]:
        """Be the only process of a kind in this state directory; raises StartupError if another is running."""
        self.settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.close_to_others()
        place = self.settings.state / f"{part}.lock"
        place.touch(mode=0o600)
        with place.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StartupError(f"another {part} runs in {self.settings.state}") from error
            yield

    def close_to_others(self) -> None:
        """Make the state directory private; what cannot be corrected is also reported by the doctor."""
        for path in make_private(self.settings.state, self.settings.own_forges):
            log.warning("open_to_others path=%r", str(path))

    def close(self) -> None:
        """Close what was opened."""
        for name in ("ledger", "queue"):
            if name in self.__dict__:
                self.__dict__[name].close()


def _pinned(ledger: Ledger, forge: str, login: str) -> User:
    user = ledger.identity(forge, login)
    if user is None:
        raise StartupError(f"the hive does not know {login} on {forge} yet; run: hive init")
    return user


def wait_for_store(instance: Instance, stop: threading.Event) -> None:
    """Wait until the ledger is writable, or `stop` is set: a start on a full disk waits like a running process.

    Raises StartupError for what waiting does not solve, and sqlite3.Error.
    """
    while not stop.is_set():
        try:
            instance.ledger.probe()
        except (StartupError, sqlite3.Error) as error:
            if not any(is_transient(cause) for cause in _causes(error)):
                raise
            log.warning("store_away error=%r", str(error)[:200])
            stop.wait(STORE_SECONDS)
        else:
            return


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
