"""Slash commands in comments, told apart from text, code and quotes. Performs no I/O.

A line is a command if it starts with `/word` and is rendered as the author's own text: Markdown decides, since forges
render comments by it. In doubt it is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise, takewhile

from markdown_it import MarkdownIt
from markdown_it.token import Token

from forge import event_keys
from forge.models import Comment


class ThreadKind(StrEnum):
    """The kind of thread of a comment."""

    ISSUE = "issue"
    PULL = "pull request"
    CONFIG = "pull request on a configuration"
    OWN = "thread of the hive itself"


EVERYWHERE = frozenset(ThreadKind)
AT_WORK = frozenset({ThreadKind.ISSUE, ThreadKind.PULL})
PULLS = frozenset({ThreadKind.PULL, ThreadKind.CONFIG})


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command. `least` and `most` limit the number of its arguments; -1 as `most` is any number.

    `on` are the kinds of threads where it works; `agents` is whether agents may use it too.
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
        """Its usage."""
        return f"/{self.name} {self.usage}".strip()

    def takes(self, words: tuple[str, ...]) -> bool:
        """Whether these can be its arguments."""
        return self.least <= len(words) and (self.most < 0 or len(words) <= self.most)


COMMANDS = (
    CommandSpec("status", "", "show the state of this thread's run"),
    CommandSpec("cancel", "", "end this thread's run and unassign its agent", on=AT_WORK),
    CommandSpec(
        "retry",
        "",
        "end this thread's run, if it is open, and start over; on a configuration, the base of all, or a change of the hive itself, deploy what failed again",
    ),
    CommandSpec("start", "[agent]", "start a run on this issue, if none is open", most=1, on=AT_WORK),
    CommandSpec("stop", "[agent]", "end this thread's run and unassign its agent", most=1, on=AT_WORK),
    CommandSpec(
        "deny",
        "why",
        "close this pull request unmerged, and give its agent the reason",
        least=1,
        most=-1,
        on=frozenset({ThreadKind.CONFIG}),
    ),
    CommandSpec(
        "review",
        "[full]",
        "review this pull request's head again; `full` says all of it, and checks again what earlier rounds remember",
        most=1,
        on=PULLS,
    ),
    CommandSpec(
        "dismiss",
        "number why",
        "dismiss a finding of this pull request's review, until its code changes",
        least=2,
        most=-1,
        on=PULLS,
    ),
    CommandSpec("explain", "number", "tell more of a finding of this pull request's review", least=1, most=1, on=PULLS),
    CommandSpec(
        "fix",
        "number …",
        "have this pull request's agent fix findings of its review",
        least=1,
        most=20,
        on=frozenset({ThreadKind.PULL}),
    ),
    CommandSpec(
        "rollback",
        "[why]",
        "propose to undo the merged change of a configuration, in a pull request",
        most=-1,
        on=frozenset({ThreadKind.CONFIG}),
    ),
    CommandSpec(
        "deploy",
        "[now]",
        "deploy what was merged here and waits for the end of a freeze window: a configuration, the base of all, or a change of the hive itself",
        most=1,
        on=frozenset({ThreadKind.CONFIG, ThreadKind.PULL, ThreadKind.OWN}),
    ),
    CommandSpec(
        "suspend",
        "[why]",
        "let merged changes of this configuration wait; what runs goes on",
        most=-1,
        on=frozenset({ThreadKind.CONFIG}),
    ),
    CommandSpec("plan", "", "plan this change again", on=frozenset({ThreadKind.CONFIG})),
    CommandSpec("rebuild", "[agent]", "let the host check an agent's merged configuration now", most=1),
    CommandSpec(
        "not-my-lane",
        "[owner]",
        "reassign this issue to another agent; the second time an agent does so, to the operators",
        most=1,
        on=AT_WORK,
        agents=True,
    ),
    CommandSpec("pause", "[agent]", "suspend an agent", most=1),
    CommandSpec(
        "resume", "[agent]", "resume a paused agent; on a configuration, deploy its merged changes again", most=1
    ),
    CommandSpec("restart", "[agent]", "restart an agent's container", most=1),
    CommandSpec(
        "model",
        "[X]",
        "choose another model for this run's agent, from its next turn on; without X, list those it may use",
        most=1,
        on=AT_WORK,
    ),
    CommandSpec("compact", "", "continue this run with a compacted transcript", on=AT_WORK),
    CommandSpec("new-session", "", "continue this run with an empty transcript", on=AT_WORK),
    CommandSpec("answer", "…", "answer the agent of this run", least=1, most=-1, on=AT_WORK),
    CommandSpec("budget", "[+dollars]", "show what this thread has cost, or add to its budget", most=1, on=AT_WORK),
    CommandSpec(
        "revive", "agent", "propose that a destroyed agent returns", least=1, most=1, on=frozenset({ThreadKind.OWN})
    ),
    CommandSpec(
        "purge",
        "agent confirm",
        "delete the notes and credentials of a destroyed agent; it takes two such comments",
        least=1,
        most=2,
        on=frozenset({ThreadKind.OWN}),
    ),
    CommandSpec("help", "", "list the commands that work here"),
)
"""All commands."""

KNOWN = {command.name: command for command in COMMANDS}

_LINE_END = re.compile(r"\r\n|\r|\n")
_COMMAND = re.compile(r"/(?P<name>[a-z][a-z-]{0,30})(?:[ \t]+(?P<words>.*))?")
_MARK = "\ue000"
"""Put before what may be a command: Markdown takes it for a letter, and the parsed text still has the line number."""
_MARKED = re.compile(_MARK + r"(?P<line>\d+)" + _MARK)
_HTML_COMMENT = re.compile(r"\s*(?:<!--(?:(?!-->).)*-->\s*)*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command as it was written; `spec` is None for a lone `/word` that is unknown."""

    name: str
    words: tuple[str, ...] = ()
    spec: CommandSpec | None = None


def is_altered(comment: Comment, digest: str = "") -> bool:
    """Whether a comment was, or may have been, edited; `digest` is that of the posted text, if known."""
    return comment.updated_at != comment.created_at or digest not in {"", event_keys.digest(comment.body)}


def slash_commands(body: str) -> tuple[SlashCommand, ...]:
    """The commands in a comment, from top to bottom. Never raises."""
    return tuple(_found(body).values())


def spoken(body: str) -> str:
    """A comment without its command lines, which are not for the agent; empty if nothing else is in it."""
    found = _found(body)
    if not found:
        return body
    lines = _LINE_END.split(body)
    return "\n".join(line for number, line in enumerate(lines) if number not in found).strip()


def _found(body: str) -> dict[int, SlashCommand]:
    """The commands in a comment by line number."""
    lines = _LINE_END.split(body.replace(_MARK, " "))
    read = {number: found for number, line in enumerate(lines) if (found := _command(line.rstrip())) is not None}
    if not read:
        return {}
    marked = (f"{_MARK}{number}{_MARK}{line}" if number in read else line for number, line in enumerate(lines))
    seen = _seen(MarkdownIt("commonmark").parse("\n".join(marked)))
    return {number: command for number, command in read.items() if number in seen}


def _command(line: str) -> SlashCommand | None:
    match = _COMMAND.fullmatch(line)
    if match is None:
        return None
    spec = KNOWN.get(match["name"])
    words = tuple((match["words"] or "").split())
    # Neither `/usr is full` nor `/etc/passwd` is a command.
    return None if spec is None and words else SlashCommand(match["name"], words, spec)


def _seen(tokens: list[Token]) -> set[int]:
    """The marked lines in paragraphs of the comment itself, not below HTML, which may hide or quote."""
    html = (at for at, token in enumerate(tokens) if token.type == "html_block")
    end = next((at for at in html if not _HTML_COMMENT.fullmatch(tokens[at].content)), len(tokens))
    paragraphs = (
        text for opened, text in pairwise(tokens[:end]) if opened.type == "paragraph_open" and not opened.level
    )
    return {line for paragraph in paragraphs for line in _marked(paragraph.children or [])}


def _marked(children: list[Token]) -> Iterator[int]:
    """The marked lines of a paragraph that are plain text, not part of a link or code span."""
    if any(child.type == "html_inline" for child in children):
        return
    for at, child in enumerate(children):
        if child.type == "text" and child.level == 0 and (match := _MARKED.match(child.content)):
            rest = takewhile(lambda other: other.type not in {"softbreak", "hardbreak"}, children[at:])
            if not any(other.type == "code_inline" for other in rest):  # code may begin here and end on another line
                yield int(match["line"])
