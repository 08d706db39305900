"""The queue of a base update, in a few words for each agent. Reads the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from bots.configurations import ConfigurationView
from hive.config.freeze import is_frozen
from hive.ledger import CascadeStep, Ledger

NEXT = "is rebuilt next, on the base of {sha}"
BEHIND = "is rebuilt on the base of {sha} after {number} other{s}"
WAITS = "is not rebuilt on the base of {sha} yet: {why}"
FAILED = "could not be rebuilt on the base of {sha}, and goes on: {why}"


def rebuild_queue(ledger: Ledger, forge: str) -> dict[str, str]:
    """What the newest base update of a forge has not done for agents, by agent."""
    cascade = ledger.cascades.counting(forge)
    if cascade is None:
        return {}
    return dict(_said(cascade.sha[:7], ledger.cascades.steps(cascade.id)))


def base_view(ledger: Ledger, forge: str) -> ConfigurationView:
    """How the base of a forge stands, for commands: what failed can be tried again, what is queued may wait for a freeze."""
    cascade = ledger.cascades.counting(forge)
    if cascade is None:
        return ConfigurationView()
    steps = ledger.cascades.steps(cascade.id)
    failed, waits = (
        any(step.has_failed for step in steps),
        any(step.is_queued and is_frozen(step.why) for step in steps),
    )
    return ConfigurationView(last=cascade.sha, pulls=cascade.pulls, failed=failed, waits=waits)


def _said(sha: str, steps: list[CascadeStep]) -> Iterator[tuple[str, str]]:
    before = sum(step.is_under_way for step in steps)
    for step in steps:
        if step.has_failed:
            yield step.agent, FAILED.format(sha=sha, why=next(iter(step.why.splitlines()), ""))
        elif step.is_queued and step.why:
            yield step.agent, WAITS.format(sha=sha, why=step.why)
        elif step.is_queued:
            yield step.agent, (BEHIND if before else NEXT).format(sha=sha, number=before, s="s" * (before > 1))
            before += 1
