"""Tell outages (forge down, token revoked) from job failures.

During an outage work is suspended and keeps its attempts. The operators get one issue for a revoked token. Outages
are probed until they are over; then work resumes by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bots.intents import OpenIssue
from bots.markdown import code, plain
from forge.models import Ref, Repo
from forge.protocol import ForgeError, Reader, Unavailable
from hive.backoff import OUTAGE_PROBES
from hive.ledger import Act, Ledger, Scope, Suspension, SuspensionReason
from hive.outbox.enqueue import enqueue
from hive.outbox.subject_state import SubjectState, subject_state
from hive.worker.failure_reports import BY

log = logging.getLogger("hive.worker.outages")

UNAUTHORIZED = 401

TITLE = "🔴 {forge} rejected {login}'s token"
BODY = """\
The work of {login} is suspended. It resumes by itself as soon as the token is accepted again.

Create a new one with `hive rotate hive.yaml {login}`; nothing has to be restarted.

{error}
"""

HIDDEN_TITLE = "🔴 {login} cannot see issues or pull requests of {repo}"
HIDDEN = """\
The forge shows no issue, or no pull request, of {repo} to {login}, so nothing that happens there is processed. It is retried for a while.

Restore the account's permissions (`hive init hive.yaml --admin LOGIN` does), or enable issues and pull requests there again.
"""


@dataclass(frozen=True, slots=True)
class OutageDeps:
    """What the monitor needs; `reader` gives a forge as an account sees it now: (team, login)."""

    ledger: Ledger
    reader: Callable[[str, str], Reader]
    core: str
    bots_of: Callable[[str], Iterable[str]]
    """The bots that act as a login."""
    ops: Callable[[str], Repo]
    """The repository where a team's operators are notified."""
    operators: Mapping[str, frozenset[int]]
    """The ids of a team's operators."""


class OutageMonitor:
    """Suspends work during outages, and resumes it."""

    def __init__(self, deps: OutageDeps) -> None:
        self._deps = deps

    def suspend_if_outage(self, team: str, login: str, error: ForgeError) -> bool:
        """Suspend work if a failure is an outage, and return whether it is; the caller then keeps the row's attempt."""
        if error.status != UNAUTHORIZED and not isinstance(error, Unavailable):
            return False
        found = self._probe(team, login)
        if found is None:
            return False
        if found.status == UNAUTHORIZED:
            self._suspend_account(team, login, found)
        else:
            self._suspend_team(team, found)
        return True

    def subject_state(self, team: str, login: str, ref: Ref) -> SubjectState:
        """What became of a subject that was not found; if it is hidden, notify the operators once a day."""
        state = subject_state(self._deps.reader(team, login), ref)
        if state is SubjectState.HIDDEN:
            day = datetime.fromtimestamp(self._deps.ledger.clock(), UTC).date()
            title = plain(HIDDEN_TITLE.format(login=login, repo=ref.repo.path))
            body = HIDDEN.format(login=login, repo=code(ref.repo.path))
            issue = OpenIssue(self._deps.ops(team), title, body, key=f"hidden:{login}:{ref.repo}:{day}")
            enqueue(self._deps.ledger, team, self._deps.core, issue, by=BY)
        return state

    def check(self) -> None:
        """Probe suspensions that are due: resume them, or wait longer."""
        for suspension in self._deps.ledger.suspensions.due():
            if suspension.scope is Scope.SUBJECT:
                self._check_stopped_subject(suspension)
                continue
            if suspension.scope not in (Scope.TEAM, Scope.ACCOUNT):
                continue
            found = self._probe(suspension.team, suspension.name or self._deps.core)
            if found is None or (suspension.scope is Scope.TEAM and not isinstance(found, Unavailable)):
                self._resume(suspension)
            else:
                self._deps.ledger.suspensions.reschedule(suspension, OUTAGE_PROBES.delay(suspension.attempts + 1))

    def _check_stopped_subject(self, suspension: Suspension) -> None:
        """Resume a stopped subject once an operator has closed the issue about it."""
        ledger = self._deps.ledger
        stopped = ledger.breakers.of(suspension.team, suspension.name)
        issue = str(ledger.effects.get(stopped.issue).result.get("ref", "")) if stopped is not None else ""
        if not issue or not self._was_closed(suspension.team, Ref.parse(issue)):
            ledger.suspensions.reschedule(suspension, OUTAGE_PROBES.delay(suspension.attempts + 1))
            return
        with ledger.transaction():
            ledger.breakers.reset(suspension.team, suspension.name)
            ledger.suspensions.resume(suspension.team, suspension.scope, suspension.name, suspension.reason)
            ledger.audit.add("hive", Act.SUBJECT_RESUMED, team=suspension.team, ref=suspension.name)

    def _was_closed(self, team: str, issue: Ref) -> bool:
        """Whether an operator closed an issue, by its timeline."""
        forge = self._deps.reader(team, self._deps.core)
        try:
            if forge.issue(issue).is_open:
                return False
            rows = [row for row in forge.timeline(issue) if row.kind == "close"]
        except ForgeError as error:
            log.warning("stopped_unchecked issue=%s error=%r", issue, str(error)[:200])
            return False
        by = rows[-1].actor if rows else None
        return by is not None and by.id in self._deps.operators[team]

    def _probe(self, team: str, login: str) -> ForgeError | None:
        """The error of the simplest request that an account can make; None if it succeeds."""
        try:
            self._deps.reader(team, login).user(login)
        except ForgeError as error:
            return error if isinstance(error, Unavailable) or error.status == UNAUTHORIZED else None
        return None

    def _suspend_team(self, team: str, error: ForgeError) -> None:
        if self._deps.ledger.suspensions.suspend(
            team, Scope.TEAM, "", SuspensionReason.FORGE_UNAVAILABLE, f"forge unavailable: {error}"
        ):
            log.warning("forge_unavailable team=%s error=%r", team, str(error)[:200])
            self._deps.ledger.audit.add("hive", Act.FORGE_UNAVAILABLE, team=team, error=str(error))

    def _suspend_account(self, team: str, login: str, error: ForgeError) -> None:
        suspend_account(self._deps.ledger, team, login, error, notify=(self._deps.core, self._deps.ops(team)))
        for bot in self._deps.bots_of(login):
            reason = f"the token of {login} is rejected"
            self._deps.ledger.suspensions.suspend(team, Scope.BOT, bot, SuspensionReason.TOKEN_REJECTED, reason)

    def _resume(self, suspension: Suspension) -> None:
        ledger = self._deps.ledger
        with ledger.transaction():
            ledger.suspensions.resume(suspension.team, suspension.scope, suspension.name, suspension.reason)
            if suspension.scope is Scope.ACCOUNT:
                for bot in self._deps.bots_of(suspension.name):
                    ledger.suspensions.resume(suspension.team, Scope.BOT, bot, SuspensionReason.TOKEN_REJECTED)
            what = Act.FORGE_RECOVERED if suspension.scope is Scope.TEAM else Act.TOKEN_RECOVERED
            seconds = max(0, round(ledger.clock() - suspension.since))
            ledger.audit.add("hive", what, team=suspension.team, login=suspension.name, seconds=seconds)


def suspend_account(ledger: Ledger, team: str, login: str, error: ForgeError, *, notify: tuple[str, Repo]) -> None:
    """Suspend the work of an account whose token is rejected, until the worker sees that it is accepted again.

    The operators are notified once: `notify` is the account that does so, and the repository.
    """
    core, ops = notify
    with ledger.transaction():
        if not ledger.suspensions.suspend(
            team, Scope.ACCOUNT, login, SuspensionReason.TOKEN_REJECTED, f"token rejected: {error}"
        ):
            return
        ledger.audit.add("hive", Act.TOKEN_REJECTED, team=team, login=login, error=str(error))
        title = TITLE.format(forge=ops.forge, login=login)
        body = BODY.format(login=login, error=code(str(error)))
        issue = OpenIssue(ops, plain(title), body, key=f"token:{team}:{login}:{ledger.clock():.0f}")
        enqueue(ledger, team, core, issue, by=BY)
    log.error("token_rejected team=%s login=%s", team, login)
