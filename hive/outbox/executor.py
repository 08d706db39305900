"""The only writer to a forge: claims pending effects and performs their actions, each exactly once.

An action is confirmed by reading back what the forge says. One that the world has overtaken is superseded, one that
could not be tried is tried again, one that is refused fails and is recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping

from forge.models import Issue, Ref
from forge.protocol import Conflict, ForgeError, NotFound, Unavailable
from hive import backoff
from hive.codec import Codec
from hive.ledger import Act, Effect, Ledger, StaleLease
from hive.outbox import (
    agent_status,
    bases,
    code,
    comments,
    configurations,
    handover,
    issues,
    local_actions,
    progress,
    pulls,
    questions,
    reviews,
    rosters,
    suppressions,
    triage,
)
from hive.outbox.actions import ACTIONS, Action, repo_of, subject_of
from hive.outbox.guards import OutagePolicy, RepositoryGuard, WriteGuard
from hive.outbox.registry import Execution, NotReady, Registry, Result, Services, Superseded
from hive.outbox.subject_state import UNSEEN, SubjectState

log = logging.getLogger("hive.outbox.executor")

HANDLERS = Registry(
    *(
        agent_status.HANDLERS,
        bases.HANDLERS,
        code.HANDLERS,
        comments.HANDLERS,
        configurations.HANDLERS,
        handover.HANDLERS,
    ),
    *(issues.HANDLERS, local_actions.HANDLERS, progress.HANDLERS, pulls.HANDLERS, questions.HANDLERS, reviews.HANDLERS),
    *(rosters.HANDLERS, suppressions.HANDLERS, triage.HANDLERS),
)
"""Who performs which action."""

NEEDS_CORE = frozenset(kind.WIRE for kind, handler in HANDLERS.items() if handler.by_core)
"""Wire names of what only the hive's own account may do on a forge."""

MAX_ATTEMPTS = 20
NOT_READY_SECONDS = 5.0
"""How long an action that depends on others waits before it is tried again."""


class EffectExecutor:
    """Performs effects as the accounts that they are stored for."""

    def __init__(
        self,
        services: Services,
        *,
        outages: OutagePolicy,
        write_guard: WriteGuard,
        repository_guard: RepositoryGuard,
        gave_up: Callable[[Effect, str, ForgeError], None],
        wake_host: Callable[[], None] = lambda: None,
    ) -> None:
        """`gave_up` reports an effect that is not tried again: (effect, subject, error).

        `wake_host` wakes those who wait in the host for an effect of theirs, or for a turn.
        """
        self._services = services
        self._ledger: Ledger = services.ledger
        self._outages = outages
        self._write_guard = write_guard
        self._repository_guard = repository_guard
        self._gave_up = gave_up
        self._wake_host = wake_host

    def apply(self, effect_id: int, seen: MutableMapping[Ref, Issue] | None = None) -> None:
        """Perform one effect if it is due; whatever happens is in the ledger afterwards.

        `seen` holds the issues that the effect's job has read a moment ago. Only the first effect on each subject
        uses it, and only to know which labels are there. Whether the subject was closed in the meantime, who is
        assigned, its head and the verdicts on it are read again, and a later attempt reads everything again.
        """
        effect = self._ledger.effects.claim(effect_id)
        if effect is None:
            return
        action: Action = Codec(ACTIONS[effect.kind]).loads(effect.payload)
        known = seen.pop(Ref.parse(effect.ref), None) if seen and effect.ref else None
        try:
            if HANDLERS[type(action)].local:
                self._perform_local(effect, action)
            else:
                self._perform(Execution(effect, self._services, known), action)
        except StaleLease as lost:
            log.warning("effect_lost id=%d kind=%s why=%s", effect.id, effect.kind, lost)
        if effect.turn is not None or HANDLERS[type(action)].local:
            self._wake_host()

    def _perform_local(self, effect: Effect, action: Action) -> None:
        """Perform an action and record it in one transaction: repeated after a crash it could undo what came since."""
        try:
            with self._ledger.transaction():
                result = HANDLERS[type(action)].perform(Execution(effect, self._services), action)
                self._record(effect, action, result, state="done")
        except Superseded as why:
            self._record(effect, action, Result(detail={"why": str(why)}), state="superseded")

    def _perform(self, execution: Execution, action: Action) -> None:
        effect = execution.effect
        if self._write_guard.blocks_action(effect):
            self._ledger.effects.release(effect, "its subject is suspended")
            return
        try:
            result = self._run(execution, action)
        except Superseded as why:
            self._record(effect, action, Result(detail={"why": str(why)}), state="superseded")
        except NotReady as why:
            self._ledger.effects.release(effect, str(why), NOT_READY_SECONDS)
        except ForgeError as error:
            self._failed(effect, action, error)
        else:
            self._record(effect, action, result, state="done")

    def _run(self, execution: Execution, action: Action) -> Result:
        if not self._repository_guard.is_available(repo_of(action)):
            raise NotReady("its repository is not where it was")
        return HANDLERS[type(action)].perform(execution, action)

    def _record(self, effect: Effect, action: Action, done: Result, *, state: str) -> None:
        with self._ledger.transaction():
            result = done.result or {}
            ref = str(result.get("ref", ""))
            self._ledger.effects.finish(effect, result, state=state, event_key=done.event_key, ref=ref)
            if done.settle is not None:
                done.settle()
            self._ledger.audit.add(
                effect.actor,
                effect.kind if state == "done" else Act.EFFECT_SUPERSEDED,
                team=effect.team,
                ref=subject_of(action),
                url=done.url,
                **{"key": effect.key, **(done.detail or {})},
            )

    def _failed(self, effect: Effect, action: Action, error: ForgeError) -> None:
        if self._outages.suspend_if_outage(effect.team, effect.actor, error):
            self._ledger.effects.release(effect, str(error))
        elif effect.attempts < MAX_ATTEMPTS and self._heals(action, error):
            self._postpone(effect, error)
        elif isinstance(error, NotFound) and effect.ref:
            self._not_found(effect, action, error)
        else:
            self._fail(effect, action, error)

    def _not_found(self, effect: Effect, action: Action, error: NotFound) -> None:
        """A deleted subject needs nothing any more; one that the account may not see is tried again for a while."""
        state = self._outages.subject_state(effect.team, effect.actor, Ref.parse(effect.ref))
        if state is SubjectState.GONE:
            self._record(effect, action, Result(detail={"why": f"{effect.ref} is gone"}), state="superseded")
        elif state is SubjectState.HIDDEN and effect.attempts < MAX_ATTEMPTS:
            self._postpone(effect, Unavailable(UNSEEN.format(login=effect.actor)))
        else:
            self._fail(effect, action, error)

    def _heals(self, action: Action, error: ForgeError) -> bool:
        if isinstance(error, NotFound):
            return self._repository_guard.may_have_moved(repo_of(action))
        return isinstance(error, Unavailable | Conflict)

    def _postpone(self, effect: Effect, error: ForgeError) -> None:
        asked = error.retry_after if isinstance(error, Unavailable) else 0.0
        delay = backoff.EFFECTS.delay(effect.attempts, at_least=asked)
        log.warning("effect_postponed id=%d kind=%s attempt=%d error=%r", *_facts(effect, error))
        self._ledger.effects.retry(effect, str(error), delay)

    def _fail(self, effect: Effect, action: Action, error: ForgeError) -> None:
        log.error("effect_failed id=%d kind=%s attempt=%d error=%r", *_facts(effect, error))
        subject = subject_of(action)
        with self._ledger.transaction():
            self._ledger.effects.fail(effect, str(error))
            facts = {"key": effect.key, "error": str(error)}
            self._ledger.audit.add(effect.actor, Act.EFFECT_FAILED, team=effect.team, ref=subject, **facts)
            self._gave_up(effect, subject, error)


def _facts(effect: Effect, error: ForgeError) -> tuple[int, str, int, str]:
    return effect.id, effect.kind, effect.attempts, str(error)[:200]
