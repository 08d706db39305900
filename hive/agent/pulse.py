"""The beats of a turn: a thread that renews the lease. Never stops the turn itself; it only says that it should."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from hive.agent.broker import Broker
from hive.agent.errors import Ended, Lost, Refused, Rest, Unavailable
from hive.agent.log import log

CANCELLED = "I was asked to stop, and did."


class Pulse:
    """Beats as long as the context lasts, three times in each lease."""

    def __init__(self, broker: Broker, lease: float) -> None:
        self._broker = broker
        self._interval = lease / 3
        self._over = threading.Event()
        self._lost = threading.Event()
        self._cancelled = threading.Event()
        self._resting = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="pulse")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Raise Lost, Rest or Ended if the turn should not go on."""
        if self._lost.is_set():
            raise Lost("beat")
        if self._resting.is_set():
            raise Rest("beat")
        if self._cancelled.is_set():
            raise Ended("blocked", CANCELLED)

    def _beat(self) -> None:
        while not self._over.wait(self._interval):
            try:
                told = self._broker.beat()
                if told == "cancel":
                    self._cancelled.set()
                elif told == "rest":
                    self._resting.set()
            except Lost:
                self._lost.set()
                return
            except (Unavailable, Refused) as error:
                log("no beat", error=error)
