"""Deeds that the hive owes itself: they change the ledger only, and reach no forge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bots import intents
from forge.events import Event, ReviewAsked
from hive.deeds import Deed
from hive.ledger import NEVER, Effect, Ledger, Origin, Priority, Scope, Why

AT_HOME = (
    *(
        intents.StartRun,
        intents.ContinueRun,
        intents.BlockRun,
        intents.EndRun,
        intents.Recall,
        intents.AskReview,
        intents.Propose,
    ),
    *(intents.WakeRuns, intents.Deploy, intents.Pause, intents.Resume, intents.Restart, intents.UseModel),
)
"""Deeds that the hive owes itself: they change the ledger only."""


class Dropped(Exception):
    """The world has moved on: the deed would be wrong now."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a deed made: where to look at it, what others need to know of it, and the event that will tell of it."""

    url: str = ""
    result: Mapping[str, Any] | None = None
    detail: Mapping[str, Any] | None = None
    made: str = ""


class Home:
    """Runs, jobs, parking and deployments, as deeds want them."""

    def __init__(self, ledger: Ledger, listeners: Callable[[str, Event], Iterable[str]]) -> None:
        self._ledger = ledger
        self._listeners = listeners

    def do(self, effect: Effect, deed: Deed) -> Done:
        """Do one; doing it again comes to the same. Raises Dropped."""
        runs, deployments = self._ledger.runs, self._ledger.deployments
        match deed:
            case intents.StartRun():
                run = runs.start(
                    *(effect.team, deed.agent, str(deed.ref), effect.key, deed.task),
                    again=deed.again,
                    effect=effect.id,
                    depth=effect.depth,
                )
                return Done(result={"run": run}, detail={"run": run, "agent": deed.agent})
            case intents.ContinueRun():
                runs.push(
                    *(deed.run, deed.key, deed.message),
                    by_person=deed.by_person,
                    effect=effect.id,
                    depth=effect.depth,
                    answers=deed.answers,
                )
                self._ledger.conversations.keep(deed.run, deed.about, deed.head_sha)
                return Done(detail={"run": deed.run})
            case intents.BlockRun():
                runs.block(deed.run, deed.reason)
                return Done(detail={"run": deed.run, "reason": deed.reason})
            case intents.EndRun():
                runs.end(deed.run, deed.outcome)
                return Done(detail={"run": deed.run, "outcome": deed.outcome})
            case intents.AskReview():
                self._ask_review(effect, deed)
                return Done()
            case intents.Propose():
                deployments.propose(str(deed.ref), deed.head_sha, deed.tree)
                return Done(detail={"head": deed.head_sha})
            case intents.WakeRuns():
                waiting = runs.woken_by(str(deed.ref))
                for run in waiting:
                    runs.push(
                        *(run, f"{deed.key}:{run}", deed.message), by_person=True, effect=effect.id, depth=effect.depth
                    )
                return Done(detail={"runs": waiting})
            case intents.Deploy():
                deployments.ask(deed.agent)
                return Done(detail={"agent": deed.agent})
            case _:
                return self._command(effect, deed)

    def _ask_review(self, effect: Effect, deed: intents.AskReview) -> None:
        """Make jobs of a wish: an operator's word is urgent, a bot's wish as urgent as the look that it came of."""
        asked = ReviewAsked(deed.ref, deed.by, effect.key, again=not deed.bot)
        listening = [bot for bot in self._listeners(effect.team, asked) if deed.bot in {"", bot}]
        if not listening:
            raise Dropped("no bot reviews here")
        origin = Origin(Priority.OPERATOR, cause=effect.id, depth=effect.depth)
        if deed.bot and effect.job is not None:
            origin = self._ledger.jobs.origin(effect.job, cause=effect.id)
        self._ledger.jobs.owe(effect.team, [(bot, asked) for bot in listening], origin=origin)

    def _command(self, effect: Effect, deed: Deed) -> Done:
        """What an operator says of an agent."""
        runs, deployments = self._ledger.runs, self._ledger.deployments
        match deed:
            case intents.Pause():
                reason = f"paused by {deed.by.login}"
                self._ledger.parking.park(effect.team, Scope.AGENT, deed.agent, Why.PAUSED, reason, until=NEVER)
                return Done(detail={"agent": deed.agent})
            case intents.Resume():
                self._ledger.parking.release(effect.team, Scope.AGENT, deed.agent, Why.PAUSED)
                return Done(detail={"agent": deed.agent})
            case intents.Restart():
                deployments.ask_restart(deed.agent)
                return Done(detail={"agent": deed.agent})
            case intents.UseModel():
                deployments.choose_model(deed.agent, deed.model)
                return Done(detail={"agent": deed.agent, "model": deed.model})
            case intents.Recall():
                runs.push(
                    *(deed.run, deed.key, deed.message),
                    by_person=True,
                    effect=effect.id,
                    depth=effect.depth,
                    memory=deed.memory,
                )
                return Done(detail={"run": deed.run, "memory": deed.memory})
            case _:
                raise AssertionError(f"no executor for {type(deed).WIRE}")
