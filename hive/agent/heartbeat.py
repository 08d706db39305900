"""Renews a turn's lease on a thread. Does not stop the turn itself; `check` says that it should stop."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from hive.agent.broker_client import BrokerClient
from hive.agent.errors import HostRefused, HostUnavailable, LeaseLost, Paused, TurnEnded
from hive.agent.log import log

CANCELLED = "I was asked to stop, and did."


class LeaseHeartbeat:
    """Beats as long as the context lasts, three times in each lease."""

    def __init__(self, broker: BrokerClient, lease: float) -> None:
        self._broker = broker
        self._interval = lease / 3
        self._over = threading.Event()
        self._lost = threading.Event()
        self._cancelled = threading.Event()
        self._resting = threading.Event()
        self.mail = threading.Event()
        """Whether words wait for the turn."""

        self._thread = threading.Thread(target=self._beat, daemon=True, name="pulse")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    @property
    def is_over(self) -> bool:
        """Whether the turn must not continue, not even with what runs now: it was cancelled, or is another holder's."""
        return self._lost.is_set() or self._cancelled.is_set()

    def check(self) -> None:
        """Raise LeaseLost, Paused or TurnEnded if the turn must not continue."""
        if self._lost.is_set():
            raise LeaseLost("beat")
        if self._resting.is_set():
            raise Paused("beat")
        if self._cancelled.is_set():
            raise TurnEnded("blocked", CANCELLED)

    def _beat(self) -> None:
        while not self._over.wait(self._interval):
            try:
                told = self._broker.beat()
                for word, event in (("cancel", self._cancelled), ("rest", self._resting), ("mail", self.mail)):
                    if word in told:
                        event.set()
            except LeaseLost:
                self._lost.set()
                return
            except (HostUnavailable, HostRefused) as error:
                log("no beat", error=error)
