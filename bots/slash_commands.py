"""Orders: what a comment commands, told apart from text, code and quotes. Performs no I/O.

A line is an order if it begins with `/word` at its very start and a reader sees it as text of the
comment's author: Markdown decides, as forges show comments by it. What is in doubt is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise, takewhile

from markdown_it import MarkdownIt
from markdown_it.token import Token

from forge import dedup_keys
from forge.models import Comment


class ThreadKind(StrEnum):
    """On what kind of thread something is said."""

    ISSUE = "issue"
    PULL = "pull request"
    CONFIG = "pull request on a configuration"


EVERYWHERE = frozenset(ThreadKind)
AT_WORK = frozenset({ThreadKind.ISSUE, ThreadKind.PULL})


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command. `least` and `most` bound the number of words after it; `most` 0 is none, -1 any.

    `on` are the threads on which it can work; `agents` may say it too.
    """

    name: str
    usage: str
    what: str
    least: int = 0
    most: int = 0
    on: frozenset[ThreadKind] = EVERYWHERE
    agents: bool = False

    @property
    def form(self) -> str:
        """How it is written."""
        return f"/{self.name} {self.usage}".strip()

    def takes(self, words: tuple[str, ...]) -> bool:
        """Whether these words can follow."""
        return self.least <= len(words) and (self.most < 0 or len(words) <= self.most)


COMMANDS = (
    CommandSpec("status", "", "say how the run of this thread stands"),
    CommandSpec("cancel", "", "end the run of this thread and take its agent off the issue", on=AT_WORK),
    CommandSpec("retry", "", "end the run of this thread, if it is open, and begin anew", on=AT_WORK),
    CommandSpec("start", "[agent]", "start a run on this issue, if none is open", most=1, on=AT_WORK),
    CommandSpec("stop", "[agent]", "end the run of this thread and take its agent off the issue", most=1, on=AT_WORK),
    CommandSpec(
        "deny",
        "why",
        "close this pull request unmerged, and tell its agent why",
        least=1,
        most=-1,
        on=frozenset({ThreadKind.CONFIG}),
    ),
    CommandSpec(
        "review",
        "[full]",
        "look at this pull request's head again, all of it",
        most=1,
        on=frozenset({ThreadKind.PULL, ThreadKind.CONFIG}),
    ),
    CommandSpec("rebuild", "[agent]", "let the host look at an agent's merged configuration now", most=1),
    CommandSpec(
        "not-my-lane",
        "[owner]",
        "give this issue to another agent; the second time an agent says so, to the operators",
        most=1,
        on=AT_WORK,
        agents=True,
    ),
    CommandSpec("pause", "[agent]", "let an agent's work rest", most=1),
    CommandSpec("resume", "[agent]", "let an agent's work go on", most=1),
    CommandSpec("restart", "[agent]", "stop and start an agent's container", most=1),
    CommandSpec(
        "model",
        "X",
        "let this run's agent think with another model from its next turn on",
        least=1,
        most=1,
        on=AT_WORK,
    ),
    CommandSpec("compact", "", "go on with this run and the gist of its transcript", on=AT_WORK),
    CommandSpec("new-session", "", "go on with this run without its transcript", on=AT_WORK),
    CommandSpec("answer", "…", "answer the agent of this run", least=1, most=-1, on=AT_WORK),
    CommandSpec("help", "", "say what can be said here"),
)
"""All commands."""

KNOWN = {command.name: command for command in COMMANDS}

_LINE_END = re.compile(r"\r\n|\r|\n")
_ORDER = re.compile(r"/(?P<name>[a-z][a-z-]{0,30})(?:[ \t]+(?P<words>.*))?")
_MARK = "\ue000"
"""Put before what may be an order: Markdown sees a letter, and the parsed text still tells the line."""
_MARKED = re.compile(_MARK + r"(?P<line>\d+)" + _MARK)
_HTML_COMMENT = re.compile(r"\s*(?:<!--(?:(?!-->).)*-->\s*)*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """One order as it was written; `command` is None for a lone `/word` that nobody knows."""

    name: str
    words: tuple[str, ...] = ()
    command: CommandSpec | None = None


def is_altered(comment: Comment, digest: str = "") -> bool:
    """Whether a comment has, or may have, another text than it was posted with, which `digest` stands for if known."""
    return comment.updated_at != comment.created_at or digest not in {"", dedup_keys.digest(comment.body)}


def slash_commands(body: str) -> tuple[SlashCommand, ...]:
    """The orders in a comment, in their order. Never raises."""
    return tuple(_found(body).values())


def spoken(body: str) -> str:
    """What a comment says beside its orders, which are not for the agent; empty if it says nothing else."""
    found = _found(body)
    if not found:
        return body
    lines = _LINE_END.split(body)
    return "\n".join(line for number, line in enumerate(lines) if number not in found).strip()


def _found(body: str) -> dict[int, SlashCommand]:
    """The orders in a comment by the number of their line."""
    lines = _LINE_END.split(body.replace(_MARK, " "))
    read = {number: order for number, line in enumerate(lines) if (order := _order(line.rstrip())) is not None}
    if not read:
        return {}
    marked = (f"{_MARK}{number}{_MARK}{line}" if number in read else line for number, line in enumerate(lines))
    seen = _seen(MarkdownIt("commonmark").parse("\n".join(marked)))
    return {number: order for number, order in read.items() if number in seen}


def _order(line: str) -> SlashCommand | None:
    match = _ORDER.fullmatch(line)
    if match is None:
        return None
    command = KNOWN.get(match["name"])
    words = tuple((match["words"] or "").split())
    # `/usr is full` is no order, and neither is `/etc/passwd`.
    return None if command is None and words else SlashCommand(match["name"], words, command)


def _seen(tokens: list[Token]) -> set[int]:
    """The marked lines that stand in paragraphs of the comment itself, and not below HTML, which may hide or quote."""
    html = (at for at, token in enumerate(tokens) if token.type == "html_block")
    end = next((at for at in html if not _HTML_COMMENT.fullmatch(tokens[at].content)), len(tokens))
    paragraphs = (
        text for opened, text in pairwise(tokens[:end]) if opened.type == "paragraph_open" and not opened.level
    )
    return {line for paragraph in paragraphs for line in _marked(paragraph.children or [])}


def _marked(children: list[Token]) -> Iterator[int]:
    """The marked lines of a paragraph that are text of its own, not of a link or a code span."""
    if any(child.type == "html_inline" for child in children):
        return
    for at, child in enumerate(children):
        if child.type == "text" and child.level == 0 and (match := _MARKED.match(child.content)):
            rest = takewhile(lambda other: other.type not in {"softbreak", "hardbreak"}, children[at:])
            if not any(other.type == "code_inline" for other in rest):  # code may begin here and end on another line
                yield int(match["line"])
