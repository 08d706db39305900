"""The environment of every git that the hive runs: our own settings, nothing of the system or the user. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

ISOLATED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
"""No configuration or attributes from elsewhere, no replaced objects, no prompt, messages in English."""


def settings(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Settings for one git as variables (git-config(1)): no process list shows them, and no file keeps them."""
    found = list(pairs)
    env = {"GIT_CONFIG_COUNT": str(len(found))}
    for number, (key, value) in enumerate(found):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env
