"""Mentions in Markdown, as a reader of its page sees them: not in code, in a citation, in a link, or hidden. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bots.models import Team
from bots.sanitize import rendered
from forge.models import Issue

ALL = "hive/agents"
"""The name of all agents of a team in a mention, besides `<organisation>/agents`."""

MAX_READ = 20_000
"""Characters of a text that are read."""

_MENTION = re.compile(r"(?<![\w/@.+-])@(?P<name>[A-Za-z0-9][\w.-]{0,99}(?:/[A-Za-z0-9][\w.-]{0,99})?)")
_PARSER = MarkdownIt("commonmark").enable("table")


def mentioned(text: str) -> tuple[str, ...]:
    """The names after an `@`, in small letters, each once: `iris`, or `hive/agents` for a team of an organisation.

    A name with an invisible character in it, as the hive itself writes them, is none for a forge either.
    """
    raw = text[:MAX_READ]
    written = set(_names(raw))
    shown = (name for words in _words(_PARSER.parse(rendered(raw))) for name in _names(words))
    return tuple(dict.fromkeys(name for name in shown if name in written))


def _names(text: str) -> Iterator[str]:
    for match in _MENTION.finditer(text):
        yield match["name"].rstrip(".-").casefold()


def _words(tokens: list[Token]) -> Iterator[str]:
    """The plain text of paragraphs, headings and cells that are the author's own."""
    cited = 0
    for token in tokens:
        if token.type in ("blockquote_open", "blockquote_close"):
            cited += token.nesting
        elif token.type == "inline" and not cited:
            yield "".join(_plain(token.children or []))


def _plain(children: list[Token]) -> Iterator[str]:
    linked = 0
    for child in children:
        if child.type in ("link_open", "link_close"):
            linked += child.nesting
        if child.type in ("text", "text_special") and not linked:
            yield child.content
        elif child.type in ("em_open", "em_close", "strong_open", "strong_close"):
            continue
        else:
            yield "\n" if child.type in ("softbreak", "hardbreak") else " "


def is_announcement(issue: Issue, team: Team) -> bool:
    """Whether an issue is an operator's announcement to all agents."""
    return issue.author.id in team.operators and announces(mentioned(f"{issue.title}\n\n{issue.body}"), team)


def announces(names: Iterable[str], team: Team) -> bool:
    """Whether all agents are mentioned."""
    return not {ALL, f"{team.name.casefold()}/agents"}.isdisjoint(names)


def called(names: Iterable[str], team: Team) -> list[str]:
    """The agents that are mentioned, by the logins that were pinned, in the order of the text."""
    logins = {user.login.casefold(): agent for agent, user in team.agents.items()}
    return [logins[name] for name in names if name in logins]
