"""Edits YAML in place: where an entry goes in a list or a mapping, whatever style it is written in. Performs no I/O."""

from __future__ import annotations

import yaml


def value_of(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of a key of a mapping; None if there is none, or this is no mapping."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def appended(text: str, node: yaml.CollectionNode, entry: str) -> tuple[int, str]:
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
