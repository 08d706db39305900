"""What triage does with an issue or pull request that is older than the hive: labels where it is clear, and no word. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bots.agent_intents import GiveWork
from bots.classification import DecidedBy
from bots.holds import INJECTION, hold_on
from bots.intents import Intent, SetLabels
from bots.models import Team
from bots.triage.decision import MOST_AREAS, Decision
from bots.triage.labels import taken_away, was_removed
from forge.models import Issue, TimelineEvent

BY_WORD = (DecidedBy.EXPLICIT, DecidedBy.RULES)
"""What decides the kind of a pull request: models have learned from issues alone."""


def old_issue(
    issue: Issue, decision: Decision, rows: Sequence[TimelineEvent], team: Team, *, wake: bool
) -> Iterator[Intent]:
    """The labels of an old issue, and with `wake` its work for the agent of its lane.

    What is not clear is left as it is, the lane too. What an author who is not of the team wants waits for `ready` as ever.
    """
    has_lane = bool(decision.lane_words) or len(team.lanes) == 1
    kind = () if decision.kind is None or decision.by is DecidedBy.DEFAULT else (decision.kind.label,)
    yield from _labels(issue, rows, team, kind, decision.areas if has_lane else ())
    if decision.injection_suspected:
        if INJECTION not in issue.labels and not was_removed(INJECTION, rows, team):
            yield SetLabels(issue.ref, add=(INJECTION,), key=f"risk:{issue.ref}")
        return
    if wake and has_lane and not issue.assignees:
        hold = hold_on(issue, team, lambda: rows)
        if hold is None or hold.may_run:
            yield GiveWork(issue.ref, decision.lane.agent, decision.lane.name, key=f"assign:{issue.ref}")


def old_pull(
    pull: Issue, decision: Decision, paths: Iterable[str], rows: Sequence[TimelineEvent], team: Team
) -> Iterator[Intent]:
    """The labels of an old pull request: its areas by the paths that it changes."""
    kind = () if decision.kind is None or decision.by not in BY_WORD else (decision.kind.label,)
    yield from _labels(pull, rows, team, kind, areas_of(paths, team))


def areas_of(paths: Iterable[str], team: Team) -> tuple[str, ...]:
    """The labels of the lanes to which paths belong; those of the most paths first."""
    known = tuple(paths)
    counts = {lane.label: len(lane.owned(known)) for lane in team.lanes}
    return tuple(label for label in sorted(counts, key=lambda label: -counts[label]) if counts[label])[:MOST_AREAS]


def _labels(
    issue: Issue, rows: Sequence[TimelineEvent], team: Team, kind: tuple[str, ...], areas: tuple[str, ...]
) -> Iterator[Intent]:
    """What is missing, of each scope in which nobody has set or taken away a label."""
    touched = (*issue.labels, *taken_away(rows, team))
    wanted: list[str] = []
    for labels in (kind, areas):
        scopes = tuple({f"{label.split('/')[0]}/" for label in labels})
        if labels and not any(label.startswith(scopes) for label in touched):
            wanted += labels
    if wanted:
        yield SetLabels(issue.ref, add=tuple(wanted), key=f"labels:{issue.ref}")
