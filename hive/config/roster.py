"""`roster.yaml` of `hive/meta`: the agents and lanes of each team, changed only by pull requests that operators merge.

Teams, operators and repositories are the host's: they are in `hive.yaml`, and no roster can change them. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import yaml

from hive.codec import STRICT, FieldError
from hive.config.hive_yaml import LaneSettings, Settings
from hive.config.validation import roster_errors
from hive.config.yaml_locations import Document

FILE = "roster.yaml"
HEAD = """\
# Who works here. An agent that a merged pull request adds gets an account, a repository for its configuration, and
# a container once that configuration is merged too; one that it removes loses its container, and keeps its notes.
# Teams, operators and repositories are in `hive.yaml` on the machine of the hive.
"""
WIDTH = 110


@dataclass(frozen=True, slots=True)
class RosterTeam:
    """A team as its roster has it, under the name that `hive.yaml` gives it."""

    agents: tuple[str, ...]
    """Its agents. Each is an account, a container, and a repository with its configuration."""

    lanes: dict[str, LaneSettings]
    """Lanes by name. The first one takes what fits no other."""

    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class Roster:
    """All of `roster.yaml`: one entry for each team on the forge."""

    teams: dict[str, RosterTeam]
    """Teams by the name of their organisation: those of `hive.yaml` on this forge, each of them."""

    __pydantic_config__: ClassVar = STRICT

    @property
    def agents(self) -> dict[str, str]:
        """The team of each agent."""
        return {agent: name for name, team in self.teams.items() for agent in team.agents}

    def applied(self, settings: Settings) -> Settings:
        """The settings with these agents and lanes in the place of those of `hive.yaml`."""
        return replace(settings, teams={**settings.teams, **dict(self._applied(settings))})

    def _applied(self, settings: Settings) -> Iterator[tuple[str, Any]]:
        for name, team in self.teams.items():
            yield name, replace(settings.teams[name], agents=team.agents, lanes=team.lanes)

    def with_agent(self, name: str, team: str, lane: str) -> Roster:
        """The roster with one more agent; a lane that the team has already stays whose it is, an empty one is none."""
        mine = self.teams[team]
        lanes = mine.lanes if not lane or lane in mine.lanes else {**mine.lanes, lane: LaneSettings(name)}
        return Roster({**self.teams, team: RosterTeam((*mine.agents, name), lanes)})


def of_settings(settings: Settings, forge: str) -> Roster:
    """The roster that `hive.yaml` begins with, of the teams on a forge."""
    teams = {name: team for name, team in settings.teams.items() if team.forge == forge}
    return Roster({name: RosterTeam(team.agents, team.lanes) for name, team in teams.items()})


def read_roster(text: str, settings: Settings, forge: str) -> Roster:
    """Read the roster of a forge; raises BadYaml with every mistake, those against `hive.yaml` included."""
    document = Document(FILE, text)
    return document.read(Roster, more=list(_field_errors(document.data, settings, forge)))


def accepted_roster(text: str, settings: Settings, forge: str) -> Roster:
    """A roster that counted already, as far as `hive.yaml` still has its teams; raises BadYaml if they contradict each other.

    A team that `hive.yaml` has gained since is not in it, and keeps the agents that it has there.
    """
    document = Document(FILE, text)
    known = {name for name, team in settings.teams.items() if team.forge == forge}
    roster = document.read(Roster)
    mine = Roster({name: team for name, team in roster.teams.items() if name in known})
    document.read(Roster, more=list(roster_errors(asdict(mine)["teams"], asdict(settings))))
    return mine


def write_roster(roster: Roster) -> str:
    """A roster as text."""
    said = []
    for name, team in roster.teams.items():
        lanes = "".join(f"      {_flow(lane)}: {_flow(_told(wants))}\n" for lane, wants in team.lanes.items())
        said.append(f"  {_flow(name)}:\n    agents: {_flow(list(team.agents))}\n    lanes:\n{lanes}")
    return f"{HEAD}teams:\n{''.join(said)}"


def without(settings: Settings, absent: Collection[str]) -> Settings:
    """The settings without some agents and what is theirs; a team of which nobody would be left keeps all."""
    teams = dict(settings.teams)
    for name, team in settings.teams.items():
        agents = tuple(agent for agent in team.agents if agent not in absent)
        lanes = {lane: wants for lane, wants in team.lanes.items() if wants.agent in agents}
        if lanes:
            teams[name] = replace(team, agents=agents, lanes=lanes)
    return replace(settings, teams=teams)


def _told(wants: LaneSettings) -> dict[str, Any]:
    """What a lane says beside the defaults."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(wants).items() if value}


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _field_errors(data: Any, settings: Settings, forge: str) -> Iterator[FieldError]:
    """What is wrong with a roster beside its shape."""
    found = data.get("teams") if isinstance(data, Mapping) else None
    mine = {name: team for name, team in settings.teams.items() if team.forge == forge}
    if not isinstance(found, Mapping):
        return
    for name in found.keys() - mine.keys():
        yield FieldError(("teams", name), f"hive.yaml has no such team on {forge}: teams are the host's", at_key=True)
    for name in mine.keys() - found.keys():
        yield FieldError(("teams",), f"should name every team on {forge}; {name} is missing", at_key=True)
    yield from roster_errors({name: team for name, team in found.items() if name in mine}, asdict(settings))
