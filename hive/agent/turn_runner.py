"""Runs one turn from its arrival to its report; there is always an outcome."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hive.agent.broker_client import BrokerClient
from hive.agent.container_paths import ContainerPaths
from hive.agent.engines import engine_named
from hive.agent.engines.engine import TurnEngine
from hive.agent.errors import GitToolError, HostRefused, HostUnavailable, Paused, TurnEnded
from hive.agent.heartbeat import LeaseHeartbeat
from hive.agent.log import log
from hive.agent.transcript import Transcript
from hive.agent.turn import TurnBrief
from hive.agent.turn_setting import TurnSetting
from hive.agent.unix_http import DEFAULT_RETRY, RetryPolicy, UnixHTTPClient

REFUSED = "I cannot go on with this: the host refused what I asked of it. {error}"
NO_ROOM = frozenset({errno.EDQUOT, errno.ENOMEM, errno.ENOSPC, errno.EROFS})
"""What a machine lacks for a while: the turn is left then, and comes again."""

NO_TREE = "The work tree could not be made ready. {error}"


@dataclass(frozen=True, slots=True)
class TurnRunner:
    """What all turns of a process share; `port` is the relay's, `leaving` raises Shutdown when it is time."""

    place: ContainerPaths
    port: int
    leaving: Callable[[], None]
    retry: RetryPolicy = DEFAULT_RETRY
    silence: float = 120.0

    def hold(self, turn: TurnBrief) -> None:
        """Work on a turn, or find it done, and report its outcome.

        Raises LeaseLost, Shutdown or HostUnavailable; the turn stays open then.
        """
        broker = BrokerClient(UnixHTTPClient(self.place.forge), turn.token, self.retry)
        heartbeat = LeaseHeartbeat(broker, turn.lease)

        def keep(number: int, line: dict[str, Any]) -> None:
            if broker.tell(number, line):
                heartbeat.mail.set()

        transcript = Transcript(turn.transcript, keep)
        with heartbeat:
            try:
                _end(turn, broker, transcript, self._outcome(turn, broker, transcript, heartbeat))
            except Paused as why:
                log("put down", turn=turn.id, why=why)
                broker.rest()
            except HostUnavailable as error:
                log("left", turn=turn.id, why=error)
                broker.leave()
            except HostRefused as error:
                log("refused", turn=turn.id, why=error)
                _end(turn, broker, transcript, TurnEnded("failed", REFUSED.format(error=error)))

    def _outcome(
        self, turn: TurnBrief, broker: BrokerClient, transcript: Transcript, heartbeat: LeaseHeartbeat
    ) -> TurnEnded:
        """How the turn ended, before this process or now."""
        try:
            engine = engine_named(turn.engine)
        except TurnEnded as unknown:
            transcript.begin(turn.id, turn.message, fingerprint="", memory=turn.memory)
            end = transcript.end or unknown
        else:
            transcript.begin(turn.id, fingerprint=engine.fingerprint(turn), memory=turn.memory)
            around = (self.place, self.port, self.leaving, self.retry, self.silence)
            setting = TurnSetting(*around, turn, broker, transcript, heartbeat)
            end = transcript.end or self._work(engine, setting)
        transcript.close(end)
        return end

    def _work(self, engine: TurnEngine, setting: TurnSetting) -> TurnEnded:
        try:
            place = setting.workplace(engine)
            try:
                engine.work(place)
            except TurnEnded as reached:
                return place.actions.save(reached)
        except (GitToolError, OSError) as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise HostUnavailable(f"the machine of the hive has no room: {error.strerror}") from error
            return TurnEnded("failed", NO_TREE.format(error=error))
        except TurnEnded as reached:  # while it was made ready
            return reached


def _end(turn: TurnBrief, broker: BrokerClient, transcript: Transcript, end: TurnEnded) -> None:
    """End the turn; the host says it on the thread, if nothing else shows it there."""
    log("end", turn=turn.id, outcome=end.outcome, steps=transcript.steps)
    broker.end(
        end.outcome,
        end.message,
        steps=transcript.steps,
        tokens_in=transcript.tokens_in,
        tokens_out=transcript.tokens_out,
    )
