"""Renders what a review says: its text, the comment on a line, and the one comment that shows how it stands. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bots.markdown import code, plain, prose
from bots.model_review import MODEL, ModelReview
from bots.models import Finding, Level, Verdict
from bots.review import messages
from bots.review.anchors import Placed, by_severity
from bots.review.model_words import asked, costs
from bots.review_rounds import FindingState, RememberedFinding

MAX_LISTED = 50
MAX_TITLE = 120
MAX_WHY = 600
MAX_LINE = 300

Reasons = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a review stands: its verdict on a head, all findings, what this round says, and what could not be reviewed.

    `fixes` is whether an agent may be told to fix a finding, `lite` whether nothing of the change may be quoted, `notes` are
    sentences about the review itself.
    """

    outcome: Verdict
    sha: str
    number: int
    findings: tuple[RememberedFinding, ...]
    placed: Placed
    green: tuple[Finding, ...] = ()
    ended: tuple[RememberedFinding, ...] = ()
    not_reviewed: tuple[tuple[str, str], ...] = ()
    ran: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fixes: bool = False
    lite: bool = False
    model: ModelReview | None = None

    @property
    def open(self) -> list[RememberedFinding]:
        """The findings that want something, most severe first."""
        return by_severity(each for each in self.findings if each.is_open)

    def count(self, level: Level) -> int:
        """The number of open findings of a level, after the quick-fix rule."""
        if level is Level.GREEN:
            return len(self.green)
        return sum(each.finding.effective_level is level for each in self.findings if each.is_open)


def body(now: Standing) -> str:
    """The text of the review of a head: what is not on a line, and what is open since earlier ones."""
    said = {each.number for each in now.placed.all}
    old = [each for each in now.open if each.number not in said]
    red = [each for each in now.placed.outside if each.is_red]
    yellow = [each for each in now.placed.outside if not each.is_red]
    parts = [
        headline(now),
        _section(messages.STILL_OPEN, (_leveled(each, now) for each in old)),
        _section(messages.OUTSIDE, (_item(each, now) for each in red)),
        _section(messages.YELLOW, (_item(each, now) for each in yellow)),
        _more([_leveled(each, now) for each in now.placed.overflow]),
        _section(messages.NOT_REVIEWED, _reasons(now.not_reviewed)),
        costs(now.model) if now.model is not None else "",
    ]
    return "\n\n".join(filter(None, parts))


def standing(now: Standing) -> str:
    """The one comment that shows how the review of a pull request stands."""
    fixed = [each for each in now.ended if each.state is FindingState.FIXED]
    dismissed = sum(each.state is FindingState.DISMISSED for each in now.findings)
    notes = [*now.notes, messages.DISMISSED.format(count=dismissed) + "." if dismissed else ""]
    engines = ", ".join(plain(name) for name in now.ran if name != MODEL)
    commands = (*messages.REVIEW_COMMANDS, *([messages.FIX_COMMAND] if now.fixes else []))
    parts = [
        messages.STANDING.format(headline=headline(now)),
        _section(messages.OPEN, (_leveled(each, now) for each in now.open)),
        _section(
            messages.FIXED, (f"{each.number} · {_name(each.finding, now)} — {_where(each.finding)}" for each in fixed)
        ),
        _section(messages.NOT_REVIEWED, _reasons(now.not_reviewed)),
        _section(messages.UNREAD, _reasons(now.model.unread if now.model is not None else ())),
        _section(messages.GREEN, (_praise(item, now) for item in now.green)),
        " ".join(filter(None, notes)),
        messages.RAN.format(engines=engines, sha=now.sha, model=asked(now.model))
        if engines
        else messages.NO_ENGINE.format(sha=now.sha),
        costs(now.model) if now.model is not None else "",
        messages.COMMANDS.format(commands=" · ".join(commands)),
    ]
    return "\n\n".join(filter(None, parts))


def headline(now: Standing) -> str:
    """The verdict in one line, with the counts that it does not contain itself."""
    red, yellow, green = (now.count(level) for level in Level)
    text = messages.HEADLINES[now.outcome].format(red=red, yellow=yellow)
    fixed = sum(each.state is FindingState.FIXED for each in now.findings)
    counts = [
        "" if now.outcome is Verdict.REMARKS else _count(Level.YELLOW, yellow),
        _count(Level.GREEN, green),
        messages.FIXED_COUNT.format(count=fixed) if fixed else "",
        messages.ROUND.format(number=now.number) if now.number > 1 else "",
    ]
    return " · ".join(filter(None, [text, *counts, now.sha[:7]]))


def summary(now: Standing) -> str:
    """The verdict as the description of a commit status."""
    number = messages.STATUS_ROUND.format(number=now.number) if now.number > 1 else ""
    if now.outcome is Verdict.GOOD:
        return " · ".join(filter(None, [messages.STATUS_GOOD, number]))
    counts = [_count(level, now.count(level)) for level in Level]
    first = messages.STATUS_NOT_REVIEWED if now.outcome is Verdict.NOT_REVIEWED else ""
    return " · ".join(filter(None, [first, *counts, number]))


def remark(each: RememberedFinding, line: str, now: Standing) -> str:
    """The comment on a line of the diff; `line` is that line."""
    finding = each.finding
    text = messages.LITE_REMARK if now.lite else messages.REMARK
    parts = [
        text.format(level=finding.effective_level.value, name=_name(finding, now), category=finding.category.value),
        "" if now.lite else prose(_cut(finding.why, MAX_WHY)),
        _block(line, finding.suggestion) if finding.suggestion is not None and not now.lite else "",
        messages.SOURCE.format(
            number=each.number, engine=plain(finding.engine), rule=plain(finding.rule), fix=_fix(each, now)
        ),
    ]
    return "\n\n".join(filter(None, parts))


def ended(each: RememberedFinding, now: Standing) -> str:
    """What the comment on a finding says when it wants nothing any more."""
    texts = {FindingState.FIXED: messages.FIXED_REMARK, FindingState.GONE: messages.GONE_REMARK}
    text = texts.get(each.state, messages.DISMISSED_REMARK)
    facts = {"sha": each.head[:7], "by": plain(each.by), "why": plain(_cut(each.why, MAX_WHY))}
    return text.format(name=_name(each.finding, now), **facts)


def _name(finding: Finding, now: Standing) -> str:
    if now.lite:  # an engine's title may hold words of the change
        return messages.NAME.format(title=finding.category.value.capitalize())
    quick = finding.level is Level.YELLOW and finding.effective_level is Level.RED
    name = messages.NAME.format(title=plain(_cut(finding.title, MAX_TITLE)))
    return name + (messages.QUICK.format(seconds=finding.fix_seconds) if quick else "")


def _where(finding: Finding) -> str:
    where = f"{finding.path}:{finding.line}" if finding.line else finding.path
    return code(where) if where else ""


def _praise(finding: Finding, now: Standing) -> str:
    words = [_name(finding, now), _where(finding), "" if now.lite else prose(_cut(finding.why, MAX_WHY))]
    return " — ".join(filter(None, words))


def _item(each: RememberedFinding, now: Standing) -> str:
    """A finding in a list: number, name, place, why, and its state where that is news."""
    finding = each.finding
    state = messages.STATES.get(each.state, "")
    since = messages.SINCE.format(number=each.since) if state else ""
    words = [
        _name(finding, now),
        _where(finding),
        "" if now.lite else prose(_cut(finding.why, MAX_WHY)),
        ", ".join(filter(None, [state, since])),
    ]
    return f"{each.number} · " + " — ".join(filter(None, words)) + _fix(each, now)


def _leveled(each: RememberedFinding, now: Standing) -> str:
    return f"{each.finding.effective_level.value} {_item(each, now)}"


def _reasons(reasons: Reasons) -> Iterable[str]:
    return (f"{code(who)} {plain(why)}" for who, why in reasons)


def _fix(each: RememberedFinding, now: Standing) -> str:
    return messages.FIX.format(number=each.number) if now.fixes else ""


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
