"""What the one comment about a base update says, from what the ledger knows of it. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bots.markdown import code, listed, plain
from hive.config.freeze import is_frozen
from hive.ledger import Cascade, CascadeStep, DeploymentState, StepState

UNDER_WAY = "🧱 **The base of {sha} is rolled out**: {done} of {all} containers are done"
ALL_RUN = "🟢 **Every container is on the base of {sha}** · {all} in {seconds} s"
SOME_FAILED = "🔴 **{failed} of {all} containers could not be rebuilt on the base of {sha}**, and go on as they were"
NOBODY = "🟢 **The base of {sha} counts**: no container is there to be rebuilt"
HEAD = "| agent | result | time |\n|---|---|---|"
WHY = "**Why {agent} stays as it was**\n\n{why}"
AGAIN = (
    "When the reason is gone, an operator's `/retry` here tries all of these again, `hive agents rebuild NAME` on the machine of"
    " the hive one of them; so does the next change of its configuration."
)
NOT_WAITING = "`/deploy now` here by an operator does not wait for the end of the freeze window."

FAILED = "🔴 not rebuilt, what it ran goes on"
STATES = {
    StepState.QUEUED: "⏳ queued",
    StepState.RELEASED: "⏳ queued",
    StepState.JOINED: "⏸️ comes with its own change",
    StepState.UNNEEDED: "🟢 runs on it already",
    StepState.GONE: "➖ has no container",
    StepState.SUPERSEDED: "➖ left to the next base",
}
STEPS = {
    DeploymentState.BUILD: "🔨 is built",
    DeploymentState.SWITCH: "🔨 is switched",
    DeploymentState.ACTIVATE: "🔨 is started",
    DeploymentState.PROBE: "🔨 has to answer",
    DeploymentState.ROLLING_BACK: "↩️ what it ran comes back",
    DeploymentState.DEPLOYED: "🟢 rebuilt",
}
MOST_LINES = 12
MOST_ROWS, MOST_WHYS = 300, 20


def cascade_text(cascade: Cascade, steps: Sequence[CascadeStep]) -> str:
    """The whole comment, without its marker."""
    failed = [step for step in steps if step.has_failed]
    frozen = [NOT_WAITING] if any(step.is_queued and is_frozen(step.why) for step in steps) else []
    return "\n\n".join([_heading(cascade, steps, len(failed)), *_table(steps), *frozen, *_whys(failed)])


def result_of(step: CascadeStep) -> str:
    """How one container is doing, in a few words."""
    if step.has_failed:
        return FAILED
    if step.deployment is not None and step.state in (StepState.STARTED, StepState.JOINED):
        return STEPS.get(step.deployment, STATES[StepState.JOINED])
    said = STATES.get(step.state, step.state.value)
    return f"{said}: {step.why}" if step.is_queued and step.why else said


def _heading(cascade: Cascade, steps: Sequence[CascadeStep], failed: int) -> str:
    facts = {"sha": code(cascade.sha[:7]), "all": len(steps), "failed": failed}
    if not cascade.is_over:
        done = sum(not (step.is_queued or step.is_under_way) for step in steps)
        return UNDER_WAY.format(done=done, **facts)
    if not steps:
        return NOBODY.format(**facts)
    seconds = round(max(step.ended_at for step in steps) - cascade.created_at)
    return (SOME_FAILED if failed else ALL_RUN).format(seconds=max(0, seconds), **facts)


def _table(steps: Sequence[CascadeStep]) -> Iterator[str]:
    rows = [f"| {plain(step.agent)} | {plain(result_of(step))} | {_time(step)} |" for step in steps[:MOST_ROWS]]
    if len(steps) > MOST_ROWS:
        rows.append(f"| and {len(steps) - MOST_ROWS} more | | |")
    if rows:
        yield "\n".join([HEAD, *rows])


def _time(step: CascadeStep) -> str:
    return f"{max(0.0, step.ended_at - step.started_at):.1f} s" if step.ended_at else ""


def _whys(failed: Sequence[CascadeStep]) -> Iterator[str]:
    for step in failed[:MOST_WHYS]:
        yield WHY.format(agent=plain(step.agent), why=listed(step.why.splitlines()[-MOST_LINES:]))
    if failed:
        yield AGAIN
