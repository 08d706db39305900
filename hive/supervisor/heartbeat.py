"""Loops that survive store outages, and heartbeats that show that they run.

A loop waits for its store during an outage; a damaged store ends the process, with a sentence.
A heartbeat is a small file of a fixed size that is overwritten in place, which needs no space on a full disk.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hive.backoff import STORE
from hive.ledger.errors import STORE_ERRORS, DamagedDatabase, describe, is_damaged, is_unavailable

log = logging.getLogger("hive.supervisor.heartbeat")

HEARTBEATS = "heartbeats"
"""The directory of heartbeats below the state directory: a file for each loop, named by its process and itself."""

SIZE = 512
"""Bytes of a heartbeat."""


BETWEEN_BEATS = 1.0
FIX = "it is damaged; stop the hive, put a backup of {path} in its place, start again"


@dataclass(frozen=True, slots=True)
class HeartbeatRecord:
    """When a loop last finished a pass, and after how many seconds without one it is late; `trouble` is what it complains of."""

    loop: str
    at: float
    late_after: float
    trouble: str = ""


class Heartbeat:
    """One loop's heartbeat. Used by the thread of its loop only."""

    def __init__(self, path: Path | None, late_after: float) -> None:
        """`late_after` is in seconds; a heartbeat without a `path` is not written."""
        self._path = path
        self._late_after = late_after
        self._written = 0.0
        self._trouble = ""
        self._waits = 0

    def beat(self, trouble: str = "") -> None:
        """A pass is done; `trouble` is what is wrong with the thing that the loop takes care of."""
        self._waits = 0
        now = time.monotonic()
        if trouble == self._trouble and now - self._written < BETWEEN_BEATS:
            return
        self._written, self._trouble = now, trouble
        told = trouble.encode("ascii", "replace").decode()[:200]
        text = json.dumps({"at": round(time.time(), 3), "late_after": self._late_after, "trouble": told})
        if self._path is None:
            return
        # A beat that cannot be written is one that others miss, and so they should.
        with contextlib.suppress(OSError):
            _write_over(self._path, text.encode()[:SIZE].ljust(SIZE))

    def next_wait(self) -> float:
        """How long to wait for the store now: longer each time until a pass is finished."""
        self._waits += 1
        return STORE.delay(self._waits)


class LoopDied(Exception):
    """A loop ended that should not have; its process ends with it and is started again."""


class Loops:
    """The loops of one process: when one of them ends, all do, and so does the process. Shared by all of its threads."""

    def __init__(self, folder: Path | None, process: str, stop: threading.Event, *, late_after: float = 300.0) -> None:
        """`folder` holds the heartbeats; a loop without a finished pass for `late_after` seconds is late.

        `stop` ends every loop, and is set by the first that fails.
        """
        self._folder = folder
        self._process = process
        self._late_after = late_after
        self.stop = stop
        self._died = ""
        self._damage: BaseException | None = None

    def heartbeat(self, loop: str, *, every: float = 0.0) -> Heartbeat:
        """The heartbeat of one loop, whose passes start `every` so many seconds."""
        if self._folder is None:
            return Heartbeat(None, self._late_after)
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Heartbeat(self._folder / f"{self._process}.{loop}", self._late_after + every)

    def run(
        self,
        loop: str,
        step: Callable[[Heartbeat], float],
        *,
        every: float = 0.0,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Repeat a step until `stop` is set, with the pause in seconds that it returns. A step sends its own heartbeats.

        `wait` spends a pause, or less of it when there is something to do.
        """
        wait = wait or self.stop.wait
        heartbeat = self.heartbeat(loop, every=every)
        try:
            while not self.stop.is_set():
                with self.enduring(heartbeat):
                    wait(step(heartbeat))
        finally:
            if not self.stop.is_set():  # the exception is raised on, in this thread or by `last_words`
                self._died = loop
                self.stop.set()

    @contextmanager
    def enduring(self, heartbeat: Heartbeat) -> Iterator[None]:
        """What is done within is broken off by a fault of the store, and a pause follows; everything else is raised."""
        try:
            yield
        except STORE_ERRORS as error:
            if is_damaged(error):
                self._damage = error
                self.stop.set()
            elif not is_unavailable(error):
                raise
            log.warning("store_away error=%r", describe(error))
            self.stop.wait(heartbeat.next_wait())

    def last_words(self, path: Path) -> None:
        """Raise what ended the loops, unless they were stopped: Damaged for a damaged store, otherwise LoopDied."""
        if self._damage is not None:
            raise DamagedDatabase(f"{path}: {describe(self._damage)}; {FIX.format(path=path.name)}") from self._damage
        if self._died:
            raise LoopDied(f"{self._process} ends: its {self._died} died")


class HeartbeatMonitor:
    """Monitors the heartbeats of an instance."""

    def __init__(self, folder: Path, expected: Iterable[str], *, grace: float) -> None:
        """Loops that are `expected` and have no heartbeat count as missing after `grace` seconds from now."""
        self._folder = folder
        self._expected = tuple(expected)
        self._grace_until = time.monotonic() + grace

    def troubles(self) -> list[str]:
        """What is wrong, a sentence each; empty when every loop goes round and complains of nothing."""
        now, found = time.time(), {beat.loop: beat for beat in read_heartbeats(self._folder)}
        said = []
        for beat in found.values():
            if now - beat.at > beat.late_after:
                said.append(f"{beat.loop} has finished nothing since {_clock(beat.at)}")
            elif beat.trouble:
                said.append(f"{beat.loop}: {beat.trouble}")
        if time.monotonic() > self._grace_until:
            said += [f"{loop} has not run yet" for loop in self._expected if loop not in found]
        return said


def read_heartbeats(folder: Path) -> list[HeartbeatRecord]:
    """The heartbeats in a folder; one that cannot be read is not there."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            told = json.loads(path.read_bytes())
            found.append(HeartbeatRecord(path.name, float(told["at"]), float(told["late_after"]), str(told["trouble"])))
    return found


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _write_over(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.pwrite(file, content, 0)
    finally:
        os.close(file)
