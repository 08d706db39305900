"""Renders a review: a headline, findings without a line, and a comment for each line. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bots.markdown import code, plain, prose
from bots.models import Finding, Level, Verdict
from bots.review import messages
from bots.review.anchors import Placed

MAX_LISTED = 50
MAX_TITLE = 120
MAX_WHY = 600
MAX_LINE = 300

Reasons = Iterable[tuple[str, str]]


def body(
    outcome: Verdict, placed: Placed, *, sha: str, ran: Iterable[str], not_reviewed: Reasons, fixes: bool = False
) -> str:
    """The text of the review; empty sections are left out. `fixes` is whether an agent may be told to fix a finding."""
    numbers = {id(item): number for number, item in enumerate(placed.numbered if fixes else (), 1)}

    def item(finding: Finding) -> str:
        return _item(finding) + _fix(numbers.get(id(finding), 0))

    engines = ", ".join(map(plain, ran))
    red = [item for item in placed.outside if item.effective_level is Level.RED]
    yellow = [item for item in placed.outside if item.effective_level is Level.YELLOW]
    parts = [
        headline(outcome, placed, sha),
        _section(messages.OUTSIDE, map(item, red)),
        _section(messages.YELLOW, map(item, yellow)),
        _more([f"{each.effective_level.value} {item(each)}" for each in placed.overflow]),
        _section(messages.GREEN, map(_item, placed.green)),
        _section(messages.NOT_REVIEWED, (f"{code(who)} {plain(why)}" for who, why in not_reviewed)),
        messages.RAN.format(engines=engines, sha=sha) if engines else messages.NO_ENGINE.format(sha=sha),
    ]
    return "\n\n".join(filter(None, parts))


def headline(outcome: Verdict, placed: Placed, sha: str) -> str:
    """The verdict in one line, with the counts that it does not contain itself."""
    red, yellow, green = (placed.count(level) for level in Level)
    text = messages.HEADLINES[outcome].format(red=red, yellow=yellow)
    counts = ["" if outcome is Verdict.REMARKS else _count(Level.YELLOW, yellow), _count(Level.GREEN, green)]
    return " · ".join(filter(None, [text, *counts, sha[:7]]))


def summary(outcome: Verdict, placed: Placed) -> str:
    """The verdict as the description of a commit status."""
    if outcome is Verdict.GOOD:
        return messages.STATUS_GOOD
    counts = [_count(level, placed.count(level)) for level in Level]
    first = messages.STATUS_NOT_REVIEWED if outcome is Verdict.NOT_REVIEWED else ""
    return " · ".join(filter(None, [first, *counts]))


def remark(finding: Finding, line: str, number: int = 0) -> str:
    """The comment on a line of the diff; `line` is that line, `number` what an agent may be told to fix, 0 for none."""
    parts = [
        messages.REMARK.format(
            level=finding.effective_level.value, name=_name(finding), category=finding.category.value
        ),
        prose(_cut(finding.why, MAX_WHY)),
        _block(line, finding.suggestion) if finding.suggestion is not None else "",
        messages.SOURCE.format(engine=plain(finding.engine), rule=plain(finding.rule), fix=_fix(number)),
    ]
    return "\n\n".join(filter(None, parts))


def _name(finding: Finding) -> str:
    quick = finding.level is Level.YELLOW and finding.effective_level is Level.RED
    name = messages.NAME.format(title=plain(_cut(finding.title, MAX_TITLE)))
    return name + (messages.QUICK.format(seconds=finding.fix_seconds) if quick else "")


def _item(finding: Finding) -> str:
    where = f"{finding.path}:{finding.line}" if finding.line else finding.path
    words = [_name(finding), code(where) if where else "", prose(_cut(finding.why, MAX_WHY))]
    return " — ".join(filter(None, words))


def _fix(number: int) -> str:
    return messages.FIX.format(number=number) if number else ""


def _section(title: str, items: Iterable[str]) -> str:
    listed = _list(items)
    return f"{title}\n{listed}" if listed else ""


def _more(items: Sequence[str]) -> str:
    return messages.MORE.format(count=len(items), items=_list(items)) if items else ""


def _list(items: Iterable[str]) -> str:
    every = list(items)
    rest = [messages.LEFT_OUT.format(count=len(every) - MAX_LISTED)] if len(every) > MAX_LISTED else []
    return "\n".join(f"- {item}" for item in (*every[:MAX_LISTED], *rest))


def _block(line: str, suggestion: str) -> str:
    """A suggestion as a diff block that its content cannot end; an empty suggestion removes the line."""
    rows = [f"-{_shown(line)}", *([f"+{_shown(suggestion)}"] if suggestion else [])]
    fence = "`" * max(3, 1 + max((len(run) for row in rows for run in re.findall("`+", row)), default=0))
    return "\n".join([f"{fence}diff", *rows, fence])


def _shown(line: str) -> str:
    # An invisible character, such as one that turns the reading direction, is replaced visibly.
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in _cut(line.rstrip("\r"), MAX_LINE))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _count(level: Level, number: int) -> str:
    return f"{level.value} {number}" if number else ""
