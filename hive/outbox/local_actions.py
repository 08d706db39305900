"""Handlers of actions that change only the ledger: runs, turns, jobs, suspensions, deployments."""

from __future__ import annotations

from bots.agent_intents import (
    Deploy,
    Pause,
    RaiseBudget,
    RecordCorrection,
    ResetContext,
    Restart,
    Resume,
    SetModel,
    SetUrgency,
)
from bots.intents import BlockRun, ContinueRun, EndRun, PinProposal, RequestBotReview, ResumeRuns, StartRun
from bots.review_intents import CloseReview, DismissFinding
from bots.turn_request import TurnRequest
from forge.events import ReviewAsked
from hive.codec import Codec
from hive.ledger import CANCELLED, NEVER, Dismissal, Origin, Priority, Scope, SuspensionReason
from hive.outbox.handover import enqueue_drain
from hive.outbox.progress import enqueue_progress
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()


@HANDLERS.on(StartRun, local=True)
def start_run(execution: Execution, action: StartRun) -> Result:
    """Start a run of an agent on an issue, or continue the open one."""
    effect = execution.effect
    run = execution.ledger.runs.start(
        *(effect.team, action.agent, str(action.ref), effect.key, action.task),
        again=action.again,
        effect=effect.id,
        depth=effect.depth,
        request=_written(action.request),
        wake=action.wake,
        priority=int(action.urgent),
    )
    if action.wake:  # the answer is all that comes of it: there is nothing to follow
        return Result(result={"run": run}, detail={"run": run, "agent": action.agent, "wake": action.wake})
    found = execution.ledger.progress.of(run)
    if found is not None and not found[1].digest:
        enqueue_progress(execution.ledger, execution.team.accounts["core"].login, found[0], "start")
    return Result(result={"run": run}, detail={"run": run, "agent": action.agent})


@HANDLERS.on(SetUrgency, local=True)
def set_urgency(execution: Execution, action: SetUrgency) -> Result:
    """Let the runs on an issue go first, or no more."""
    execution.ledger.runs.set_priority(str(action.ref), int(action.urgent))
    return Result(detail={"urgent": action.urgent})


@HANDLERS.on(RecordCorrection, local=True)
def record_correction(execution: Execution, action: RecordCorrection) -> Result:
    """Remember what somebody says an issue is."""
    said = {"kind": action.kind, "lane": action.lane, "by": action.by}
    execution.ledger.corrections.record(execution.effect.team, str(action.ref), **said)
    return Result(detail=said)


@HANDLERS.on(ContinueRun, local=True)
def continue_run(execution: Execution, action: ContinueRun) -> Result:
    """Give a run one more turn, and remember the conversations that its message is about."""
    effect, ledger = execution.effect, execution.ledger
    ledger.runs.add_turn(
        *(action.run, action.key, action.message),
        by_person=action.by_person,
        effect=effect.id,
        depth=effect.depth,
        answers=action.answers,
        request=_written(action.request),
    )
    ledger.conversations.track(action.run, action.about, action.head_sha)
    return Result(detail={"run": action.run})


@HANDLERS.on(ResetContext, local=True)
def reset_context(execution: Execution, action: ResetContext) -> Result:
    """Give a run a turn that begins with a compacted transcript, or with none."""
    effect, asked = execution.effect, execution.ledger.questions.open_of(action.run)
    if asked is not None and action.memory == "new":  # the agent will not remember what it asked
        execution.ledger.questions.settle(asked.id, "cancelled", CANCELLED)
    execution.ledger.runs.add_turn(
        *(action.run, action.key, action.message),
        by_person=True,
        effect=effect.id,
        depth=effect.depth,
        memory=action.memory,
    )
    return Result(detail={"run": action.run, "memory": action.memory})


@HANDLERS.on(RaiseBudget, local=True)
def raise_budget(execution: Execution, action: RaiseBudget) -> Result:
    """Add to the caps of an issue and its run, and give a turn to the runs that one of them had stopped."""
    effect, ledger = execution.effect, execution.ledger
    stopped = ledger.budgets.raise_caps(str(action.ref), action.run, action.amount)
    for run in stopped:
        ledger.runs.add_turn(
            *(run, f"{action.key}:{run}", action.message), by_person=True, effect=effect.id, depth=effect.depth
        )
    return Result(detail={"run": action.run, "amount": action.amount, "by": action.by.login, "continued": stopped})


@HANDLERS.on(BlockRun, local=True)
def block_run(execution: Execution, action: BlockRun) -> Result:
    """Stop a run until an operator answers."""
    execution.ledger.runs.block(action.run, action.reason)
    return Result(detail={"run": action.run, "reason": action.reason})


@HANDLERS.on(EndRun, local=True)
def end_run(execution: Execution, action: EndRun) -> Result:
    """End a run, and look at what waits for its agent."""
    execution.ledger.runs.end(action.run, action.outcome)
    ended = execution.ledger.runs.record(action.run)
    if ended is not None:
        enqueue_drain(execution, action.run, ended.ref, ended.agent)
    return Result(detail={"run": action.run, "outcome": action.outcome})


@HANDLERS.on(ResumeRuns, local=True)
def resume_runs(execution: Execution, action: ResumeRuns) -> Result:
    """Give a turn to every run that waits for a pull request on a configuration."""
    effect, runs = execution.effect, execution.ledger.runs
    waiting = runs.dependents(str(action.ref))
    for run in waiting:
        runs.add_turn(
            *(run, f"{action.key}:{run}", action.message), by_person=True, effect=effect.id, depth=effect.depth
        )
    return Result(detail={"runs": waiting})


@HANDLERS.on(RequestBotReview, local=True)
def request_bot_review(execution: Execution, action: RequestBotReview) -> Result:
    """Enqueue review jobs: urgent if an operator asked, else with the priority of the job that asked."""
    effect, ledger = execution.effect, execution.ledger
    asked = ReviewAsked(action.ref, action.by, effect.key, again=not action.bot, full=action.full)
    bots = [bot for bot in execution.services.listeners(effect.team, asked) if action.bot in {"", bot}]
    if not bots:
        raise Superseded("no bot reviews here")
    origin = Origin(Priority.OPERATOR, cause=effect.id, depth=effect.depth)
    if action.bot and effect.job is not None:
        origin = ledger.jobs.origin(effect.job, cause=effect.id)
    ledger.jobs.enqueue(effect.team, [(bot, asked) for bot in bots], origin=origin)
    return Result()


@HANDLERS.on(DismissFinding, local=True)
def dismiss_finding(execution: Execution, action: DismissFinding) -> Result:
    """Remember that an operator dismissed a finding, for the code that it was about."""
    dismissal = Dismissal(action.number, action.context, action.rule, action.path, action.by.login, action.why)
    execution.ledger.review_memory.dismiss(str(action.ref), dismissal)
    return Result(detail={"number": action.number, "rule": action.rule, "path": action.path, "why": action.why})


@HANDLERS.on(CloseReview, local=True)
def close_review(execution: Execution, action: CloseReview) -> Result:
    """Remember since when a reviewed pull request is over; it is not reviewed again by itself."""
    execution.ledger.review_memory.close(str(action.ref))
    execution.ledger.verdict_retries.drop(str(action.ref))
    return Result()


@HANDLERS.on(PinProposal, local=True)
def pin_proposal(execution: Execution, action: PinProposal) -> Result:
    """Pin a reviewed head of a configuration, with the tree that was evaluated."""
    execution.ledger.proposals.pin(str(action.ref), action.head_sha, action.tree)
    return Result(detail={"head": action.head_sha})


@HANDLERS.on(Deploy, local=True)
def deploy(execution: Execution, action: Deploy) -> Result:
    """Ask the reconciler to look at an agent's configuration."""
    execution.ledger.deployments.request_check(action.agent)
    return Result(detail={"agent": action.agent})


@HANDLERS.on(Restart, local=True)
def restart(execution: Execution, action: Restart) -> Result:
    """Ask the reconciler to restart an agent's container."""
    execution.ledger.deployments.request_restart(action.agent)
    return Result(detail={"agent": action.agent})


@HANDLERS.on(SetModel, local=True)
def set_model(execution: Execution, action: SetModel) -> Result:
    """Choose the model of an agent from its next turn on."""
    execution.ledger.deployments.set_model(action.agent, action.model)
    return Result(detail={"agent": action.agent, "model": action.model})


@HANDLERS.on(Pause, local=True)
def pause(execution: Execution, action: Pause) -> Result:
    """Suspend an agent until an operator resumes it."""
    reason = f"paused by {action.by.login}"
    execution.ledger.suspensions.suspend(
        execution.effect.team, Scope.AGENT, action.agent, SuspensionReason.PAUSED, reason, until=NEVER
    )
    return Result(detail={"agent": action.agent})


@HANDLERS.on(Resume, local=True)
def resume(execution: Execution, action: Resume) -> Result:
    """Resume a paused agent."""
    execution.ledger.suspensions.resume(execution.effect.team, Scope.AGENT, action.agent, SuspensionReason.PAUSED)
    return Result(detail={"agent": action.agent})


def _written(request: TurnRequest | None) -> str:
    return "" if request is None else Codec(TurnRequest).dumps(request)
