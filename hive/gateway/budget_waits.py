"""Turns that wait for a day or a month: put down when its budget is spent, and resumed when it is over."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from forge.models import Ref
from hive.gateway import budget_words
from hive.gateway.run_messages import thread
from hive.ledger import Act, BudgetScope, CapReached, Ledger, Scope, Suspension, SuspensionReason, Turn
from hive.outbox.actions import PostAnswer
from hive.outbox.enqueue import enqueue

log = logging.getLogger("hive.gateway.budget_waits")

WHY = SuspensionReason.BUDGET_SPENT


@dataclass(frozen=True, slots=True)
class BudgetWaits:
    """What waits for a budget to be renewed."""

    ledger: Ledger

    def put_down(self, team: str, turn: Turn, reached: CapReached) -> None:
        """Release a turn until its cap is renewed, and with it everything that the cap holds up; say so on its thread."""
        ledger, reason = self.ledger, f"{budget_words.waiting(reached)} ({budget_words.spent(reached)})"
        scope, name = Scope.AGENT, turn.agent
        if reached.scope is BudgetScope.REPOSITORY:  # the agent goes on with others
            scope, name = Scope.REPOSITORY_TURNS, str(Ref.parse(turn.ref).repo)
        with ledger.transaction():
            if not ledger.runs.pause(turn):
                return
            if ledger.suspensions.suspend(team, scope, name, WHY, reason, until=reached.until):
                facts = {"why": WHY, "reason": reason, "scope": scope, "name": name}
                ledger.audit.add(turn.agent, Act.AGENT_SUSPENDED, team=team, ref=turn.ref, **facts)
            text = budget_words.stopped(reached)
            answer = PostAnswer(thread(turn), text, key=f"run{turn.run}:waits:{reached.until:.0f}", to=turn.answers)
            enqueue(ledger, team, turn.agent, answer, by="run", turn=turn.id, depth=turn.depth)
        log.warning("budget_waits agent=%s scope=%s name=%s reason=%r", turn.agent, scope.value, name, reason)

    def resume(self, *, all_of_them: bool = False) -> None:
        """Resume what waited for a time that has come, or all of it: a configuration may have other caps by now."""
        ledger = self.ledger
        for suspension in ledger.suspensions.all() if all_of_them else ledger.suspensions.due():
            if suspension.reason is WHY:
                self._resume(suspension)

    def _resume(self, suspension: Suspension) -> None:
        ledger = self.ledger
        with ledger.transaction():
            if ledger.suspensions.resume(suspension.team, suspension.scope, suspension.name, WHY):
                seconds = max(0, round(ledger.clock() - suspension.since))
                ledger.audit.add(suspension.name, Act.AGENT_RESUMED, team=suspension.team, why=WHY, seconds=seconds)
