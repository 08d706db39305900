"""Webhooks as Forgejo and Gitea keep them: which are ours, and what they listen to. Performs no I/O.

What a hook is asked to hear and what it says it hears are two languages: `issues` asks for five
kinds of event, and answers for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from forge.gitea.json_value import JsonValue

_ISSUES = ("assign", "label", "milestone", "comment")
_PULLS = ("assign", "label", "milestone", "comment", "review", "review_request", "sync")
_ASKED = {
    "issues": ("issues", *(f"issue_{kind}" for kind in _ISSUES)),
    "issues_only": ("issues",),
    "pull_request": ("pull_request", *(f"pull_request_{kind}" for kind in _PULLS)),
    "pull_request_only": ("pull_request",),
}
_ANSWERED = {
    "pull_request_review_approved": "pull_request_review",
    "pull_request_review_rejected": "pull_request_review",
    # Forgejo lists this one when comments on pull requests are heard.
    "pull_request_review_comment": "pull_request_comment",
}
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook; `hears` is in the names that a forge answers with."""

    id: int
    kind: str
    url: str
    listens_to_bots: frozenset[str]
    active: bool
    plain: bool
    """Whether it sends JSON, and for every branch."""


def asked(events: Iterable[str]) -> frozenset[str]:
    """What a hook hears that is asked for these events."""
    return frozenset(kind for event in events for kind in _ASKED.get(event, (event,)))


def hook(field: JsonValue) -> Hook:
    """A webhook of an organisation; its secret is never shown."""
    config = field["config"]
    return Hook(
        id=field["id"].number(),
        kind=field["type"].words(),
        url=config["url"].words(),
        listens_to_bots=frozenset(_ANSWERED.get(event.text(), event.text()) for event in field["events"].each()),
        active=field["active"].flag(),
        plain=config["content_type"].words() == "json" and field["branch_filter"].words() in {"", "*"},
    )


def faults(held: Hook, kind: str, events: Iterable[str]) -> str:
    """What is wrong with a hook, in a few words; empty if nothing is."""
    wanted = asked(events)
    deaf, chatty = sorted(wanted - held.listens_to_bots), sorted(held.listens_to_bots - wanted)
    said = {
        "is switched off": not held.active,
        f"is of the type {held.kind}": held.kind != kind,
        "does not send JSON for every branch": not held.plain,
        f"does not hear {_some(deaf)}": bool(deaf),
        f"hears {_some(chatty)} as well": bool(chatty),
    }
    return "; ".join(text for text, is_so in said.items() if is_so)


def _some(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def same(url: str, other: str) -> bool:
    """Whether two addresses are one: the case of a host, a default port and a last `/` make no difference."""
    return _plain(url) == _plain(other)


def ours(url: str, other: str) -> bool:
    """Whether a hook to `url` is of the hive that listens at `other`: at that address, or with its mark at an older one.

    The mark is the query of an address (`?hive=…`): it outlives another host, port or path, and another hive has another.
    """
    mine, held = urlsplit(other), _split(url)
    if held is None:
        return False
    marked = bool(mine.query) and held.query == mine.query
    # A hook from before there were marks has none.
    return marked or same(url, other) or (not held.query and same(f"{url}?{mine.query}", other))


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:  # somebody else's hook may have any address
        return None


def _plain(url: str) -> tuple[object, ...]:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # somebody else's hook may have any address
        return (url,)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/"), parts.query
