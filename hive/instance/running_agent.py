"""What runs of an agent: its built configuration, and the model that it thinks with."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from hive.instance import model_keys
from hive.instance.instance import Instance
from hive.instance.model_keys import ModelKeys
from hive.secret_store import NoSecret

log = logging.getLogger("hive.host")

WITHOUT_MODEL = frozenset({"mechanic", "scripted"})
"""Engines that ask no model."""


def running_spec(instance: Instance, agent: str) -> dict[str, Any]:
    """The built configuration of an agent's container; raises OSError if there is none yet."""
    baseline = instance.ledger.deployments.baseline(agent)
    built = baseline.generation if baseline else ""
    found: dict[str, Any] = json.loads((instance.agents / agent / "gens" / built / "agent.json").read_text())
    return found


def current_model(instance: Instance, agent: str, spec: dict[str, Any]) -> str:
    """The model of an agent: that of `/model`, of its configuration, or of the hive."""
    baseline = instance.ledger.deployments.baseline(agent)
    return instance.settings.model.chosen(agent, baseline.model if baseline else "", spec.get("model", ""))


def keys_of(instance: Instance) -> ModelKeys:
    """The keys of models, as this process finds them."""
    return ModelKeys.of(instance.settings.model, instance.settings.home, instance.secret_store)


def take_keys(instance: Instance) -> ModelKeys:
    """The keys of models; what is in the environment is taken out of it, where children would inherit it."""
    keys = keys_of(instance)
    for agent, why in keyless(instance, keys):
        log.warning("no_model_key agent=%s why=%r", agent, why)
    model_keys.forget()
    return keys


def new_engine(instance: Instance, agent: str) -> tuple[str, str]:
    """The engine that a new agent gets, and why it is none that thinks; a key that is configured may be elsewhere by now."""
    name = current_model(instance, agent, {})
    settings = instance.settings.model.address(name).settings
    try:
        keys_of(instance).key(name, agent)
    except NoSecret as error:
        if not settings.key_file and not settings.credential:
            return "mechanic", str(error)
    return "native", ""


def keyless(instance: Instance, keys: ModelKeys) -> Iterator[tuple[str, str]]:
    """Agents whose model needs a key that is not there, each with the reason."""
    for agent in (agent for team in instance.settings.teams.values() for agent in team.agents):
        try:
            spec = running_spec(instance, agent)
        except OSError:
            spec = {}
        if spec.get("engine") in WITHOUT_MODEL:
            continue
        try:
            keys.key(current_model(instance, agent, spec), agent)
        except NoSecret as error:
            yield agent, str(error)
