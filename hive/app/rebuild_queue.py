"""The queue of a base update, in a few words for each agent. Reads the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from hive.ledger import CascadeStep, Ledger

NEXT = "base {base}: next to be rebuilt"
BEHIND = "base {base}: {number} before it"
WAITS = "base {base}: waits, {why}"
FAILED = "base {base} failed: {why}"


def rebuild_queue(ledger: Ledger, forge: str) -> dict[str, str]:
    """What the newest base update of a forge has not done for agents, by agent."""
    cascade = ledger.cascades.newest(forge)
    if cascade is None or cascade.base != ledger.bases.accepted(forge):
        return {}
    return dict(_said(cascade.base[:7] or "none", ledger.cascades.steps(cascade.id)))


def _said(base: str, steps: list[CascadeStep]) -> Iterator[tuple[str, str]]:
    before = sum(step.is_under_way for step in steps)
    for step in steps:
        if step.has_failed:
            yield step.agent, FAILED.format(base=base, why=next(iter(step.why.splitlines()), ""))
        elif step.is_queued and step.why:
            yield step.agent, WAITS.format(base=base, why=step.why)
        elif step.is_queued:
            yield step.agent, (BEHIND if before else NEXT).format(base=base, number=before)
            before += 1
