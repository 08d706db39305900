"""The doctor's checks of models: each is asked one small question with a tool. Costs a few hundred tokens.

A server may drop tools without a word, because the template of its model knows none: an agent on such a model
answers and does nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hive.agent.errors import ContextOverflow, HostUnavailable, TurnEnded
from hive.agent.stream import assemble, events, whole
from hive.gateway.llm import COUNT, ModelRequest
from hive.gateway.meter import STREAM
from hive.gateway.model_errors import ModelFailed
from hive.gateway.model_headers import VERSION
from hive.gateway.model_route import ModelRoute
from hive.instance.instance import Instance
from hive.instance.model_keys import GIVE
from hive.instance.model_routes import ModelRoutes
from hive.instance.running_agent import WITHOUT_MODEL, current_model, keys_of, running_spec
from hive.provision.check_results import CheckResult, ok, problem, warning

TOOL = {
    "name": "report",
    "description": "Report a number.",
    "input_schema": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
}
MESSAGES = [{"role": "user", "content": "Call the tool `report` with the number 7. Say nothing else."}]
MAX_TOKENS = 512
DROPPED = "{model} is offered tools and its server drops them: an agent on it answers and does nothing"
USE_TEMPLATE = "use a model whose template knows tools; llama-server needs --jinja for it"
UNUSED = "{model} was offered a tool, and told to call it, and did not"
TOO_SMALL = "try it on a small issue first: it may be too weak for an agent"


@dataclass(frozen=True, slots=True)
class ModelChecks:
    """Checks the models that agents think with, and those that review."""

    instance: Instance

    def look(self) -> Iterator[CheckResult]:
        """Ask each model once."""
        routes = ModelRoutes(self.instance.settings.model, keys_of(self.instance))
        try:
            for model, agent in self._used().items():
                yield check(routes.route(model, agent), agent, self._place(model))
            for model in self.instance.settings.review.models:
                yield answers(routes.route(model, ""), self._place(model))
        finally:
            routes.close()

    def _used(self) -> dict[str, str]:
        """The models in use, each with an agent that uses it."""
        found: dict[str, str] = {}
        for agent in (agent for team in self.instance.settings.teams.values() for agent in team.agents):
            try:
                spec = running_spec(self.instance, agent)
            except OSError:  # nothing runs yet
                spec = {}
            if spec.get("engine") not in WITHOUT_MODEL:
                found.setdefault(current_model(self.instance, agent, spec), agent)
        return found

    def _place(self, model: str) -> str:
        """The key of the configuration that holds the address of a model's server."""
        provider = self.instance.settings.model.address(model).provider
        return f"model.providers.{provider}.url" if provider else "model.url"


def check(route: ModelRoute, agent: str, place: str) -> CheckResult:
    """Whether a model answers, takes tools, and calls one."""
    try:
        reply, used = _asked(route, tools=True)
        offered, plain = _counts(route, used)
    except ModelFailed as error:
        return _failed(route.name, agent, place, error)
    except (HostUnavailable, TurnEnded, ContextOverflow) as error:
        return problem(f"{route.name} does not answer as a model does: {error}", f"check the server at {place}")
    if any(block["type"] == "tool_use" for block in reply["content"]):
        return ok(f"{route.name} answers, and calls tools")
    if offered <= plain:
        return problem(DROPPED.format(model=route.name), USE_TEMPLATE)
    return warning(UNUSED.format(model=route.name), TOO_SMALL)


def answers(route: ModelRoute, place: str) -> CheckResult:
    """Whether a model that reviews answers: it needs no tools."""
    try:
        _asked(route, tools=False)
    except ModelFailed as error:
        return _failed(route.name, "the hive", place, error)
    except (HostUnavailable, TurnEnded, ContextOverflow) as error:
        return problem(f"{route.name} does not answer as a model does: {error}", f"check the server at {place}")
    return ok(f"{route.name} answers, and reviews")


def _asked(route: ModelRoute, *, tools: bool) -> tuple[dict[str, Any], int]:
    """The reply to the question, and how many tokens were read for it; raises what a harness does, and ModelFailed."""
    more = {"tools": [TOOL]} if tools else {}
    body = {"max_tokens": MAX_TOKENS if tools else 1, "messages": MESSAGES, "stream": True, **more}
    with route.ask(ModelRequest(body, {"anthropic-version": VERSION})) as reply:
        data = b"".join(reply.chunks)
    is_stream = reply.content_type.startswith(STREAM)
    message = assemble(events(data.splitlines(keepends=True))) if is_stream else whole(_object(data))
    return message, sum(count for key, count in message["usage"].items() if key.endswith("input_tokens"))


def _counts(route: ModelRoute, used: int) -> tuple[int, int]:
    """The tokens of the question with the tool and without it; where the server does not count, it is asked again."""
    try:
        return _counted(route, {"tools": [TOOL]}), _counted(route, {})
    except ModelFailed:
        return used, _asked(route, tools=False)[1]


def _counted(route: ModelRoute, more: Mapping[str, Any]) -> int:
    request = ModelRequest({"messages": MESSAGES, **more}, {"anthropic-version": VERSION}, COUNT)
    with route.ask(request) as reply:
        return int(_object(b"".join(reply.chunks)).get("input_tokens") or 0)


def _failed(model: str, agent: str, place: str, error: ModelFailed) -> CheckResult:
    if error.unreachable:
        return problem(f"{model} is unreachable: {error.unreachable}", f"start its server, or fix {place}")
    what, _, fix = error.message.partition(GIVE)
    if error.status in (401, 403):
        said = what if fix else f"{model} is not open to {agent}: {error.message or error.kind}"
        return problem(
            said, fix or (f"hive login {agent}" if agent != "the hive" else f"check its key, beside {place}")
        )
    return problem(f"{model} answers {error.status}: {error.message or error.kind}", f"check the server at {place}")


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
