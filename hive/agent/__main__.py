"""The harness as a process: a heartbeat, a turn, its end, and so on until it is stopped."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import NoReturn

from hive.agent.broker_client import BrokerClient
from hive.agent.container_paths import ContainerPaths
from hive.agent.errors import HostRefused, HostUnavailable, LeaseLost, Shutdown
from hive.agent.health import NEW, trouble
from hive.agent.log import log
from hive.agent.relay import relay
from hive.agent.sandbox import be_alone
from hive.agent.turn import TurnBrief
from hive.agent.turn_runner import TurnRunner
from hive.agent.unix_http import RetryPolicy, UnixHTTPClient

WAIT = 25.0
"""Seconds that the broker may let us wait for a turn."""

FOREVER = RetryPolicy(tries=sys.maxsize, longest=5.0)
"""A resident whose broker is away waits for it."""


class ShutdownSignal:
    """SIGTERM: without a turn the process goes at once, with one it goes after the step."""

    def __init__(self) -> None:
        self._idle = False
        self._rung = False
        signal.signal(signal.SIGTERM, lambda *_: self._notify())

    def wait_for_turn(self, broker: BrokerClient, generation: str) -> TurnBrief | None:
        """Ask for a turn; may end the process."""
        self._idle = True
        if self._rung:
            raise SystemExit
        turn = broker.turn(generation, wait=WAIT)
        self._idle = False
        return turn

    def wait_for_end(self) -> NoReturn:
        """Do nothing until the process is told to go."""
        self._idle = True
        while not self._rung:
            signal.pause()  # a signal that comes just before it ends the process by itself
        raise SystemExit

    def check(self) -> None:
        """Raise Leave if the bell has rung."""
        if self._rung:
            raise Shutdown

    def _notify(self) -> None:
        self._rung = True
        if self._idle:
            raise SystemExit


def main() -> None:
    """Take turns, one after the other."""
    be_alone()
    place = ContainerPaths.of(os.environ)
    place.prepare()
    place.sandbox.give(place.state / "home")
    wakeup = ShutdownSignal()
    broker = BrokerClient(UnixHTTPClient(place.forge, timeout=2 * WAIT), sys.stdin.read(), retry=FOREVER)
    settings = json.loads((place.config / "agent.json").read_bytes())
    generation = str(settings["generation"])
    if os.environ.get(NEW) and settings.get("health"):
        _be_well(str(settings["health"]), place, broker, generation, wakeup)
    with relay(place.forge) as port:
        session = TurnRunner(place, port, wakeup.check)
        while True:
            turn = wakeup.wait_for_turn(broker, generation)
            if turn is not None:
                _hold(session, turn)


def _hold(session: TurnRunner, turn: TurnBrief) -> None:
    """Hold a turn; one that could not be ended comes again when its lease has run out."""
    log("turn", run=turn.run, turn=turn.id)
    try:
        session.hold(turn)
    except (LeaseLost, HostUnavailable, HostRefused) as error:
        log("left open", turn=turn.id, why=type(error).__name__, error=error)
    except Shutdown:
        log("leaving", turn=turn.id)
        raise SystemExit from None


def _be_well(
    command: str, place: ContainerPaths, broker: BrokerClient, generation: str, wakeup: ShutdownSignal
) -> None:
    """Check a new configuration; one that fails says so and waits for its end, which the host brings."""
    why = trouble(command, place)
    if why:
        log("unhealthy", why=why)
        broker.complain(generation, why)
        wakeup.wait_for_end()


if __name__ == "__main__":
    try:
        main()
    except SystemExit as end:
        if end.code is not None:
            raise
        sys.stdout.flush()
        os._exit(0)  # the next container waits for this end, and Python takes apart its modules for a while
