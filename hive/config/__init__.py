"""What the operator decided, frozen: read from YAML, every mistake with its line, and passed on by `app` alone."""

from hive.config.agent_yaml import EVERYDAY, RepositoryFile, read_agent, read_checks, read_repository
from hive.config.hive_yaml import (
    EMBEDDED,
    PACKAGES_PATH,
    ForgeSettings,
    Keep,
    Settings,
    TeamSettings,
    WebSettings,
    load,
)
from hive.config.limits import Limits
from hive.config.models import ModelAddress, ModelSettings, ProviderSettings
from hive.config.name_claims import DEFAULT_ACCOUNTS
from hive.config.review_settings import joined, policy_of, prose_of, read_guide
from hive.config.reviewer import ReviewerSettings
from hive.config.yaml_locations import BadYaml, Problem, likeliest, nearest

__all__ = [
    "DEFAULT_ACCOUNTS",
    "EMBEDDED",
    "EVERYDAY",
    "PACKAGES_PATH",
    "BadYaml",
    "ForgeSettings",
    "Keep",
    "Limits",
    "ModelAddress",
    "ModelSettings",
    "Problem",
    "ProviderSettings",
    "RepositoryFile",
    "ReviewerSettings",
    "Settings",
    "TeamSettings",
    "WebSettings",
    "joined",
    "likeliest",
    "load",
    "nearest",
    "policy_of",
    "prose_of",
    "read_agent",
    "read_checks",
    "read_guide",
    "read_repository",
]
