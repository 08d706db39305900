"""The health check of a new configuration: a command of the agent's own that decides whether its container counts as running."""

from __future__ import annotations

from hive.agent.container_paths import ContainerPaths
from hive.agent.shell import run
from hive.agent.text import cut

NEW = "HIVE_NEW"
"""The variable that is set where a configuration starts for the first time."""

SECONDS = 20.0
"""How long the check may take: less than the host waits for the first heartbeat."""

LONGEST = 1900
FAILED = "its health check failed: {command}\n{result}"


def trouble(command: str, place: ContainerPaths) -> str:
    """What is wrong, by the agent's health check; empty if nothing is. The check sees what the agent's commands see, and no work tree."""
    try:
        result = run(command, place.state / "home", seconds=SECONDS, sandbox=place.sandbox)
    except OSError as error:
        said = str(error)
    else:
        if result.is_good:
            return ""
        said = str(result)
    shown = FAILED.format(command=command.splitlines()[0][:200], result="").strip()
    return f"{shown}\n{cut(said, LONGEST - len(shown))}"
