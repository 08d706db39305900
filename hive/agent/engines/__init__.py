"""The engines: what thinks, or does without thinking, during a turn. `engine` of `agent.yaml` names one."""

from __future__ import annotations

from collections.abc import Mapping

from hive.agent.engines.engine import TurnEngine
from hive.agent.engines.native import NATIVE
from hive.agent.errors import TurnEnded

ENGINES: Mapping[str, TurnEngine] = {engine.name: engine for engine in (NATIVE,)}
"""Engines by name; another one is one more module and one more word here."""

UNKNOWN = "My configuration names an engine that I do not have: {name!r}. There are {known}."


def engine_named(name: str) -> TurnEngine:
    """The engine of that name; raises TurnEnded if there is none."""
    found = ENGINES.get(name)
    if found is None:
        raise TurnEnded("failed", UNKNOWN.format(name=name[:40], known=", ".join(ENGINES)))
    return found
