"""From where the hive upgrades itself: a repository of a team, whose merged commits it builds and runs. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le

from hive.codec import STRICT, FieldError
from hive.config.yaml_loader import shown

KEY = "upgrade"


@dataclass(frozen=True, slots=True)
class UpgradeSettings:
    """Where the hive upgrades itself from; it does not without a `repository`."""

    repository: str = ""
    """The repository of its own source, `TEAM/NAME`: one of the team's `repos`, whose operators approve by merging."""

    branch: str = "main"
    """The branch that is built; it has to be the repository's default branch."""

    wheels: str = ""
    """Directory with the wheels of `requirements.lock`, an absolute path: a build has no network."""

    minutes: Annotated[int, Ge(1), Le(240)] = 5
    """Minutes in which a new version has to be up before the old one comes back."""

    __pydantic_config__: ClassVar = STRICT


DEFAULT_UPGRADE = UpgradeSettings()


def errors(upgrade: Mapping[str, Any], teams: Mapping[str, Any]) -> Iterator[FieldError]:
    """Everything that is wrong with a section whose pieces have the right shape."""
    repository, wheels = upgrade.get("repository", ""), upgrade.get("wheels", "")
    if repository and isinstance(repository, str):
        team, slash, name = repository.partition("/")
        mine = teams.get(team)
        repos = mine.get("repos") if isinstance(mine, Mapping) else None
        if not slash or not isinstance(repos, list) or name not in repos:
            why = f"should be TEAM/NAME, a repository of a team (it is {shown(repository)})"
            yield FieldError((KEY, "repository"), why)
        if not wheels:
            yield FieldError((KEY,), "should name a directory of `wheels`: a build has no network", at_key=True)
    if isinstance(wheels, str) and wheels and (not wheels.startswith("/") or ".." in wheels.split("/")):
        yield FieldError((KEY, "wheels"), f"should be an absolute path (it is {shown(wheels)})")
    if upgrade.get("branch") == "":
        yield FieldError((KEY, "branch"), "should name a branch")
