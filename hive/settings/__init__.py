"""What the operator decided, frozen: read from YAML, every mistake with its line, and passed on by `app` alone."""

from hive.settings.agent import read_agent, read_checks
from hive.settings.house import (
    EMBEDDED,
    PACKAGES_PATH,
    ForgeSettings,
    Keep,
    Limits,
    ModelSettings,
    Settings,
    TeamSettings,
    WebSettings,
    load,
)
from hive.settings.marks import BadYaml, Problem, likeliest, nearest
from hive.settings.sense import DEFAULT_ACCOUNTS

__all__ = [
    "DEFAULT_ACCOUNTS",
    "EMBEDDED",
    "PACKAGES_PATH",
    "BadYaml",
    "ForgeSettings",
    "Keep",
    "Limits",
    "ModelSettings",
    "Problem",
    "Settings",
    "TeamSettings",
    "WebSettings",
    "likeliest",
    "load",
    "nearest",
    "read_agent",
    "read_checks",
]
