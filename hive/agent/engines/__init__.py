"""The engines: what thinks, or does without thinking, during a turn. `engine` of `agent.yaml` names one.

A module is imported when a turn needs it: the harness of an agent holds its own engine in memory, and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from hive.agent.engines.engine import TurnEngine
from hive.agent.errors import TurnEnded

ENGINES: Mapping[str, str] = {
    "claude-code": "claude_code",
    "mechanic": "mechanic",
    "command": "command",
    "native": "native",
    "scripted": "scripted",
}
"""The module of each engine, whose `ENGINE` it is; another one is one more module and one more word here."""

UNKNOWN = "My configuration names an engine that I do not have: {name!r}. There are {known}."


def engine_named(name: str) -> TurnEngine:
    """The engine of that name; raises TurnEnded if there is none."""
    module = ENGINES.get(name)
    if module is None:
        raise TurnEnded("failed", UNKNOWN.format(name=name[:40], known=", ".join(ENGINES)))
    engine: TurnEngine = import_module(f"hive.agent.engines.{module}").ENGINE
    return engine
