"""The containers of this host: started, watched, stopped; each is a child of this process and dies with it."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from hive.backoff import CONTAINERS
from hive.config import Limits
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.agent_locks import AgentLocks
from hive.reconcile.backends import Backend
from hive.reconcile.limit_watch import LimitWatch
from hive.reconcile.limiter import Limiter
from hive.reconcile.logs import Log
from hive.reconcile.running_container import RunningContainer

STOP_SECONDS = 10.0
QUICK_DEATH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A container that ended by itself. If it did not begin, the fault is this host's or its configuration's."""

    agent: str
    began: bool


class Containers:
    """One container for each agent at the most.

    All calls must come from one thread that lives as long as the containers should: the kernel
    ends a container when the thread that started it ends (bwrap's `--die-with-parent`).
    """

    def __init__(self, backend: Backend, root: Path, limiter: Limiter | None = None) -> None:
        """Without a `limiter` there are no groups, and the limits are the usual ones."""
        self.backend = backend
        self.limiter = limiter if limiter is not None else Limiter(Limits())
        self._watch = LimitWatch(self.limiter.limits, self._note)
        self._root = root
        self._running: dict[str, RunningContainer] = {}
        self._deaths: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._heard: dict[str, str] = {}
        self._troubles: dict[str, tuple[str, str]] = {}
        self._epochs: dict[str, int] = {}
        self._runs: dict[str, int] = {}
        self._keys: dict[str, str] = {}
        self._used: set[str] = set()
        self._locks = AgentLocks()

    def epoch(self, agent: str) -> int:
        """A number that changes whenever a container starts or ends; any thread may ask."""
        return self._epochs.get(agent, 0)

    def heard(self, agent: str, sha: str, trouble: str = "") -> bool:
        """Record a container's heartbeat, with the commit that it was built from; any thread may call this.

        One that says what is wrong with it, as its health check failed, has not answered. Returns whether this is news.
        """
        if trouble:
            self._troubles[agent] = sha, trouble
            return True
        is_first = self._heard.get(agent) != sha
        self._heard[agent] = sha
        return is_first

    def answered(self, agent: str) -> str:
        """The commit that the running container reported; empty before its first heartbeat."""
        return self._heard.get(agent, "")

    def trouble(self, agent: str, sha: str) -> str:
        """What the running container of a commit said is wrong with it; empty if it did not."""
        said, why = self._troubles.get(agent, ("", ""))
        return why if said == sha else ""

    def opens(self, agent: str, key: str) -> bool:
        """Whether a key is the one that the agent's current container got at its start; any thread may call this."""
        return hmac.compare_digest(self._keys.get(agent, secrets.token_hex()).encode(), key.encode())

    def keys(self) -> frozenset[str]:
        """The keys of all containers that run or ran; any thread may ask."""
        return frozenset(self._keys.copy().values())

    def serves(self, agent: str, run: int) -> bool:
        """Whether the container is for a run: it has held no turn, or of this run only. Any thread may ask.

        If it is not, it is among the `used` from now on.
        """
        fits = self._runs.setdefault(agent, run) == run
        if not fits:
            self._used.add(agent)
        return fits

    def used(self) -> list[str]:
        """Agents whose container has to make room for a fresh one, because a turn of another run is due."""
        return sorted(self._used)

    def dirs(self, agent: str) -> AgentDirs:
        """An agent's directories, created if missing; raises OSError if something else is in their place."""
        dirs = AgentDirs(agent, self._root / agent)
        dirs.prepare()
        return dirs

    def sweep_out(self, agent: str) -> None:
        """Keep an agent, and end what an earlier host left behind: one that was killed in the very moment of a start.

        Raises BlockingIOError, and ends nothing, while another host keeps it.
        """
        self._locks.take(self.dirs(agent))
        if self.limiter.groups is not None:
            self.limiter.groups.sweep()
        self.backend.clean(self.dirs(agent))
        mark = str(self.dirs(agent).state)
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _mentions(entry, mark):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(int(entry.name), signal.SIGKILL)

    def start(self, agent: str, sha: str, extra: dict[str, str]) -> bool:
        """Start the container from an artifact; False while a crash loop is slowed down."""
        if time.monotonic() < self._not_before.get(agent, 0.0):
            return False
        dirs = self.dirs(agent)
        bounds = self.limiter.bounds(agent, has_groups=self.backend.has_groups)
        try:
            self._watch.begin(dirs, bounds)
            command = self.backend.command(dirs, sha, extra, bounds)
            self._turn_over(agent)
            key = self._keys[agent] = secrets.token_hex()
            container = RunningContainer.start(self.backend, dirs, command, sha=sha, bounds=bounds, key=key)
        except (OSError, ValueError):
            self._watch.end(agent)
            bounds.end()
            raise
        self._running[agent] = container
        return True

    def running(self, agent: str) -> str:
        """The commit whose container runs; empty without one."""
        found = self._running.get(agent)
        return found.sha if found and found.is_alive else ""

    def has_ended(self, agent: str) -> bool:
        """Whether a container ended by itself after the last call of `reap`."""
        found = self._running.get(agent)
        return found is not None and not found.is_alive

    def pid(self, agent: str) -> int | None:
        """The process that is the container, as this host sees it."""
        found = self._running.get(agent)
        return found.process.pid if found and found.is_alive else None

    def reap(self) -> list[Ended]:
        """Containers that ended by themselves since the last call; each is started again more slowly.

        Looks at the limits of the others, too.
        """
        self._watch.look(lambda agent: found.harness() if (found := self._running.get(agent)) is not None else None)
        for found in self._running.values():
            found.harness()  # once it is known, it is written down for others
        gone = [agent for agent, found in self._running.items() if not found.is_alive]
        ended = []
        for agent in gone:
            self._turn_over(agent)
            found = self._running.pop(agent)
            found.clear(self._watch.end(agent))
            ended.append(Ended(agent, found.began))
            lived = time.monotonic() - found.since
            self._deaths[agent] = self._deaths.get(agent, 0) + 1 if lived < QUICK_DEATH_SECONDS else 0
            self._not_before[agent] = time.monotonic() + CONTAINERS.delay(self._deaths[agent])
        return ended

    def stop(self, agent: str) -> bool:
        """End a container: politely first, then with everything in it. False if there was none, or it was dead already."""
        found = self._running.get(agent)
        if found is None:
            return False
        lived = found.is_alive
        self._turn_over(agent)
        found.stop(STOP_SECONDS)
        self.kill(agent)
        return lived

    def kill(self, agent: str) -> None:
        """End a container with everything in it, at once."""
        found = self._running.pop(agent, None)
        if found is None:
            return
        self._turn_over(agent)
        found.kill()
        found.clear(self._watch.end(agent))
        self._deaths.pop(agent, None)
        self._not_before.pop(agent, None)

    def stop_all(self) -> None:
        """Stop all containers at the same time."""
        for found in self._running.values():
            found.tell()
        for agent in list(self._running):
            self.stop(agent)
        self._locks.release()
        self.limiter.close()

    def log(self, agent: str, lines: int = 40) -> str:
        """The end of what the container wrote; control characters are shown, not passed on."""
        return Log(self._root / agent).tail(lines)

    def _turn_over(self, agent: str) -> None:
        self._epochs[agent] = self._epochs.get(agent, 0) + 1
        self._heard.pop(agent, None)
        self._troubles.pop(agent, None)
        self._runs.pop(agent, None)
        self._used.discard(agent)

    def _note(self, agent: str, line: str) -> None:
        if found := self._running.get(agent):
            found.log.note(line)


def _mentions(process: Path, mark: str) -> bool:
    """Whether a process was started for a directory: by its arguments, or by the harness' environment."""
    with contextlib.suppress(OSError):
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        if mark in words and "hive.agent" in words:
            return True
        return f"HIVE_STATE={mark}" in (process / "environ").read_bytes().decode(errors="replace").split("\0")
    return False
