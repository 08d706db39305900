"""The tools that an engine is offered: their names, what they are for, and what they take. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Property = Mapping[str, Any]
"""A JSON schema of one parameter: `{"type": "string", "description": …}`."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool; an agent without its `capability` is not offered it."""

    name: str
    description: str
    properties: Mapping[str, Property] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    """Parameters that a call may leave out; all others are required."""

    capability: str = ""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its input."""
        return {
            "type": "object",
            "properties": {name: dict(prop) for name, prop in self.properties.items()},
            "required": [name for name in self.properties if name not in self.optional],
            "additionalProperties": False,
        }

    @property
    def offer(self) -> dict[str, Any]:
        """The tool in the form of the Messages API."""
        return {"name": self.name, "description": self.description, "input_schema": self.schema}


def text(description: str) -> Property:
    """A parameter that is a text."""
    return {"type": "string", "description": description}


def number(description: str, *, least: int = 1) -> Property:
    """A parameter that is a whole number, `least` or more."""
    return {"type": "integer", "minimum": least, "description": description}


def texts(description: str, *, most: int = 10) -> Property:
    """A parameter that is a list of texts."""
    return {"type": "array", "items": {"type": "string"}, "maxItems": most, "description": description}


def one_of(*words: str) -> Property:
    """A parameter that is one of some words."""
    return {"type": "string", "enum": list(words)}


WORK_TREE = "Relative to the top folder of the work tree."

RUN = Tool(
    "run",
    "Run a shell command in the work tree. Each command starts afresh in the top folder, without input; "
    "what it leaves running is stopped. Long output is cut in the middle, and all of it is kept in a file then that "
    "`read` and `search` open.",
    {"command": text("The command, for sh -c.")},
)
READ = Tool(
    "read",
    "Read a text file of the work tree, page by page, with line numbers; look at a picture; or list a folder.",
    {
        "path": text(f"{WORK_TREE} `.` is that folder itself."),
        "line": number("The first line; 1 if left out."),
        "lines": number("How many lines; 400 if left out."),
    },
    optional=frozenset({"line", "lines"}),
)
SEARCH = Tool(
    "search",
    "Find lines in the files of the work tree that git does not ignore. Give a pattern or a text.",
    {
        "pattern": text("A regular expression of Python, for one line."),
        "text": text("Words exactly as they stand there."),
        "path": text("A file or folder to search in; the whole work tree if left out."),
        "files": text("Which files, by a pattern such as `*.py` or `src/*/test_*`."),
    },
    optional=frozenset({"pattern", "text", "path", "files"}),
)
WRITE = Tool(
    "write",
    "Write a text file of the work tree; an existing one is replaced.",
    {"path": text(WORK_TREE), "content": text("The whole content.")},
)
EDIT = Tool(
    "edit",
    "Replace a piece of text in a file of the work tree.",
    {
        "path": text(WORK_TREE),
        "old": text("The text to replace, exactly as it stands there; it must stand there exactly once."),
        "new": text("The text to put in its place."),
    },
)
NOTE = Tool(
    "note",
    "Keep something for your later work, on other issues too: you are shown your notes when a run begins. There is room "
    "for 8000 characters.",
    {
        "text": text("What to add to your notes, or to put in the place of something."),
        "instead_of": text("What it replaces in your notes, exactly as it stands there; left out, it is added."),
    },
    optional=frozenset({"instead_of"}),
)
PROGRESS = Tool(
    "progress",
    "Show the people who wait how far you are: they see your checklist on the thread. Use it when a step of longer work is "
    "done. At most 10 items together, each one short line.",
    {"done": texts("What is done."), "left": texts("What is left to do, in order.")},
)
SUBMIT = Tool(
    "submit",
    "Commit everything, bring it onto what others pushed, run the project's checks on a clean copy of the commit, push it and "
    "open the pull request, or bring it up to date. If a check fails you are shown its output and nothing is submitted. "
    "Ends your turn.",
    {
        "title": text("One line: what the change does."),
        "summary": text("What was changed and why, in Markdown, for the people who review it."),
        "evidence": texts(
            "For each acceptance criterion of the issue (the items of its task list, or of its list of criteria) how it is "
            "shown that it holds: a test, a command and its result. Begin with its number: `2: …`. Leave out what you did "
            "not show.",
            most=20,
        ),
        "not_done": text("What you were asked for and did not do, and why, in Markdown; left out if there is nothing."),
    },
    optional=frozenset({"evidence", "not_done"}),
    capability="open_pr",
)
PROPOSE = Tool(
    "propose",
    "Propose a change of your own configuration: one file of your configuration repository, for an operator "
    "to merge. Ends your turn.",
    {
        "path": text("Relative to the top folder of the configuration repository."),
        "content": text("The file's whole new content."),
        "title": text("One line: what the change does."),
        "why": text("What you need it for."),
    },
    capability="config_request",
)
FINISH = Tool(
    "finish",
    "End your turn with words only: an answer, what keeps you from going on, or why nothing needs to be changed (no-op).",
    {"outcome": one_of("answered", "blocked", "no-op"), "message": text("What is said on the thread, in Markdown.")},
)

COMMENT = Tool(
    "comment",
    "Say something on the thread while you work: what you found, or where you stand. People read it; say little. "
    "Your turn goes on.",
    {"body": text("What is said, in Markdown.")},
    capability="comment",
)
ASK = Tool(
    "ask",
    "Ask people what you cannot find out yourself and cannot go on without: a decision, a fact, a right. Ends your turn. The answer "
    "is the message of your next turn; [expired] if nobody answered in time: then go on without, or say what is missing.",
    {
        "question": text("One question, with all that is needed to answer it."),
        "options": texts("Answers to choose from, two or more; people may always answer in words of their own."),
        "hours": number("How long to wait for an answer; 72 if you do not say."),
        "to": one_of("operator", "author"),
    },
    frozenset({"options", "hours", "to"}),
    capability="ask",
)
NOT_MY_LANE = Tool(
    "not_my_lane",
    "Give the issue of this run back, because it belongs to another agent's lane. Ends your turn and your work on it: it goes to the "
    "agent that you name, or to that of the next lane; if it was given back before, an operator decides. Not for what is hard, "
    "unclear or cannot be done: say so, or ask.",
    {
        "why": text("What it is about, and what makes it another lane's. People and the next agent read it."),
        "owner": text("The name of the agent whose it is; left out if you do not know."),
    },
    frozenset({"owner"}),
    capability="comment",
)
UPDATE_PR = Tool(
    "update_pr",
    "Change the title or the description of your pull request. Your turn goes on.",
    {"title": text("One line: what the change does."), "body": text("The whole new description, in Markdown.")},
    frozenset({"title", "body"}),
    capability="update_pr",
)
STATUS = Tool(
    "status",
    "See how your work stands on the forge: your open runs, your pull request with its checks and reviews, and how "
    "often you have used which of these tools.",
    capability="status",
)
LOGS = Tool(
    "logs",
    "Read the last lines of your container's log.",
    {
        "lines": number("How many, 500 at most; 50 if you do not say."),
        "agent": text("Another agent of your team, if you may read the logs of others."),
    },
    frozenset({"lines", "agent"}),
    capability="status",
)
CONFIG_REQUEST = Tool(
    "config_request",
    "Ask the operators in words for a change of your configuration that you cannot write yourself; what you can write, "
    "propose. Files an issue. Your turn goes on.",
    {
        "title": text("One line: what you need."),
        "what": text("What should be changed, as exactly as you can say it."),
        "why": text("What you need it for, and what you tried without it."),
    },
    capability="config_request",
)

WORK_TOOLS = (RUN, READ, SEARCH, WRITE, EDIT)
"""Tools that look at the work tree and change it: an engine that brings its own is not offered these."""

HIVE_TOOLS = (
    PROGRESS,
    NOTE,
    COMMENT,
    ASK,
    NOT_MY_LANE,
    STATUS,
    LOGS,
    UPDATE_PR,
    CONFIG_REQUEST,
    SUBMIT,
    PROPOSE,
    FINISH,
)
"""Tools that reach beyond the work tree: every engine is offered these, as plain tools or by MCP."""


def offered(tools: Iterable[Tool], capabilities: Iterable[str]) -> tuple[Tool, ...]:
    """Those of some tools that an agent with these capabilities has."""
    held = frozenset(capabilities)
    return tuple(tool for tool in tools if not tool.capability or tool.capability in held)
