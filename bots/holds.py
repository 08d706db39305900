"""Holds: labels and facts of an issue that keep an agent from starting, from pushing, or from speaking. Performs no I/O.

A hold is read from the forge each time it matters: when a run starts, and at each push and each submit. So a label that is set
while an agent works holds what it does next. Labels are what people set: nothing here adds one or takes one away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from bots.models import Team
from bots.wake_kind import Wake
from forge.models import Issue, TimelineEvent

NEEDS_SIGNOFF = "needs-signoff"
LOCKED = "locked"
BRAINSTORM = "brainstorm"
INJECTION = "risk/injection"
QUESTION = "type/question"
READY = "ready"
"""Set by a member or an operator: work on a stranger's issue may start. By an operator it also opens a locked one."""

URGENT = "urgent"
"""What bears it goes before what waits without it."""

SIGN_OFFS = (NEEDS_SIGNOFF, LOCKED)


class Reach(Enum):
    """What a hold leaves to an agent."""

    NOTHING = "no run"
    SILENCE = "a run, and no word on the forge"
    WORDS = "a run, and comments"


@dataclass(frozen=True, slots=True)
class WorkHold:
    """One hold: its label, or what else it is called; what it leaves; and why, as a sentence without its end."""

    name: str
    reach: Reach
    why: str

    @property
    def may_run(self) -> bool:
        """Whether a run may start."""
        return self.reach is not Reach.NOTHING

    @property
    def may_comment(self) -> bool:
        """Whether the agent may comment."""
        return self.reach is Reach.WORDS


SUSPECTED = WorkHold(
    INJECTION,
    Reach.NOTHING,
    f"`{INJECTION}` is on it: its text may have been written to steer an agent, so nothing is started, pushed or said before a person has looked and taken the label away",
)
UNRELEASED = WorkHold(
    "author",
    Reach.NOTHING,
    f"its author is not of the team: a member or an operator has to add the label `{READY}`, or an operator has to assign the agent",
)
BRAINSTORMING = WorkHold(BRAINSTORM, Reach.WORDS, f"`{BRAINSTORM}` is on it: agents comment, and push nothing")
ASKED = WorkHold(
    QUESTION,
    Reach.WORDS,
    f"`{QUESTION}` is on it: it gets an answer in words, and nothing is pushed; if code has to change, say so, and a person can change the label",
)
FOREIGN_PULL = WorkHold(
    "pull request", Reach.WORDS, "it is somebody else's pull request: agents comment on it, and push nothing"
)
CONSULTED = WorkHold(
    "consultation",
    Reach.WORDS,
    "you were asked here and not assigned: agents comment then, and push nothing",
)
ANNOUNCED = WorkHold(
    "announcement", Reach.SILENCE, "it is an announcement: no action is needed, and nothing can be said or pushed"
)


def signed_off_by(label: str) -> WorkHold:
    """The hold of a label that waits for an operator's word."""
    return WorkHold(
        label, Reach.WORDS, f"`{label}` is on it: agents comment, and push nothing before an operator adds `{READY}`"
    )


def hold_on(
    issue: Issue, team: Team, timeline: Callable[[], Sequence[TimelineEvent]], *, has_run: bool = False
) -> WorkHold | None:
    """The strictest hold on an issue, None for none. The timeline is asked for only if it can matter.

    `has_run` is whether a run has been started on it before: somebody with the right to has let it start then.
    """
    by_label = labelled_hold(issue, team, timeline)
    if by_label is SUSPECTED:
        return SUSPECTED
    if not team.is_trusted(issue.author) and not is_released(issue, team, timeline(), has_run=has_run):
        return UNRELEASED
    return by_label or (FOREIGN_PULL if issue.is_pull else None)


def labelled_hold(issue: Issue, team: Team, timeline: Callable[[], Sequence[TimelineEvent]]) -> WorkHold | None:
    """The strictest hold that a label of an issue or pull request is, None for none."""
    labels = {label.casefold() for label in issue.labels}
    if INJECTION in labels:
        return SUSPECTED
    for label in SIGN_OFFS:
        if label in labels and not (READY in labels and _is_opened(label, team, timeline())):
            return signed_off_by(label)
    if BRAINSTORM in labels:
        return BRAINSTORMING
    return ASKED if QUESTION in labels else None


def is_released(issue: Issue, team: Team, rows: Sequence[TimelineEvent], *, has_run: bool) -> bool:
    """Whether somebody with the right to has let work start on a stranger's issue; the last word counts.

    `ready` counts if a person other than the author set it: forges let only accounts with the right to write issues do so, and
    an issue template may have set it for the author (Gitea, Forgejo: `labels:` of the form). An operator's assignment of an
    agent, or label of a lane, is a release too. Who takes `ready` away holds the issue again.
    """
    is_ordered, is_ready = has_run, False
    lanes = {lane.label for lane in team.lanes}
    for row in rows:
        if row.kind == "label" and row.label.casefold() == READY:
            is_ordered = is_ordered and not row.removed
            is_ready = not row.removed and (is_ready or _may_release(row, issue, team))
        elif row.actor is None or row.removed or row.actor.id not in team.operators:
            continue
        elif (row.kind == "assignees" and row.user is not None and team.agent_of(row.user)) or (
            row.kind == "label" and row.label in lanes
        ):
            is_ordered = True
    return is_ordered or (is_ready and READY in {label.casefold() for label in issue.labels})


def _may_release(row: TimelineEvent, issue: Issue, team: Team) -> bool:
    if row.actor is None or team.is_machine(row.actor):
        return False
    return row.actor.id in team.operators or row.actor.id != issue.author.id


def _is_opened(label: str, team: Team, rows: Sequence[TimelineEvent]) -> bool:
    """Whether an operator has set `ready` after the label: one that is set later holds again."""
    opened = False
    for row in rows:
        if row.kind != "label" or row.removed:
            continue
        if row.label.casefold() == label:
            opened = False
        elif row.label.casefold() == READY:
            opened = row.actor is not None and row.actor.id in team.operators
    return opened


def is_urgent(issue: Issue) -> bool:
    """Whether an issue goes before others."""
    return URGENT in {label.casefold() for label in issue.labels}


def woken_hold(wake: str, hold: WorkHold | None) -> WorkHold | None:
    """The hold on a run that was woken by something else than an assignment, if `hold` is on its thread."""
    if wake == Wake.ANNOUNCEMENT:
        return ANNOUNCED
    return CONSULTED if wake and hold is not SUSPECTED else hold
