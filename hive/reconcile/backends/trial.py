"""Tries whether a kind of container works here: one is started whose harness only checks how it is confined."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hive.agent.enter import INSIDE
from hive.agent.sandbox import python
from hive.reconcile.backends.surroundings import AGENTS_UMASK
from hive.reconcile.build import interpreter

SECONDS = 60.0
"""How long a trial may take."""


def problem_of(
    container: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    seconds: float = SECONDS,
    noise: str = "",
    runs_on: str = "",
) -> str:
    """Why a container does not work; empty if it does.

    `container` is its command without the harness, `env` that of the command itself. A line of its error stream that holds
    `noise` is not the reason. `runs_on` is its Python, if that is not this host's.
    """
    check = python("hive.agent.sandbox_check", interpreter=runs_on or interpreter(), source=Path(INSIDE))
    try:
        done = subprocess.run(
            [*container, *check],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**(env or {})},
            umask=AGENTS_UMASK,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = [line for line in done.stderr.strip().splitlines() if not noise or noise not in line]
    return (said or [f"it ended with {done.returncode}"])[-1]
