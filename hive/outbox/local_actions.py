"""Deeds that the hive owes itself: they change the ledger only, and reach no forge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bots import intents
from forge.events import Event, ReviewAsked
from hive.ledger import NEVER, Effect, Ledger, Origin, Priority, Scope, Why
from hive.outbox.actions import Action

LOCAL_ACTIONS = (
    *(
        intents.StartRun,
        intents.ContinueRun,
        intents.BlockRun,
        intents.EndRun,
        intents.ResetContext,
        intents.RequestBotReview,
        intents.PinProposal,
    ),
    *(intents.ResumeRuns, intents.Deploy, intents.Pause, intents.Resume, intents.Restart, intents.SetModel),
)
"""Deeds that the hive owes itself: they change the ledger only."""


class Superseded(Exception):
    """The world has moved on: the deed would be wrong now."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a deed made: where to look at it, what others need to know of it, and the event that will tell of it."""

    url: str = ""
    result: Mapping[str, Any] | None = None
    detail: Mapping[str, Any] | None = None
    made: str = ""


class LocalExecutor:
    """Runs, jobs, parking and deployments, as deeds want them."""

    def __init__(self, ledger: Ledger, listeners: Callable[[str, Event], Iterable[str]]) -> None:
        self._ledger = ledger
        self._listeners = listeners

    def do(self, effect: Effect, action: Action) -> Result:
        """Do one; doing it again comes to the same. Raises Dropped."""
        runs, deployments = self._ledger.runs, self._ledger.deployments
        match action:
            case intents.StartRun():
                run = runs.start(
                    *(effect.team, action.agent, str(action.ref), effect.key, action.task),
                    again=action.again,
                    effect=effect.id,
                    depth=effect.depth,
                )
                return Result(result={"run": run}, detail={"run": run, "agent": action.agent})
            case intents.ContinueRun():
                runs.push(
                    *(action.run, action.key, action.message),
                    by_person=action.by_person,
                    effect=effect.id,
                    depth=effect.depth,
                    answers=action.answers,
                )
                self._ledger.conversations.keep(action.run, action.about, action.head_sha)
                return Result(detail={"run": action.run})
            case intents.BlockRun():
                runs.block(action.run, action.reason)
                return Result(detail={"run": action.run, "reason": action.reason})
            case intents.EndRun():
                runs.end(action.run, action.outcome)
                return Result(detail={"run": action.run, "outcome": action.outcome})
            case intents.RequestBotReview():
                self._ask_review(effect, action)
                return Result()
            case intents.PinProposal():
                deployments.propose(str(action.ref), action.head_sha, action.tree)
                return Result(detail={"head": action.head_sha})
            case intents.ResumeRuns():
                waiting = runs.woken_by(str(action.ref))
                for run in waiting:
                    runs.push(
                        *(run, f"{action.key}:{run}", action.message),
                        by_person=True,
                        effect=effect.id,
                        depth=effect.depth,
                    )
                return Result(detail={"runs": waiting})
            case intents.Deploy():
                deployments.ask(action.agent)
                return Result(detail={"agent": action.agent})
            case _:
                return self._command(effect, action)

    def _ask_review(self, effect: Effect, action: intents.RequestBotReview) -> None:
        """Make jobs of a wish: an operator's word is urgent, a bot's wish as urgent as the look that it came of."""
        asked = ReviewAsked(action.ref, action.by, effect.key, again=not action.bot)
        listening = [bot for bot in self._listeners(effect.team, asked) if action.bot in {"", bot}]
        if not listening:
            raise Superseded("no bot reviews here")
        origin = Origin(Priority.OPERATOR, cause=effect.id, depth=effect.depth)
        if action.bot and effect.job is not None:
            origin = self._ledger.jobs.origin(effect.job, cause=effect.id)
        self._ledger.jobs.enqueue(effect.team, [(bot, asked) for bot in listening], origin=origin)

    def _command(self, effect: Effect, action: Action) -> Result:
        """What an operator says of an agent."""
        runs, deployments = self._ledger.runs, self._ledger.deployments
        match action:
            case intents.Pause():
                reason = f"paused by {action.by.login}"
                self._ledger.suspensions.suspend(
                    effect.team, Scope.AGENT, action.agent, Why.PAUSED, reason, until=NEVER
                )
                return Result(detail={"agent": action.agent})
            case intents.Resume():
                self._ledger.suspensions.release(effect.team, Scope.AGENT, action.agent, Why.PAUSED)
                return Result(detail={"agent": action.agent})
            case intents.Restart():
                deployments.ask_restart(action.agent)
                return Result(detail={"agent": action.agent})
            case intents.SetModel():
                deployments.choose_model(action.agent, action.model)
                return Result(detail={"agent": action.agent, "model": action.model})
            case intents.ResetContext():
                runs.push(
                    *(action.run, action.key, action.message),
                    by_person=True,
                    effect=effect.id,
                    depth=effect.depth,
                    memory=action.memory,
                )
                return Result(detail={"run": action.run, "memory": action.memory})
            case _:
                raise AssertionError(f"no executor for {type(action).WIRE}")
