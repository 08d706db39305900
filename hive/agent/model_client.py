"""The Messages API over `model.sock`: one conversation in, one whole reply out. Knows no key; the host adds it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from zlib import crc32

from hive.agent.budget_gauge import HEADER, BudgetGauge
from hive.agent.errors import ContextOverflow, GarbledReply, HostUnavailable, LeaseLost, Paused, TurnEnded
from hive.agent.stream import assemble, events, failure, whole
from hive.agent.unix_http import DEFAULT_RETRY, RetryPolicy, UnixHTTPClient, read_json, retry_after

MAX_TOKENS = 16_000
"""The most that one reply may hold; a file of a thousand lines fits."""


@dataclass(frozen=True, slots=True)
class ModelClient:
    """A model with its instructions and tools.

    `door` is asked with a time-out for silence, not for the reply: pings keep a long one alive.
    """

    door: UnixHTTPClient
    token: str = field(repr=False)
    name: str
    system: str
    tools: Sequence[dict[str, Any]]
    retry: RetryPolicy = DEFAULT_RETRY
    budget: BudgetGauge = field(default_factory=BudgetGauge)

    @staticmethod
    def fingerprint_of(name: str, system: str, tools: Sequence[dict[str, Any]]) -> str:
        """A digest of all that decides how a model reads a conversation, apart from the conversation."""
        return f"{crc32(json.dumps([name, system, list(tools)]).encode()):08x}"

    def reply(self, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The next message, with its `stop_reason` and `usage`.

        A late, cut or temporarily refused answer is requested again as a whole. Raises Paused if retries
        failed, ContextOverflow, LeaseLost, and TurnEnded if retrying cannot help.
        """
        try:
            return self.retry.call(lambda: self._once(messages))
        except GarbledReply as error:
            raise TurnEnded("failed", f"I could not make sense of what the model said: {error}.") from error
        except HostUnavailable as error:
            raise Paused(f"The model could not be reached: {error}") from error

    def _once(self, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
        body = {
            "model": self.name,
            "max_tokens": MAX_TOKENS,
            "system": self.system,
            "tools": list(self.tools),
            "messages": list(messages),
            "stream": True,
            # Everything up to here will be sent again with the next step: let it be read from the cache.
            "cache_control": {"type": "ephemeral"},
        }
        with self.door.post("/v1/messages", body, token=self.token) as response:
            self.budget.read(response.getheader(HEADER))
            if response.status != 200:
                raise refusal(response.status, response.headers, read_json(response))
            is_object = response.getheader("content-type", "").startswith("application/json")
            reply = whole(read_json(response)) if is_object else assemble(events(response))
        if reply["stop_reason"] == "end_turn" and reply["usage"].get("output_tokens", 0) >= MAX_TOKENS:
            return {**reply, "stop_reason": "max_tokens", "content": []}  # cut, whatever the server calls it
        return reply


def refusal(
    status: int, headers: Message, body: dict[str, Any]
) -> HostUnavailable | TurnEnded | LeaseLost | Paused | ContextOverflow:
    """The exception for an answer that is not a reply.

    With `x-hive: rest` the gateway says that retrying here is useless: the host knows how long to wait, and why.
    With `x-hive: lost` it says that another process holds the turn: its outcome is not ours to report.
    With `x-hive: stop` the error is a sentence of the host's own, which ends the turn.
    """
    told = failure(body)
    word = headers.get("x-hive")
    if word == "lost":
        return LeaseLost(str(told))
    if word == "rest":
        return Paused(str(told))
    if word == "stop":
        error = body.get("error")
        return TurnEnded("blocked", str(error.get("message") if isinstance(error, dict) else told))
    if status == 413 or isinstance(told, ContextOverflow):
        return ContextOverflow(str(told))
    passing = status in {408, 429} or status >= 500
    if headers.get("x-should-retry") == "false":
        return TurnEnded("blocked" if status == 429 else "failed", str(told))
    if passing and not (isinstance(told, TurnEnded) and told.outcome == "blocked"):
        return HostUnavailable(str(told), retry_after=retry_after(headers))
    return told if isinstance(told, TurnEnded) else TurnEnded("failed", str(told))
