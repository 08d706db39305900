"""Adds a suppression to the text of a `.hive.yaml`, and leaves the rest as people wrote it. Performs no I/O."""

from __future__ import annotations

import json
from dataclasses import replace

import yaml

from hive.config.agent_yaml import read_repository
from hive.config.review_settings import SuppressionSettings
from hive.config.yaml_edits import appended, value_of
from hive.config.yaml_locations import BadYaml


class NotEditable(ValueError):
    """The file is written in a way that cannot be edited in place."""


def add_suppression(text: str, item: SuppressionSettings) -> str:
    """The text with one more suppression; raises BadYaml for a file that is broken, and NotEditable."""
    before = read_repository(text)
    wanted = replace(before, review=replace(before.review, suppress=(*before.review.suppress, item)))
    try:
        edited = _edited(text, item)
        if read_repository(edited) == wanted:
            return edited
    except (BadYaml, yaml.YAMLError):
        pass
    raise NotEditable("`review.suppress` is written in a way that cannot be edited in place")


def _edited(text: str, item: SuppressionSettings) -> str:
    entry = _entry(item)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    review = value_of(root, "review")
    listed = value_of(review, "suppress")
    if isinstance(listed, yaml.SequenceNode):
        at, words = appended(text, listed, entry)
    elif isinstance(review, yaml.MappingNode) and review.flow_style:
        at, words = appended(text, review, f"suppress: [{entry}]")
    elif isinstance(review, yaml.MappingNode) and review.value:
        indent = " " * review.value[0][0].start_mark.column
        at, words = appended(text, review, f"suppress:\n{indent}  - {entry}")
    else:
        at, words = len(text.rstrip("\n")), f"{chr(10) if text.strip() else ''}review:\n  suppress:\n    - {entry}\n"
        return (text[:at] + words).lstrip("\n")
    return text[:at] + words + text[at:]


def _entry(item: SuppressionSettings) -> str:
    """One line; what JSON quotes, YAML reads."""
    parts = (
        f"rule: {_quoted(item.rule)}",
        f"paths: [{', '.join(map(_quoted, item.paths))}]",
        f"why: {_quoted(item.why)}",
    )
    return f"{{{', '.join(parts)}}}"


def _quoted(text: str) -> str:
    return json.dumps(text)
