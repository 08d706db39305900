"""The keys of models that a host starts with. Logs agents that have none."""

from __future__ import annotations

import logging

from hive.instance import model_keys
from hive.instance.instance import Instance
from hive.instance.model_keys import ModelKeys
from hive.instance.running_agent import keyless, keys_of

log = logging.getLogger("hive.host")


def take_keys(instance: Instance) -> ModelKeys:
    """The keys of models; what is in the environment is taken out of it, where children would inherit it."""
    keys = keys_of(instance)
    for agent, why in keyless(instance, keys):
        log.warning("no_model_key agent=%s why=%r", agent, why)
    model_keys.forget()
    return keys
