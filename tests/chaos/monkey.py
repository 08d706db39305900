"""A monkey in the machine room: kills processes at random instants and lets deliveries and answers go wrong."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from types import TracebackType
from typing import Any, Self

from hive.app.set_up import ADMIN
from hive.demo.setup import FORGE
from tests.conftest import SmallDisk
from tests.stories.conftest import Hive

HARNESS = "harness"
VICTIMS = ("web", "web", "web", "web", "work", "forgejo", "host", HARNESS)
"""The receiver is up again at once and dies most; what needs seconds for a look is given some."""

FOREVER = 1 << 30
WEATHER = ("locked", "full", "slow")
"""What befalls a house without anybody being killed: its ledger is held, its disk is full, its forge takes its time."""


@dataclass
class Monkey:
    """At work as long as the context lasts; the same seed chooses the same victims, pauses and faults."""

    hive: Hive
    seed: int
    pause: tuple[float, float] = (0.3, 0.8)
    seconds: float = 60.0
    """For so long in a round: what is never left alone for a moment comes to no end."""

    weather: bool = False
    """Whether such things happen as well."""

    disk: SmallDisk | None = None
    """Where the house keeps what it can, if it can be filled."""

    kills: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    """How often each fault acted, as far as the forge lived long enough to tell."""

    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._run, name="monkey")]
        if self.weather:
            self._threads.append(threading.Thread(target=self._befall, name="weather"))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._calm()

    @property
    def total(self) -> int:
        """How many processes were killed."""
        return sum(self.kills.values())

    def _run(self) -> None:
        choose, number = random.Random(self.seed), 0
        until = time.monotonic() + self.seconds
        while not self._stop.wait(choose.uniform(*self.pause)) and time.monotonic() < until:
            victim = choose.choice(VICTIMS)
            number += 1
            self._provoke(number)
            pid = self.hive.tree.pid(victim) if victim != HARNESS else next(iter(self.hive.harness()), None)
            if victim == "forgejo":
                self._count()
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.kills[victim] = self.kills.get(victim, 0) + 1

    def _befall(self) -> None:
        """One thing after another, by a choice of its own: who is killed when stays as it was."""
        choose = random.Random(self.seed + 1_000_000)
        until = time.monotonic() + self.seconds
        while not self._stop.wait(choose.uniform(1.0, 3.0)) and time.monotonic() < until:
            what, seconds = choose.choice(WEATHER), choose.uniform(0.5, 3.0)
            if what == "locked":
                self._lock(seconds)
            elif what == "slow":
                self._slow(seconds)
            elif self.disk is not None:
                self.disk.fill()
                self._stop.wait(seconds)
                self.disk.free()
            else:
                continue
            self.faults[what] = self.faults.get(what, 0) + 1

    def _lock(self, seconds: float) -> None:
        """Hold the ledger, so that nobody writes."""
        path = self.hive.instance.ledger_path
        with contextlib.closing(sqlite3.connect(path, timeout=10.0, isolation_level=None)) as ledger:
            with contextlib.suppress(sqlite3.OperationalError):  # it is held already, or the disk is full
                ledger.execute("BEGIN IMMEDIATE")
            self._stop.wait(seconds)

    def _slow(self, seconds: float) -> None:
        """Let the forge, and with it every line to it, stand still; one that is killed meanwhile is gone as well."""
        pid = self.hive.tree.pid("forgejo")
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self._stop.wait(seconds)
                os.kill(pid, signal.SIGCONT)

    def _provoke(self, number: int) -> None:
        """Let things go wrong in a forge that has no faults: a new life of it begins without any."""
        deliveries: list[dict[str, Any]] = [
            {"kind": kind, "one_in": 4} for kind in ("drop", "duplicate", "reorder", "replay")
        ]
        answers: list[dict[str, Any]] = [
            {"kind": kind, "one_in": 25, "path": "/api/v1/repos/*", "method": method}
            for kind, method in (("done", "POST"), ("502", "*"), ("cut", "*"))
        ]
        rules = [
            {"times": FOREVER, "seed": self.seed * 1000 + number + n, **rule}
            for n, rule in enumerate(deliveries + answers)
        ]
        with contextlib.suppress(OSError):
            if not self._faults("GET"):
                self._faults("POST", rules)

    def _count(self) -> None:
        with contextlib.suppress(OSError):
            self._add(self._faults("GET"))

    def _add(self, rules: list[dict[str, Any]]) -> None:
        for rule in rules:
            self.faults[rule["kind"]] = self.faults.get(rule["kind"], 0) + rule["acted"]

    def _calm(self) -> None:
        """Let everything go well from now on."""

        def tried() -> bool:
            try:
                told = self._faults("GET")
                self._faults("DELETE")
            except OSError:
                return False
            self._add(told)
            return True

        self.hive.until(tried, "a forge without faults")

    def _faults(self, method: str, rules: list[dict[str, Any]] | None = None) -> Any:
        instance = self.hive.instance
        secret = base64.b64encode(f"{ADMIN}:{instance.secret_store.password(FORGE, ADMIN)}".encode()).decode()
        data = None if rules is None else json.dumps(rules).encode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{instance.url(FORGE)}/-/faults", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                text = answer.read()
            return json.loads(text) if text else []
        except (urllib.error.HTTPError, HTTPException, ValueError) as error:
            raise OSError(f"faults: {error!r}") from error  # a forge that dies answers half, or anything
