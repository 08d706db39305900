"""The containers of this host: started, watched, stopped; each is a child of this process and dies with it."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from hive.backoff import CONTAINERS
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends import Backend
from hive.reconcile.logs import Log

STOP_SECONDS = 10.0
POLL_SECONDS = 0.1
LOG_SECONDS = 2.0
"""How long what a container wrote at last may take to be in its log."""
AGENTS_UMASK = 0o022
"""Agents make files as people do: their directory lies below one that only the hive can enter."""

QUICK_DEATH_SECONDS = 10.0


@dataclass(slots=True)
class _Running:
    sha: str
    process: subprocess.Popen[bytes]
    since: float
    log: Log


class Containers:
    """One container for each agent at the most.

    All calls must come from one thread that lives as long as the containers should: the kernel
    ends a container when the thread that started it ends (bwrap's `--die-with-parent`).
    """

    def __init__(self, backend: Backend, root: Path) -> None:
        self.backend = backend
        self._root = root
        self._running: dict[str, _Running] = {}
        self._deaths: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._heard: dict[str, str] = {}
        self._epochs: dict[str, int] = {}
        self._runs: dict[str, int] = {}
        self._keys: dict[str, str] = {}
        self._used: set[str] = set()

    def epoch(self, agent: str) -> int:
        """A number that changes whenever a container starts or ends; any thread may ask."""
        return self._epochs.get(agent, 0)

    def heard(self, agent: str, sha: str) -> None:
        """Record a container's heartbeat, with the commit that it was built from; any thread may call this."""
        self._heard[agent] = sha

    def answered(self, agent: str) -> str:
        """The commit that the running container reported; empty before its first heartbeat."""
        return self._heard.get(agent, "")

    def opens(self, agent: str, key: str) -> bool:
        """Whether a key is the one that the agent's current container got at its start; any thread may call this."""
        return hmac.compare_digest(self._keys.get(agent, secrets.token_hex()).encode(), key.encode())

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
        """End what an earlier host left behind: one that was killed in the very moment of a start."""
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
        command = self.backend.command(dirs, sha, extra)
        self._turn_over(agent)
        self._keys[agent] = secrets.token_hex()
        process = subprocess.Popen(
            command.words,
            env=command.env,
            cwd=dirs.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
            umask=AGENTS_UMASK,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with (
            contextlib.suppress(BrokenPipeError),
            process.stdin as told,
        ):  # an argument or a file could be read by others
            told.write(self._keys[agent].encode())
        log = Log(dirs.root)
        log.follow(process.stdout)
        self._running[agent] = _Running(sha, process, time.monotonic(), log)
        return True

    def running(self, agent: str) -> str:
        """The commit whose container runs; empty without one."""
        found = self._running.get(agent)
        return found.sha if found and found.process.poll() is None else ""

    def pid(self, agent: str) -> int | None:
        """The process that is the container, as this host sees it."""
        found = self._running.get(agent)
        return found.process.pid if found and found.process.poll() is None else None

    def reap(self) -> list[str]:
        """Agents whose container ended by itself since the last call; each is started more slowly."""
        ended = [agent for agent, found in self._running.items() if found.process.poll() is not None]
        for agent in ended:
            self._turn_over(agent)
            found = self._running.pop(agent)
            found.log.wait(LOG_SECONDS)
            lived = time.monotonic() - found.since
            self._deaths[agent] = self._deaths.get(agent, 0) + 1 if lived < QUICK_DEATH_SECONDS else 0
            self._not_before[agent] = time.monotonic() + CONTAINERS.delay(self._deaths[agent])
        return ended

    def stop(self, agent: str) -> bool:
        """End a container: politely first, then with everything in it. False if there was none, or it was dead already."""
        found = self._running.get(agent)
        if found is None:
            return False
        lived = found.process.poll() is None
        self._turn_over(agent)
        until = time.monotonic() + STOP_SECONDS
        told = False
        while found.process.poll() is None and time.monotonic() < until:
            told = told or self._tell(found.process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                found.process.wait(timeout=POLL_SECONDS)
        self.kill(agent)
        return lived

    def kill(self, agent: str) -> None:
        """End a container with everything in it, at once."""
        found = self._running.pop(agent, None)
        if found is None:
            return
        self._turn_over(agent)
        self.backend.kill(found.process.pid, self.dirs(agent))
        found.process.wait()
        found.log.wait(LOG_SECONDS)
        self._deaths.pop(agent, None)
        self._not_before.pop(agent, None)

    def stop_all(self) -> None:
        """Stop all containers at the same time."""
        for found in self._running.values():
            self._tell(found.process)
        for agent in list(self._running):
            self.stop(agent)

    def log(self, agent: str, lines: int = 40) -> str:
        """The end of what the container wrote; control characters are shown, not passed on."""
        return Log(self._root / agent).tail(lines)

    def _turn_over(self, agent: str) -> None:
        self._epochs[agent] = self._epochs.get(agent, 0) + 1
        self._heard.pop(agent, None)
        self._runs.pop(agent, None)
        self._used.discard(agent)

    def _tell(self, process: subprocess.Popen[bytes]) -> bool:
        """Ask the harness to end; False if it is not there yet."""
        pid = self.backend.harness(process.pid)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        return True


def _mentions(process: Path, mark: str) -> bool:
    """Whether a process was started for a directory: by its arguments, or by the harness' environment."""
    with contextlib.suppress(OSError):
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        if mark in words and "hive.agent" in words:
            return True
        return f"HIVE_STATE={mark}" in (process / "environ").read_bytes().decode(errors="replace").split("\0")
    return False
