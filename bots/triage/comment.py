"""The one comment of triage: kind, owner, why, what is missing, and what says the same. Performs no I/O.

What a stranger wrote is not repeated in it, apart from words of the rules and paths, as code: agents take what the hive says for
the hive's word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bots.classification import DecidedBy
from bots.markdown import code, plain_name
from bots.models import Team
from bots.triage.decision import Decision
from bots.triage.terms import says_something
from forge.models import Issue

ROUTED = """\
🧭 **{kind}** in **{lane}** → @{agent}

{why}

<sub>Not the right one? `/not-my-lane` gives it to the next lane, `/not-my-lane agent` to that agent.</sub>"""
WAITING = """\
🧭 **{kind}** in **{lane}**, for @{agent}

{why}

{operators}: the work starts when you assign @{agent}, or add `ready`."""
BECAUSE = "- {what} because of {words}"
BY_DEFAULT = "- {what} because nothing in it points elsewhere"
BY_LABEL = "- {what}, as it was labelled"
BY_FORM = "- {what}, as its form says"
BY_TEMPLATE = "- {what}, as its template says"
SURE = {
    DecidedBy.HISTORY: ": what the labels of this repository teach is {percent} % sure",
    DecidedBy.PRIOR: ": a model of issues in general is {percent} % sure",
    DecidedBy.LANGUAGE_MODEL: ": a language model is {percent} % sure",
}
UNSURE = "- its kind is not clear: say so with a label `type/…`"

SUSPECTED = "✋ Its text talks to a machine rather than to people: `risk/injection` holds it until somebody has looked and taken the label away."

ASKED = """\
❓ @{author}, this is missing. Edit the issue, or answer in a comment:
```markdown
{form}
```"""
OFFERED = "👥 {others} may be the same. If so, an operator's `/duplicate #{first}` closes this one; else there is nothing to do."
CLOSED = "{number} (closed)"
DONE = "🧭 Nothing is missing any more."
"""What a comment says that has nothing to say any more: it cannot be taken back."""

MOST_WORDS = 5


def head(issue: Issue, decision: Decision, team: Team) -> str:
    """What an issue is taken for, whose it is, and why; empty where people have said both."""
    is_trusted = team.is_trusted(issue.author)
    if is_trusted and not decision.injection_suspected and decision.by is decision.lane_by is DecidedBy.EXPLICIT:
        return ""
    kind, lane = decision.kind, decision.lane
    called = ", ".join(f"@{login}" for login in lane.operators) or team.call()
    labelled = next((label for label in issue.labels if label.startswith("type/")), "")
    word = kind.label.split("/")[-1] if kind is not None else "issue"
    why = [_kind_reason(decision, labelled), _lane_reason(decision, issue)]
    template = ROUTED if is_trusted else WAITING
    said = template.format(kind=word, lane=lane.name, agent=lane.agent, operators=called, why="\n".join(why))
    return f"{said}\n\n{SUSPECTED}" if decision.injection_suspected else said


def asked(issue: Issue, names: Sequence[str]) -> str:
    """The question for what is missing, with a form to fill in; empty if nothing is."""
    form = "\n\n".join(f"### {name}" for name in names)
    return ASKED.format(author=plain_name(issue.author.login), form=form) if names else ""


def offered(others: Sequence[Issue]) -> str:
    """Issues that may be the same, by their numbers; empty for none."""
    if not others:
        return ""
    named = [
        f"#{other.ref.number}" if other.is_open else CLOSED.format(number=f"#{other.ref.number}") for other in others
    ]
    return OFFERED.format(others=", ".join(named), first=others[0].ref.number)


def whole(parts: Iterable[str]) -> str:
    """The comment."""
    return "\n\n".join(part for part in parts if part)


def _kind_reason(decision: Decision, labelled: str) -> str:
    if labelled:
        return BY_LABEL.format(what=code(labelled))
    if decision.kind is None:
        return UNSURE
    what = code(decision.kind.label)
    if decision.by is DecidedBy.EXPLICIT:
        return BY_FORM.format(what=what)
    reason = _because(what, decision.kind_words, decision.by)
    return reason + SURE.get(decision.by, "").format(percent=int(100 * decision.confidence))


def _lane_reason(decision: Decision, issue: Issue) -> str:
    what = code(decision.lane.label)
    if decision.lane_by is DecidedBy.EXPLICIT and decision.lane.label in issue.labels and not decision.lane_words:
        return BY_LABEL.format(what=what)
    return _because(what, decision.lane_words, decision.lane_by)


def _because(what: str, words: tuple[str, ...], by: DecidedBy) -> str:
    if by is DecidedBy.TEMPLATE:
        return BY_TEMPLATE.format(what=what)
    told = [word for word in words if by not in SURE or says_something(word)]
    if told:
        return BECAUSE.format(what=what, words=", ".join(map(code, told[:MOST_WORDS])))
    return f"- {what}" if by in SURE else BY_DEFAULT.format(what=what)
