"""Executes the calls of tools, after checking them. Nothing else in a reply is interpreted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hive.agent import files
from hive.agent.errors import HostRefused, ToolError
from hive.agent.final_actions import FinalActions
from hive.agent.notes import Notes
from hive.agent.shell import CommandResult
from hive.agent.thread_actions import ThreadActions
from hive.agent.tool_declarations import Property, Tool
from hive.agent.tree_reader import TreeReader

Handler = Callable[..., str]
"""Executes one tool: takes its parameters by keyword, returns the result, raises ToolError or TurnEnded."""


def handlers(
    tree: Path, run: Callable[[str], CommandResult], reader: TreeReader, notes: Notes, actions: FinalActions
) -> dict[str, Handler]:
    """What each tool does; `run` lets a command run in the work tree."""
    words = ThreadActions(actions.turn, actions.broker)
    return {
        "comment": words.comment,
        "update_pr": words.update_pull,
        "config_request": words.request_config,
        "ask": words.ask,
        "not_my_lane": words.bounce,
        "status": words.status,
        "logs": words.logs,
        "run": lambda command: str(run(command)),
        "read": reader.read,
        "search": reader.search,
        "write": lambda path, content: files.write(tree, path, content),
        "edit": lambda path, old, new: files.edit(tree, path, old, new),
        "note": notes.change,
        "progress": lambda done, left: _show(actions, done, left),
        "submit": actions.submit,
        "propose": actions.propose,
        "finish": actions.finish,
    }


def _show(actions: FinalActions, done: Sequence[str], left: Sequence[str]) -> str:
    actions.broker.progress(done, left)
    return "Shown."


class Toolbox:
    """The tools of one turn: those that are offered, and what each one does."""

    def __init__(self, tools: Sequence[Tool], handlers: Mapping[str, Handler]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._handlers = handlers

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that are offered."""
        return tuple(self._tools.values())

    def call(self, name: str, given: Mapping[str, Any]) -> str:
        """The result of a call; raises ToolError with a sentence for the model, or TurnEnded."""
        checked = self._checked(name, given)
        try:
            return self._handlers[name](**checked)
        except (OSError, UnicodeError, HostRefused) as error:
            raise ToolError(f"{name}: {error}") from error

    def takes(self, name: str, given: Mapping[str, Any]) -> bool:
        """Whether there is such a tool, and it takes this."""
        try:
            self._checked(name, given)
        except ToolError:
            return False
        return True

    def _checked(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        tool = self._tools.get(name)
        if tool is None:
            raise ToolError(f"There is no tool {name}; there are {', '.join(self._tools)}.")
        return _checked(tool, given)


def _checked(tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
    """A call's input as its schema wants it: models do err."""
    missing = [name for name in tool.properties if name not in given and name not in tool.optional]
    if missing or given.keys() - tool.properties.keys():
        takes = ", ".join(f"{name} (optional)" if name in tool.optional else name for name in tool.properties)
        raise ToolError(f"{tool.name} takes {takes or 'nothing'}; given were {', '.join(given) or 'none'}.")
    for name, value in given.items():
        if reason := _mistake(value, tool.properties[name]):
            raise ToolError(f"{name} must be {reason}.")
    return dict(given)


def _mistake(value: object, wanted: Property) -> str:
    """What a parameter should be, if it is not."""
    match wanted["type"]:
        case "integer":
            least = int(wanted.get("minimum", 0))
            right = isinstance(value, int) and not isinstance(value, bool) and value >= least
            return "" if right else f"a whole number, {least} or more"
        case "array":
            most = int(wanted["maxItems"])
            right = isinstance(value, list) and len(value) <= most and all(map(_is_text, value))
            return "" if right else f"a list of at most {most} texts"
        case _:
            if not _is_text(value):
                return "a text"
            words = wanted.get("enum")
            return f"one of {', '.join(words)}" if words and value not in words else ""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value
