"""State labels: derived from how runs stand, and reconciled; nothing else sets one.

What has to change is decided when it is done, from how things stand then. Performs no I/O but by the forge it is given.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from bots.intents import SyncStateLabels
from forge.models import Ref
from forge.protocol import Forge, Invalid
from hive.ledger import Ledger, RunState, SuspensionReason

log = logging.getLogger("hive.outbox.state_labels")

WORKING = "state/working"
IN_REVIEW = "state/review"
QUESTION = "state/question"
NEEDS_OPERATOR = "needs-operator"
QUEUE = "queue/"
"""The prefix of labels of issues that wait for their agent: the name of their lane follows."""

SUSPENDED = {
    SuspensionReason.MODEL_UNREACHABLE: "state/model-unreachable",
    SuspensionReason.RATE_LIMITED: "state/rate-limited",
    SuspensionReason.NEEDS_LOGIN: "state/needs-login",
    SuspensionReason.TOKEN_REJECTED: "state/needs-login",
    SuspensionReason.OVER_BUDGET: "state/over-budget",
    SuspensionReason.BUDGET_SPENT: "state/over-budget",
    SuspensionReason.PAUSED: "state/paused",
    SuspensionReason.STOPPED: "state/paused",
    SuspensionReason.CRASHED: "state/crashed",
    SuspensionReason.REPOSITORY_LOST: "state/repository-lost",
}
"""The labels of work that is suspended."""

STATE_LABELS = frozenset({WORKING, IN_REVIEW, QUESTION, *SUSPENDED.values()})
"""Labels that only the hive sets; other `state/…` labels belong to others."""

BLOCKING = frozenset({"blocked", "failed", "proposed", "no-op"})
"""Ends of a turn after which nothing happens before an operator does something."""


def labels_of(run: RunState) -> frozenset[str]:
    """The labels that show the state of a run; none once it has ended, or when it has answered."""
    if not run.is_open:
        return frozenset()
    if run.is_busy:
        return frozenset({WORKING if run.suspended is None else SUSPENDED.get(run.suspended, WORKING)})
    if run.asks:
        return frozenset({QUESTION, NEEDS_OPERATOR})
    if run.blocked or run.last in BLOCKING:
        return frozenset({NEEDS_OPERATOR})
    partial = {NEEDS_OPERATOR} if run.last == "partial" else set()
    return frozenset({IN_REVIEW} | partial) if run.pull else frozenset(partial)


def is_asking(run: RunState) -> bool:
    """Whether a run ended its turn with a question or a failure, and no operator was called yet."""
    return run.is_open and not run.is_busy and not run.blocked and run.last in {"blocked", "failed"}


def labels_of_issue(runs: Iterable[RunState]) -> frozenset[str]:
    """The labels of an issue with several runs: one state, that of the most active run."""
    wanted = frozenset[str]().union(*map(labels_of, runs))
    states = [label for label in (*SUSPENDED.values(), WORKING, QUESTION, IN_REVIEW) if label in wanted]
    return (wanted - STATE_LABELS) | frozenset(states[:1])


def sync(forge: Forge, ledger: Ledger, action: SyncStateLabels) -> dict[str, str]:
    """Set the labels of an issue and of its pull requests by the state of its runs; returns what changed by ref.

    Raises NotFound if the issue is gone.
    """
    runs = ledger.run_states.of(str(action.ref))
    wanted = labels_of_issue(runs)
    # Runs may have moved on since the labels were enqueued: what is set now must be known when they end.
    for run in runs:
        known = frozenset((run.labels or "").split())
        if run.is_open and run.labels is not None and not wanted <= known:
            ledger.run_states.set_labels(run.id, " ".join(sorted(known | wanted)))
    queued = ledger.ready_queue.get(str(action.ref)) if any(run.is_open for run in runs) else None
    waits = {f"{QUEUE}{queued.lane}"} if queued is not None and queued.is_labelled else set()
    changed = {str(action.ref): _set(forge, action.ref, wanted, _managed(runs, action) | STATE_LABELS | waits)}
    if queued is not None:
        ledger.ready_queue.remove(queued.ref)
    for run in runs:
        if run.pull is not None and (run.is_open or run is runs[-1]):
            needs = labels_of(run) & {NEEDS_OPERATOR}
            changed[run.pull] = _set(forge, Ref.parse(run.pull), needs, _managed([run], action))
    return {ref: words for ref, words in changed.items() if words}


def _managed(runs: Iterable[RunState], action: SyncStateLabels) -> frozenset[str]:
    # Without a run `needs-operator` was set by others, and stays.
    return frozenset({NEEDS_OPERATOR}) if any(run.is_open for run in runs) else frozenset(action.gone)


def _set(forge: Forge, ref: Ref, wanted: frozenset[str], managed: frozenset[str]) -> str:
    """Set those labels that are `managed`; a closed issue gets none. Returns a summary of the change."""
    issue = forge.issue(ref)
    have = frozenset(issue.labels)
    if not issue.is_open:
        wanted, managed = frozenset(), STATE_LABELS | {NEEDS_OPERATOR}
    add, remove = sorted(wanted - have), sorted((managed & have) - wanted)
    if not add and not remove:
        return ""
    try:
        forge.label(ref, add=add, remove=remove)
    except (
        Invalid
    ) as error:  # a label that `hive init` has not made there yet: the truth without it is better than none
        log.warning("label_missing ref=%s error=%r", ref, str(error)[:200])
        forge.label(ref, add=(), remove=remove)
        add = []
    return " ".join([*(f"+{label}" for label in add), *(f"-{label}" for label in remove)])
