"""Plans the steps from the actual to the desired state. Pure: no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hive.ledger import DeploymentState, Generation


@dataclass(frozen=True, slots=True)
class Build:
    """Make an artifact."""

    STATE: ClassVar[DeploymentState] = DeploymentState.BUILD
    sha: Generation


@dataclass(frozen=True, slots=True)
class Switch:
    """Make an artifact the one that the container starts from."""

    STATE: ClassVar[DeploymentState] = DeploymentState.SWITCH
    sha: Generation


@dataclass(frozen=True, slots=True)
class Activate:
    """Start the container from what it points to, in place of the one that runs."""

    STATE: ClassVar[DeploymentState] = DeploymentState.ACTIVATE
    sha: Generation


@dataclass(frozen=True, slots=True)
class Probe:
    """Wait for the container's heartbeat."""

    STATE: ClassVar[DeploymentState] = DeploymentState.PROBE
    sha: Generation


Step = Build | Switch | Activate | Probe


@dataclass(frozen=True, slots=True)
class Actual:
    """What is: the artifacts that exist, the one pointed to, the one that runs, the one that answered."""

    built: frozenset[str] = frozenset()
    pointed: str = ""
    running: str = ""
    answered: str = ""


def plan(wanted: Generation, actual: Actual) -> list[Step]:
    """The steps to a running container of the wanted artifact; none if it runs and has answered."""
    steps: list[Step] = []
    if wanted not in actual.built:
        steps.append(Build(wanted))
    if actual.pointed != wanted:
        steps.append(Switch(wanted))
    if actual.running != wanted:
        steps.append(Activate(wanted))
    if steps or actual.answered != wanted:
        steps.append(Probe(wanted))
    return steps
