"""Modules and schemas to import before processes are forked. Reads and opens nothing.

`hive up` imports this once and forks its processes from there; see `hive.supervisor.fork_server`.
"""

from __future__ import annotations

import importlib
from typing import Any

import hive.app.host
import hive.app.web
import hive.app.work  # noqa: F401
from forge.events import EVENTS
from hive.codec import Codec
from hive.config.hive_yaml import DEFAULT_BOTS, Settings
from hive.outbox.actions import ACTIONS

for module in DEFAULT_BOTS:
    importlib.import_module(module)
KINDS: tuple[type[Any], ...] = (Settings, *EVENTS.values(), *ACTIONS.values())
for kind in KINDS:
    Codec(kind)
