"""The tools that the model is offered, and what their calls do. Nothing else in a reply is interpreted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hive.agent import files
from hive.agent.errors import HostRefused, ToolError
from hive.agent.final_actions import FinalActions
from hive.agent.shell import CommandResult


def _tool(name: str, description: str, **properties: str | list[str]) -> dict[str, Any]:
    """A tool whose properties are strings, each described by a sentence or its allowed values."""
    told = {
        key: {"type": "string"} | ({"enum": value} if isinstance(value, list) else {"description": value})
        for key, value in properties.items()
    }
    schema = {"type": "object", "properties": told, "required": list(told), "additionalProperties": False}
    return {"name": name, "description": description, "input_schema": schema}


TOOLS = (
    _tool(
        "run",
        "Run a shell command in the work tree. Each command starts afresh in the top folder, without input; "
        "what it leaves running is stopped. Long output is cut in the middle.",
        command="The command, for sh -c.",
    ),
    _tool(
        "write",
        "Write a text file of the work tree; an existing one is replaced.",
        path="Relative to the top folder of the work tree.",
        content="The whole content.",
    ),
    _tool(
        "edit",
        "Replace a piece of text in a file of the work tree.",
        path="Relative to the top folder of the work tree.",
        old="The text to replace, exactly as it stands there; it must stand there exactly once.",
        new="The text to put in its place.",
    ),
    _tool(
        "submit",
        "Run the project's checks, commit everything, push it and open the pull request, or bring it up to date. "
        "If a check fails you are shown its output and nothing is submitted. Ends your turn.",
        title="One line: what the change does.",
        summary="What was changed and why, in Markdown, for the people who review it.",
    ),
    _tool(
        "propose",
        "Propose a change of your own configuration: one file of your configuration repository, for an operator "
        "to merge. Ends your turn.",
        path="Relative to the top folder of the configuration repository.",
        content="The file's whole new content.",
        title="One line: what the change does.",
        why="What you need it for.",
    ),
    _tool(
        "finish",
        "End your turn with words only: an answer, or what keeps you from going on.",
        outcome=["answered", "blocked"],
        message="What is said on the thread, in Markdown.",
    ),
)


class Toolbox:
    """The tools of one turn; `run` lets a command run in the work tree."""

    def __init__(self, tree: Path, run: Callable[[str], CommandResult], actions: FinalActions) -> None:
        self._tree = tree
        self._run = run
        self._actions = actions

    def call(self, name: str, given: dict[str, Any]) -> str:
        """The result of a call; raises ToolError with a sentence for the model, or TurnEnded."""
        try:
            return self._call(name, _checked(name, given))
        except (OSError, UnicodeError, HostRefused) as error:
            raise ToolError(f"{name}: {error}") from error

    def _call(self, name: str, given: dict[str, str]) -> str:
        match name:
            case "run":
                return str(self._run(given["command"]))
            case "write":
                return files.write(self._tree, **given)
            case "edit":
                return files.edit(self._tree, **given)
            case "submit":
                return self._actions.submit(**given)
            case "propose":
                return self._actions.propose(**given)
            case _:
                return self._actions.finish(**given)


def _checked(name: str, given: dict[str, Any]) -> dict[str, str]:
    """A call's input as its schema wants it: models do err."""
    properties = next((tool["input_schema"]["properties"] for tool in TOOLS if tool["name"] == name), None)
    if properties is None:
        raise ToolError(f"There is no tool {name}; there are {', '.join(tool['name'] for tool in TOOLS)}.")
    if given.keys() != properties.keys():
        raise ToolError(f"{name} takes {', '.join(properties)}; given were {', '.join(given) or 'none'}.")
    for key, value in given.items():
        if not isinstance(value, str) or "\0" in value:
            raise ToolError(f"{key} must be a text.")
        if value not in properties[key].get("enum", [value]):
            raise ToolError(f"{key} must be one of {', '.join(properties[key]['enum'])}.")
    return given
