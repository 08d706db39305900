"""The vocabulary of clauses: terms, polite words around them, and where a change is wanted. Performs no I/O.

Patterns are written with `<name>` for a term, quoted or bare, and `<name!>` for a quoted one; see `blocks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hive.agent.engines.mechanic.blocks import CLOSE, OPEN, Clause

QUOTED = f"{OPEN}\\d+{CLOSE}"
BARE = f"(?!(?:and|or|to|from|with|in|into|as|by|the|of|on|at|for)(?=[\\s,;:]|$))[^\\s,;:{OPEN}{CLOSE}]+"
"""A bare word, none of those that hold a clause together: so that a clause is read in one way only."""

TERM = f"(?:{QUOTED}|{BARE})"
ARROW = r"(?:to(?: version| tag)?|into|as|->|→|=>|⇒)"
VERSION = re.compile(r"v?\d+(?:\.\d+){0,4}(?:[-+._]?[0-9A-Za-z][\w.+-]{0,60})?")
PATH_LIKE = re.compile(
    r"(?:\.{0,2}/)?[\w.@+-]+(?:/[\w.@+ -]+)+/?|[\w@+-][\w.@+-]*\.[A-Za-z0-9]{1,12}|\.[\w.-]+|[\w-]+/"
)
NAMED_FILES = frozenset(
    {"dockerfile", "makefile", "readme", "license", "changelog", "codeowners", "procfile", "justfile"}
)
CODE_LIKE = re.compile(
    r"(?=\w*[_0-9$]|\w*[a-z][A-Z])[A-Za-z_$][\w$]*|[A-Za-z_$][\w$]*\(\)|[\w$]+(?:\.[\w$]+)+(?:\(\))?"
)

_SCOPE = (
    r"(?:every ?where|globally|throughout|(?:in|across|throughout|within|over) (?:all (?:the )?files|(?:the |our |this )?"
    r"(?:whole |entire )?(?:code ?base|code|repo(?:sitory)?|project|tree|source code|sources?)))"
)
_POLITE = r"(?:please|pls|thanks|thank you|thx|for (?:me|us)|now|too|as well|if (?:possible|you can)|asap|again)"
_TEXTS = r"(?:comments?|strings?|doc ?strings?|docs|documentation|prose|text)"
_IN_TEXT = rf"(?:also|including|and|even) (?:in )?(?:the )?{_TEXTS}(?:(?:,| and|, and) (?:in )?(?:the )?{_TEXTS})*"
_PATHS = (
    rf"(?:only )?(?:in|inside|within|under) (?:the )?(?:files? |module |script |folder |directory |path )?"
    rf"(?P<paths>{TERM}(?:(?:,| and|, and|,? or) {TERM})*)(?P<folder> (?:folder|directory|file))?(?: only)?"
)
_TAILS = {name: re.compile(rf"(?:^|[,\s]+|\s*\(){tail}\)?$", re.IGNORECASE) for name, tail in (
    ("polite", _POLITE), ("everywhere", _SCOPE), ("in_text", _IN_TEXT), ("paths", _PATHS),
)}  # fmt: skip
_LEAD = re.compile(
    r"(?:\[[\w ./-]{1,30}\] *)?(?:(?:chore|fix|refactor|style|build|deps?|docs?|feat|ci|test|task|todo|request|proposal)"
    r"(?:\([\w ,./-]{1,40}\))?!?: *)?",
    re.IGNORECASE,
)
_POLITELY = re.compile(
    r"(?:(?:hi|hello|hey)(?: (?:there|all|team))?|@[\w-]+|please|pls|kindly|(?:could|can|would|will) (?:you|we|someone|somebody)"
    r"(?: please)?|i(?:'d|’d| would) like (?:you )?to|i want (?:you )?to|we(?: all)? (?:need|want|have|ought) to|we should"
    r"|you should|it would be (?:nice|good|great) to|it'd be (?:nice|good|great) to|let(?:'s|’s| us)|just|simply|also|then|next"
    r"|now|first(?:ly)?|second(?:ly)?|finally|lastly|in addition|additionally|so|ok(?:ay)?|and|could we|can we|go ahead and)[\s,:]+",
    re.IGNORECASE,
)
VERBS = (
    "add|append|apply|bump|change|clean|copy|correct|create|delete|downgrade|drop|ensure|extend|extract|fix|format|get|handle"
    "|implement|improve|insert|install|introduce|lint|make|migrate|move|optimi[sz]e|pin|prepend|put|raise|refactor|reformat"
    "|release|remove|rename|replace|rewrite|run|save|set|substitute|support|swap|switch|teach|test|update|upgrade|use|write"
)
_PLACE = re.compile(
    rf"(?:in|inside|within) (?:the )?(?:files? )?(?P<paths>{TERM}),?:? (?=(?:{VERBS})\b)", re.IGNORECASE
)
_NEXT = re.compile(rf"(?:,? and(?: then| also)?|,? then|,) (?=(?:please )?(?:{VERBS})\b)", re.IGNORECASE)
IMPERATIVE = re.compile(rf"(?:{VERBS}|allow|show|let|document|consider|investigate|find|check|review)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Order:
    """One thing that a clause asks for, less the polite words: its core, and where it is wanted."""

    core: str
    terms: tuple[str, ...]
    paths: tuple[str, ...] = ()
    everywhere: bool = False
    in_text: bool = False

    def value(self, term: str) -> str:
        """What a term of the core means."""
        found = re.fullmatch(f"{OPEN}(\\d+){CLOSE}", term)
        return self.terms[int(found[1])] if found else term.rstrip(".,:!?")

    def is_quoted(self, term: str) -> bool:
        """Whether a term was quoted: meant to the letter."""
        return term.startswith(OPEN)

    @property
    def plain(self) -> str:
        """The core as it was written, about."""
        return Clause(self.core, self.terms, ends_line=True).plain


def pattern(text: str) -> re.Pattern[str]:
    """A pattern for a whole core: `<name>` is a term, `<name!>` a quoted one, a space any space."""
    text = re.sub(r"<(\w+)!>", lambda name: f"(?P<{name[1]}>{QUOTED})", text)
    text = re.sub(r"(?<!\?P)<(\w+)>", lambda name: f"(?P<{name[1]}>{TERM})", text)
    return re.compile(text, re.IGNORECASE)


def is_path(term: str, *, quoted: bool) -> bool:
    """Whether a term can be the path of a file: it looks like one, or was quoted."""
    return quoted or bool(PATH_LIKE.fullmatch(term)) or term.lower() in NAMED_FILES


def orders(clause: Clause) -> list[Order]:
    """What a clause asks for: `rename a to b and bump c` are two things."""
    whole = _started(Order(_LEAD.sub("", clause.text, count=1), clause.terms))
    pieces = (piece.strip(" ,:") for piece in _NEXT.split(whole.core))
    return [_trimmed(_started(replace(whole, core=piece))) for piece in pieces if piece]


def _started(order: Order) -> Order:
    """A order less the polite words at its start; a place that is named there is set apart."""
    while (lead := _POLITELY.match(order.core)) is not None:
        order = replace(order, core=order.core[lead.end() :])
    if (place := _PLACE.match(order.core)) is not None:
        paths = _paths(order, [place["paths"]], is_folder=False)
        order = order if paths is None else replace(order, core=order.core[place.end() :], paths=paths)
    return order


def _trimmed(order: Order) -> Order:
    """A order less the polite words at its end; the places that are named there are set apart."""
    while True:
        order = replace(order, core=order.core.rstrip(" ,:"))
        shorter = next((shorter for name in _TAILS if (shorter := _without(order, name)) is not None), None)
        if shorter is None:
            return order
        order = shorter


def _without(order: Order, name: str) -> Order | None:
    """A order without one of its last words; None if it does not end so."""
    tail = _TAILS[name].search(order.core)
    if tail is None or not tail.start():
        return None
    core = order.core[: tail.start()]
    match name:
        case "polite":
            return replace(order, core=core)
        case "everywhere":
            return replace(order, core=core, everywhere=True)
        case "in_text":
            return replace(order, core=core, in_text=True)
    terms = re.findall(TERM, re.sub(r"(?:,| and|, and|,? or) ", " ", tail["paths"]))
    paths = _paths(order, terms, is_folder=bool(tail["folder"]))
    return None if paths is None or order.paths else replace(order, core=core, paths=paths)


def _paths(order: Order, terms: Iterable[str], *, is_folder: bool) -> tuple[str, ...] | None:
    found = []
    for term in terms:
        value = order.value(term)
        if not is_folder and not is_path(value, quoted=order.is_quoted(term)):
            return None
        found.append(value)
    return tuple(found)
