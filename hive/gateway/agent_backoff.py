"""Suspends an agent whose model does not answer: for how long, with which label, and an issue if operators must act.

Only the status and type of the API's answer count: agents write about rate limits too. Pending work resumes by itself:
when the time has come one turn is let through, and the model's answer ends or prolongs the suspension.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace

from bots.intents import OpenIssue
from bots.markdown import code, plain
from forge.models import Repo
from hive import backoff
from hive.gateway.budget_waits import BudgetWaits
from hive.gateway.model_errors import ModelFailed
from hive.ledger import Act, Ledger, Scope, Suspension, SuspensionReason, Turn
from hive.outbox.enqueue import enqueue

log = logging.getLogger("hive.gateway.agent_backoff")

BY = "rest"
PATIENCE_SECONDS = 10.0
"""A wait that the model asks for is waited for in place up to this."""

LONGEST_ASKED = 3600.0
"""Of a wait that the model asks for no more than this is believed."""

BACKOFF = {
    SuspensionReason.MODEL_UNREACHABLE: backoff.MODEL_UNREACHABLE,
    SuspensionReason.RATE_LIMITED: backoff.MODEL_RATE_LIMITED,
    SuspensionReason.NEEDS_LOGIN: backoff.MODEL_NEEDS_LOGIN,
    SuspensionReason.OVER_BUDGET: backoff.MODEL_OVER_BUDGET,
}
"""Seconds until the first attempt, and between two attempts at most."""

TITLES = {
    SuspensionReason.NEEDS_LOGIN: "🔴 the model does not let {agent} in",
    SuspensionReason.OVER_BUDGET: "🔴 the model's budget for {agent} is spent",
}
BODY = """\
{agent} was given work and cannot think. Its turns wait since then; nothing is lost, and they go on by themselves.

{fix}

{reason}
"""
FIX = {
    SuspensionReason.NEEDS_LOGIN: "Give it a key that its model accepts, on the hive's host: `hive login {agent}`.",
    SuspensionReason.OVER_BUDGET: "Raise the limit at the model's provider, or wait until it is renewed.",
}


@dataclass(frozen=True, slots=True)
class ModelRefusal:
    """Why the model did not answer, and how many seconds it asked to wait.

    `passing` is whether the next request may succeed: then it is worth retrying in place.
    """

    why: SuspensionReason
    reason: str
    seconds: float = 0.0
    passing: bool = False

    @property
    def at_once(self) -> bool:
        """Whether asking again soon is no use."""
        return not self.passing or self.seconds > PATIENCE_SECONDS


def model_refusal(error: ModelFailed) -> ModelRefusal | None:
    """What an answer of the model's API means for the agent; None if it is about this one request."""
    kind = error.kind
    reason = f"{error.status} {kind}".strip()
    said = " ".join(error.message.split())[:200]
    told = f"{reason}: {said}" if said else reason
    if error.status in (401, 403):
        return ModelRefusal(SuspensionReason.NEEDS_LOGIN, told)
    spent = error.status == 429 and error.headers.get("x-should-retry") == "false"
    if spent or error.status == 402 or kind == "billing_error" or "credit balance" in error.message:
        return ModelRefusal(SuspensionReason.OVER_BUDGET, reason)
    seconds = _seconds(error.headers.get("retry-after", ""))
    if error.unreachable:
        return ModelRefusal(SuspensionReason.MODEL_UNREACHABLE, f"the model is unreachable: {error.unreachable}")
    if error.status in (429, 529) or kind == "overloaded_error":
        return ModelRefusal(SuspensionReason.RATE_LIMITED, reason, seconds, passing=True)
    if error.status == 408 or error.status >= 500:
        return ModelRefusal(SuspensionReason.MODEL_UNREACHABLE, told, seconds, passing=True)
    return None


def _seconds(told: str) -> float:
    number = told.replace(".", "", 1)
    return min(float(told), LONGEST_ASKED) if number.isascii() and number.isdecimal() else 0.0


@dataclass
class AgentBackoff:
    """The backoff of one agent; the gateway reports the model's answers, the broker paused turns."""

    ledger: Ledger
    team: str
    agent: str
    core: str
    ops: Repo
    _last: tuple[int, ModelRefusal] | None = None
    """The turn for which the model refused last, and what that means."""

    _said: bool = False
    """Whether an outage of the model was recorded since its last answer."""

    _guard: threading.Lock = field(default_factory=threading.Lock)

    def refused(self, turn: Turn, error: ModelFailed) -> ModelRefusal | None:
        """The model refused what a turn asked; returns what that means for the agent."""
        found = model_refusal(error)
        if found is None:
            return None
        with self._guard:
            again = self._last is not None and self._last[1].why is found.why is SuspensionReason.MODEL_UNREACHABLE
            if again:  # one fault may pass, two in a row do not pass in the next seconds
                found = replace(found, passing=False)
            self._last = turn.id, found
            is_news = found.why is SuspensionReason.MODEL_UNREACHABLE and not self._said
            self._said |= is_news
        if is_news:
            self.ledger.audit.add(self.agent, Act.MODEL_UNREACHABLE, team=self.team, ref=turn.ref, reason=found.reason)
        return found

    def answered(self) -> None:
        """The model has answered: end suspensions because of it."""
        with self._guard:
            self._last, self._said = None, False
        for suspension in self._suspended():
            self._go_on(suspension)

    def is_paused(self) -> bool:
        """Whether an operator has paused or stopped the agent."""
        return any(
            suspension.reason in {SuspensionReason.PAUSED, SuspensionReason.STOPPED}
            for suspension in self.ledger.suspensions.of(self.team, Scope.AGENT, self.agent)
        )

    def put_down(self, turn: Turn) -> None:
        """A turn cannot continue: release it, and suspend the agent for the model's last refusal, or for its budget.

        Without such a refusal, and if the agent is not paused, the turn itself is at fault: that costs it an attempt, and the
        agent continues with others.
        """
        with self._guard:
            last, self._last = self._last, None
        reached = self.ledger.budgets.stopped(turn.id)
        if reached is not None and reached.until:
            BudgetWaits(self.ledger).put_down(self.team, turn, reached)
            return
        found = last[1] if last is not None and last[0] == turn.id else None
        # A request may be unanswerable for what this turn asks; an overload concerns all turns.
        behind = self.ledger.clock() if found is not None and found.why is SuspensionReason.MODEL_UNREACHABLE else 0.0
        with self.ledger.transaction():
            if found is None and not self.is_paused():
                self.ledger.runs.release(self.agent)
            elif self.ledger.runs.pause(turn, behind=behind) and found is not None:
                self._suspend(turn, found)

    def _suspend(self, turn: Turn, why: ModelRefusal) -> None:
        ledger = self.ledger
        known = next((suspension for suspension in self._suspended() if suspension.reason is why.why), None)
        if known is not None:
            delay = BACKOFF[why.why].delay(known.attempts + 2, at_least=why.seconds)
            ledger.suspensions.reschedule(known, delay)
            return
        now = ledger.clock()
        until = now + BACKOFF[why.why].delay(1, at_least=why.seconds)
        ledger.suspensions.suspend(self.team, Scope.AGENT, self.agent, why.why, why.reason, until=until)
        ledger.audit.add(self.agent, Act.AGENT_SUSPENDED, team=self.team, ref=turn.ref, why=why.why, reason=why.reason)
        log.warning("agent_suspended agent=%s why=%r reason=%r", self.agent, why.why.value, why.reason)
        if why.why in TITLES:
            body = BODY.format(agent=self.agent, fix=FIX[why.why].format(agent=self.agent), reason=code(why.reason))
            title = plain(TITLES[why.why].format(agent=self.agent))
            issue = OpenIssue(self.ops, title, body, key=f"{why.why}:{self.agent}:{now:.0f}")
            enqueue(ledger, self.team, self.core, issue, by=BY)

    def _suspended(self) -> list[Suspension]:
        found = self.ledger.suspensions.of(self.team, Scope.AGENT, self.agent)
        return [suspension for suspension in found if suspension.reason in BACKOFF]

    def _go_on(self, suspension: Suspension) -> None:
        ledger = self.ledger
        with ledger.transaction():
            if not ledger.suspensions.resume(self.team, Scope.AGENT, self.agent, suspension.reason):
                return
            seconds = max(0, round(ledger.clock() - suspension.since))
            ledger.audit.add(self.agent, Act.AGENT_RESUMED, team=self.team, why=suspension.reason, seconds=seconds)
