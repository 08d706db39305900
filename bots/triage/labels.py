"""Which labels triage sets on an issue, and which are people's. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bots.models import Team
from bots.triage.decision import Decision
from forge.models import Issue, TimelineEvent

TYPE = "type/"


def missing_labels(issue: Issue, decision: Decision) -> Iterator[str]:
    """The labels that are missing; next to a person's own `type/…` or `area/…` none is added."""
    for labels in _wanted(decision):
        if not any(have.startswith(_scopes(labels)) for have in issue.labels):
            yield from labels


def of_people(issue: Issue, rows: Sequence[TimelineEvent], team: Team) -> tuple[str, ...]:
    """The labels of an issue that the hive has not set itself."""
    last = {row.label: row for row in rows if row.kind == "label"}
    return tuple(label for label in issue.labels if label not in last or not _by_machine(last[label], team))


def was_removed(label: str, rows: Sequence[TimelineEvent], team: Team) -> bool:
    """Whether a person has ever taken a label away."""
    return label in taken_away(rows, team)


def taken_away(rows: Sequence[TimelineEvent], team: Team) -> frozenset[str]:
    """The labels that a person has ever taken off an issue."""
    return frozenset(row.label for row in rows if row.kind == "label" and row.removed and not _by_machine(row, team))


def swapped_labels(
    issue: Issue, decision: Decision, rows: Sequence[TimelineEvent], team: Team
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What to add and to remove when an issue is decided once more: scopes that a person has touched stay as they are."""
    people = of_people(issue, rows, team)
    add: list[str] = []
    remove: list[str] = []
    for labels in _wanted(decision):
        scopes = _scopes(labels)
        if any(have.startswith(scopes) for have in people) or _is_touched(scopes, rows, team):
            continue
        mine = [have for have in issue.labels if have.startswith(scopes)]
        add += [label for label in labels if label not in mine]
        remove += [have for have in mine if have not in labels]
    return tuple(add), tuple(remove)


def _wanted(decision: Decision) -> Iterator[tuple[str, ...]]:
    if decision.kind is not None:
        yield (decision.kind.label,)
    yield decision.areas


def _scopes(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple({label.split("/")[0] + "/" for label in labels})


def _is_touched(scopes: tuple[str, ...], rows: Sequence[TimelineEvent], team: Team) -> bool:
    return any(row.kind == "label" and row.label.startswith(scopes) and not _by_machine(row, team) for row in rows)


def _by_machine(row: TimelineEvent, team: Team) -> bool:
    return row.actor is not None and team.is_machine(row.actor)
