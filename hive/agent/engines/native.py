"""The hive's own engine: a loop around the Messages API, with the harness' own tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from hive.agent.context_window import ContextWindow
from hive.agent.engines.engine import Workplace
from hive.agent.loop import AgentLoop
from hive.agent.model_client import ModelClient
from hive.agent.tool_declarations import HIVE_TOOLS, WORK_TOOLS, Tool, offered
from hive.agent.turn import TurnBrief
from hive.agent.unix_http import UnixHTTPClient

TOOLS = (*WORK_TOOLS, *HIVE_TOOLS)


@dataclass(frozen=True, slots=True)
class NativeEngine:
    """Asks the model, executes its calls, remembers both."""

    name: str = "native"

    def tools(self, turn: TurnBrief) -> tuple[Tool, ...]:
        """The tools that it offers to the model in a turn."""
        return offered(TOOLS, turn.capabilities)

    def fingerprint(self, turn: TurnBrief) -> str:
        """The model with its instructions and tools."""
        return ModelClient.fingerprint_of(turn.model, turn.system, [tool.offer for tool in self.tools(turn)])

    def work(self, place: Workplace) -> NoReturn:
        """Step until the turn ends."""
        turn = place.turn
        offers = [tool.offer for tool in place.toolbox.tools]
        # The host gives up first, and knows why.
        door = UnixHTTPClient(place.model_socket, max(place.silence, turn.silence * 1.2))
        model = ModelClient(door, turn.token, turn.model, turn.system, offers, place.retry)
        window = ContextWindow(place.transcript, model, turn.window)
        AgentLoop(turn, place.transcript, window, place.toolbox, place.mailbox, place.between, place.is_late).run()


ENGINE = NativeEngine()
