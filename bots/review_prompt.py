"""What a model is told about a pull request and about one claim, and how its answers are read. Performs no I/O.

All that others wrote stands in fences that it cannot close; rules come from the base branch, which operators merged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bots.markdown import fenced
from bots.model_review import Claim, Confidence, ReviewTask, SecondLook
from bots.models import Category, Finding, Level
from bots.review_sources import SourceFile, code_fence, visible_line

MAX_DESCRIPTION, MAX_KNOWN, MAX_RULES = 6_000, 60, 8_000
"""Characters of a description, findings that are told as known, and characters of the operators' rules."""

MAX_CLAIMS = 40
"""Claims of one answer that are read."""

RULES = """\


The operators of this repository ask reviewers to follow these rules as well:

{fence}"""
TASK = """\
The change, as its author presents it:

{title}
{description}

{known}{files}{more}{unread}
Answer with the JSON object."""
KNOWN = """\
Said already, by programs or in earlier rounds; do not repeat it:

{fence}

"""
NARROWED = "You see only what has changed since the last review of this change, which found what it found.\n\n"
DEFINITIONS = """\

Definitions elsewhere of names that the change uses:

{fence}
"""
UNREAD = """\

Also changed, and not shown to you:

{fence}
"""
CLAIM = """\
The claim is about line {line} of the code below, which reads:

{quote}

{claim}

{code}

Answer with the JSON object."""

LEVELS = {"red": Level.RED, "yellow": Level.YELLOW, "green": Level.GREEN}
CATEGORIES = {
    each.value: each
    for each in (
        *(Category.BUG, Category.SECURITY, Category.SILENT_FAILURE),
        *(Category.INCONSISTENCY, Category.TEST, Category.PRAISE),
    )
}
_TEXT = {"type": "string"}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": [*properties], "properties": properties}


REVIEW_SCHEMA = _object(
    findings={
        "type": "array",
        "items": _object(
            path=_TEXT,
            line={"type": "integer"},
            quote=_TEXT,
            level={"type": "string", "enum": [*LEVELS]},
            category={"type": "string", "enum": [*CATEGORIES]},
            confidence={"type": "string", "enum": [each.value for each in Confidence]},
            title=_TEXT,
            body=_TEXT,
            replacement=_TEXT,
        ),
    }
)
VERIFY_SCHEMA = _object(answer={"type": "string", "enum": [each.value for each in SecondLook]}, reason=_TEXT)


class Malformed(ValueError):
    """An answer that is not in the form that was asked for; the message says what is wrong."""


def instructions(text: str, guide: str) -> str:
    """The system prompt: its text, and the rules of the base branch."""
    rules = guide.strip()[:MAX_RULES]
    return text.strip() + (RULES.format(fence=code_fence("rules", rules, name="REVIEW.md")) if rules else "")


def review_prompt(
    task: ReviewTask,
    files: Sequence[tuple[SourceFile, str]],
    *,
    definitions: str = "",
    unread: Sequence[tuple[str, str]] = (),
) -> str:
    """All that a model is told about a change; `files` are its files, each with the code around its diff."""
    wanting = [item for item in task.findings if item.level is not Level.GREEN]
    known = "\n".join(map(_known, wanting[:MAX_KNOWN]))
    left_out = "\n".join(f"{visible_line(path)}: {why}" for path, why in unread)
    return TASK.format(
        title=fenced("title", task.title or "(none)", author=task.author, standing=task.standing),
        description=fenced(
            "description",
            task.description or "(none)",
            author=task.author,
            standing=task.standing,
            longest=MAX_DESCRIPTION,
        ),
        known=(NARROWED if task.since else "") + (KNOWN.format(fence=code_fence("known", known)) if known else ""),
        files="\n".join(_file(source, code) for source, code in files),
        more=DEFINITIONS.format(fence=code_fence("definitions", definitions)) if definitions else "",
        unread=UNREAD.format(fence=code_fence("unread", left_out)) if left_out else "",
    )


def claim_prompt(claim: Claim, source: SourceFile) -> str:
    """All that a model is told for a second look: one claim, and the code around its line."""
    line = visible_line(source.lines[claim.line - 1])
    return CLAIM.format(
        line=claim.line,
        quote=code_fence("line", line),
        claim=code_fence("claim", f"{claim.title}\n{claim.body}".strip()),
        code=code_fence("code", source.excerpt(claim.line), name=claim.path),
    )


def read_claims(answer: str) -> tuple[tuple[Claim, ...], int]:
    """The claims of an answer, and how many more were in no form that is understood; raises Malformed."""
    listed = read_object(answer).get("findings")
    if not isinstance(listed, list):
        raise Malformed("it has no list of findings")
    claims = [claim for each in listed[:MAX_CLAIMS] if (claim := _claim(each)) is not None]
    if listed and not claims:
        raise Malformed("none of its findings is in the form that was asked for")
    return tuple(claims), len(listed) - len(claims)


def read_look(answer: str) -> tuple[SecondLook, str]:
    """What a second look says, and why; raises Malformed."""
    told = read_object(answer)
    try:
        return SecondLook(str(told.get("answer"))), _text(told, "reason")
    except ValueError as error:
        raise Malformed("its answer is none of those that were asked for") from error


def read_object(answer: str) -> dict[str, Any]:
    """The one JSON object of an answer, whatever stands around it; raises Malformed."""
    text = answer.rpartition("</think>")[2]
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end < begin:
        raise Malformed("it holds no JSON object")
    try:
        found = json.loads(text[begin : end + 1])
    except (ValueError, RecursionError) as error:
        raise Malformed("it holds no JSON object that can be read") from error
    if not isinstance(found, dict):
        raise Malformed("it holds no JSON object")
    return found


def _claim(told: object) -> Claim | None:
    """One claim; None for what is none."""
    if not isinstance(told, dict):
        return None
    level, category = LEVELS.get(_text(told, "level")), CATEGORIES.get(_text(told, "category"))
    confidence = next((each for each in Confidence if each.value == told.get("confidence")), None)
    line = told.get("line")
    if level is None or category is None or confidence is None or not isinstance(line, int) or isinstance(line, bool):
        return None
    path, quote, title = (_text(told, name) for name in ("path", "quote", "title"))
    more = (_text(told, "body"), _text(told, "replacement"))
    return Claim(path, line, quote, level, category, confidence, title, *more) if path and quote and title else None


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) else ""


def _known(item: Finding) -> str:
    where = f"{item.path}:{item.line}" if item.line else item.path
    return visible_line(f"{where} {item.category.value}: {item.title[:120]}")


def _file(source: SourceFile, code: str) -> str:
    """A file in one or two fences: its diff, and the code around that."""
    parts = [code_fence("diff", source.diff(), name=source.path)]
    if code:
        parts.append(code_fence("code", code, name=source.path))
    return "\n".join(parts) + "\n"
