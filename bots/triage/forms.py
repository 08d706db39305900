"""Issue templates: which one an issue was written with, and which of its fields are empty. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bots.sanitize import printable
from bots.triage.cleaning import LONGEST
from forge.issue_templates import IssueTemplate

MOST_ASKED = 6
LONGEST_NAME = 60
LIKE = 0.5
"""The part of a template's headings that an issue has to have, to have been written with it."""

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HEADING = re.compile(r"#{1,6}[ \t]+(\S.{0,150}?)[ \t#:]*|\*\*([^*\n]{1,100}?)[:?]?\*\*[: \t]*")
_WORD = re.compile(r"\w+")
_NO_ANSWER = frozenset({"", "no response", "n a", "na", "none", "todo", "tbd"})
_OPTIONAL = re.compile(r"\boptional\b|\badditional\b|\bif applicable\b|\banything else\b", re.IGNORECASE)


def template_of(body: str, templates: Sequence[IssueTemplate]) -> IssueTemplate | None:
    """The template that an issue was written with: the one that most of the headings are of."""
    there = sections(body)
    best: tuple[float, int] = (0.0, 0)
    found = None
    for template in templates:
        names = _names(template)
        same = sum(name in there for name in names)
        if names and same / len(names) >= LIKE and (same / len(names), same) > best:
            best, found = (same / len(names), same), template
    return found


def empty_fields(body: str, template: IssueTemplate, *, author_decides: bool = False) -> tuple[str, ...]:
    """The fields of a template that an issue leaves empty, by their names.

    Of a form those that are required; of Markdown all that are not called optional, and none if the author decides what
    is needed. What is left as the template has it is empty.
    """
    there = sections(body)
    if template.fields:
        wanted: Iterable[tuple[str, str]] = ((field.label, "") for field in template.fields if field.required)
    else:
        wanted = () if author_decides else _asked_in(template.content)
    missing = (name for name, hint in wanted if _is_empty(there.get(_plain(name), ""), hint))
    return tuple(dict.fromkeys(map(shown_name, missing)))[:MOST_ASKED]


def still_empty(body: str, asked: Iterable[str], template: IssueTemplate | None) -> tuple[str, ...]:
    """Those of the fields that were asked for which an issue still does not have: a heading may be new, and so may be its text."""
    there = sections(body)
    hints = {} if template is None else {_plain(name): hint for name, hint in _asked_in(template.content)}
    return tuple(name for name in asked if _is_empty(there.get(_plain(name), ""), hints.get(_plain(name), "")))


def sections(body: str) -> dict[str, str]:
    """What is below each heading of a text, by the heading's words; code counts, comments do not."""
    found: dict[str, list[str]] = {}
    below: list[str] | None = None
    fence = ""
    for line in _COMMENT.sub("", body[:LONGEST].replace("\r\n", "\n")).split("\n"):
        bare = line.strip()
        if bare.startswith(("```", "~~~")):
            fence = "" if fence and bare.startswith(fence) else fence or bare[:3]
        heading = None if fence else _HEADING.fullmatch(bare)
        if heading is not None:
            below = found.setdefault(_plain(next(filter(None, heading.groups()))), [])
        elif below is not None and bare:
            below.append(bare)
    return {name: "\n".join(lines) for name, lines in found.items()}


def shown_name(name: str) -> str:
    """A field's name as it can be shown in a block of code: one line of plain letters."""
    return " ".join(printable(name).replace("`", "'").replace("~", "-").split())[:LONGEST_NAME].lstrip("#> ")


def _names(template: IssueTemplate) -> list[str]:
    if template.fields:
        return [_plain(field.label) for field in template.fields]
    return list(sections(template.content))


def _asked_in(content: str) -> Iterator[tuple[str, str]]:
    """Each heading of a Markdown template, as it is written, with what stands below it."""
    texts: Mapping[str, str] = sections(content)
    for line in _COMMENT.sub("", content).split("\n"):
        heading = _HEADING.fullmatch(line.strip())
        if heading is None:
            continue
        name = next(filter(None, heading.groups()))
        hint = texts.get(_plain(name), "")
        if not _OPTIONAL.search(f"{name}\n{hint}"):
            yield name, hint


def _is_empty(text: str, hint: str) -> bool:
    said = _plain(text)
    return said in _NO_ANSWER or (bool(hint) and said == _plain(hint))


def _plain(text: str) -> str:
    return " ".join(word.strip("_") for word in _WORD.findall(text.casefold()) if word.strip("_"))
