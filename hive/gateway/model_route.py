"""Where an agent's requests for a model go: to which server, under which name, with which key."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from hive.gateway.llm import PROBE, Model, ModelRequest, StreamedReply
from hive.gateway.meter import Meter
from hive.gateway.model_errors import ModelFailed
from hive.gateway.token_usage import TokenUsage


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """Where requests for a model go. `name` is the hive's name for it, `id` that of its server."""

    model: Model
    name: str
    id: str
    key: Callable[[], str] = lambda: ""
    """The key, read at each request; raises ModelFailed if the server needs one and there is none."""

    def ask(self, request: ModelRequest) -> AbstractContextManager[StreamedReply]:
        """Pass a request on; raises ModelFailed."""
        return self.model.ask(replace(request, body={**request.body, "model": self.id}), self.key())

    def with_key(self, key: str) -> ModelRoute:
        """The same with another key."""
        return replace(self, key=lambda: key)

    def probe(self) -> TokenUsage | None:
        """What a small request used, None if the server does not answer it either."""
        meter = Meter()
        try:
            with self.ask(PROBE) as reply:
                meter = Meter(reply.content_type)
                for chunk in reply.chunks:
                    meter.see(chunk)
        except ModelFailed:
            return None
        meter.end()
        return meter.usage if meter.is_whole else None
