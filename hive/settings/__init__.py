"""What the operator decided, frozen: read from YAML, every mistake with its line, and passed on by `app` alone."""

from hive.settings.agent import read_agent, read_checks
from hive.settings.house import (
    EMBEDDED,
    ForgeSettings,
    Limits,
    ModelSettings,
    Settings,
    TeamSettings,
    WebSettings,
    load,
)
from hive.settings.marks import BadYaml, Problem

__all__ = [
    "EMBEDDED",
    "BadYaml",
    "ForgeSettings",
    "Limits",
    "ModelSettings",
    "Problem",
    "Settings",
    "TeamSettings",
    "WebSettings",
    "load",
    "read_agent",
    "read_checks",
]
