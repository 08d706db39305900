"""Edits the text of a roster and leaves the rest as people wrote it, comments and order included. Performs no I/O."""

from __future__ import annotations

import yaml

from hive.config.roster import FILE, Roster, write_roster
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
    mine = _value(_value(root, "teams"), team)
    agents, lanes = _value(mine, "agents"), _value(mine, "lanes")
    edits = []
    if isinstance(agents, yaml.SequenceNode):
        edits.append(_appended(text, agents, agent))
    if isinstance(lanes, yaml.MappingNode) and lane and _value(lanes, lane) is None:
        edits.append(_appended(text, lanes, f"{lane}: {{agent: {agent}}}"))
    for at, words in sorted(edits, reverse=True):
        text = text[:at] + words + text[at:]
    return text


def _appended(text: str, node: yaml.CollectionNode, entry: str) -> tuple[int, str]:
    """Where to put one more entry of a list or mapping, and the characters for it."""
    if not node.value:
        return node.end_mark.index - 1, entry if node.flow_style else ""
    first, last = node.value[0], node.value[-1]
    end = (last[1] if isinstance(last, tuple) else last).end_mark.index
    if node.flow_style:
        return end, f", {entry}"
    column = (first[0].start_mark if isinstance(first, tuple) else node.start_mark).column
    mark = entry if isinstance(node, yaml.MappingNode) else f"- {entry}"
    # The end of a block is where the next thing begins: what is added stands below the last line of the block itself.
    line_end = text.find("\n", len(text[:end].rstrip()))
    return (line_end if line_end >= 0 else len(text)), f"\n{' ' * column}{mark}"


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)
