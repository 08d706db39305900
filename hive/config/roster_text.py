"""Edits the text of a roster and leaves the rest as people wrote it, comments and order included. Performs no I/O."""

from __future__ import annotations

import yaml

from hive.config.roster import FILE, Roster, write_roster
from hive.config.yaml_edits import appended, value_of
from hive.config.yaml_locations import BadYaml, Document


def parse_roster(text: str) -> Roster:
    """A roster by its shape alone, however it fits to `hive.yaml`; raises BadYaml."""
    return Document(FILE, text).read(Roster)


def add_agent(text: str, agent: str, team: str, lane: str) -> str:
    """The text with one more agent, and with a lane of its own unless the team has that lane; an empty one adds none.

    Raises BadYaml for a text that is no roster, KeyError for a team that is not in it. A text that is written in a way
    that cannot be edited in place is written again, without its comments.
    """
    wanted = parse_roster(text).with_agent(agent, team, lane)
    edited = _edited(text, agent, team, lane)
    try:
        if parse_roster(edited) == wanted:
            return edited
    except BadYaml:
        pass
    return write_roster(wanted)


def _edited(text: str, agent: str, team: str, lane: str) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    mine = value_of(value_of(root, "teams"), team)
    agents, lanes = value_of(mine, "agents"), value_of(mine, "lanes")
    edits = []
    if isinstance(agents, yaml.SequenceNode):
        edits.append(appended(text, agents, agent))
    if isinstance(lanes, yaml.MappingNode) and lane and value_of(lanes, lane) is None:
        edits.append(appended(text, lanes, f"{lane}: {{agent: {agent}}}"))
    for at, words in sorted(edits, reverse=True):
        text = text[:at] + words + text[at:]
    return text
