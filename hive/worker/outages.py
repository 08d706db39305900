"""Whose fault a failure is: a row's own, or the forge's and the account's. What could not be tried rests and loses nothing.

A forge that is down for an hour costs waiting, not attempts; a token that was revoked costs one
issue for the operators, not a storm of tries. Both are looked at again until they are well.
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
from hive.ledger import Act, Ledger, Parked, Scope, Why
from hive.outbox.enqueue import enqueue
from hive.outbox.subject_state import SubjectState, subject_state
from hive.worker.failure_reports import BY

log = logging.getLogger("hive.worker.outages")

UNAUTHORIZED = 401
LONGEST_PAUSE = 30.0
"""Seconds between two looks at what rests, at the most."""

TITLE = "🔴 {forge} no longer knows {login}'s token"
BODY = """\
What {login} owes waits since then, and goes on by itself when the token is good again.

Make a new one by `hive rotate hive.yaml {login}`; nothing has to be started again.

{error}
"""

HIDDEN_TITLE = "🔴 {login} may not see what is in {repo}"
HIDDEN = """\
The forge shows no issue, or no pull request, of {repo} to {login}, so what happens there is not looked at. It is tried again for a while.

Give the account back what it may (`hive init hive.yaml --admin LOGIN` does), or turn issues and pull requests on there again.
"""


@dataclass(frozen=True, slots=True)
class OutageDeps:
    """What is needed of the house. `ask` gives a forge as an account sees it now: (team, login)."""

    ledger: Ledger
    reader: Callable[[str, str], Reader]
    core: str
    bots_of: Callable[[str], Iterable[str]]
    """The bots that speak as a login."""
    ops: Callable[[str], Repo]
    """Where a team's operators are told."""
    operators: Mapping[str, frozenset[int]]
    """The ids of a team's operators."""


class OutageMonitor:
    """Parks work, and lets it go on."""

    def __init__(self, deps: OutageDeps) -> None:
        self._deps = deps

    def suspend_if_outage(self, team: str, login: str, error: ForgeError) -> bool:
        """Whether a failure is not the row's: then its like rests, and the row must be put back uncounted."""
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
        """What became of a subject that was not found; where an account may see none, the operators are told, once a day."""
        became = subject_state(self._deps.reader(team, login), ref)
        if became is SubjectState.HIDDEN:
            day = datetime.fromtimestamp(self._deps.ledger.clock(), UTC).date()
            title = plain(HIDDEN_TITLE.format(login=login, repo=ref.repo.path))
            body = HIDDEN.format(login=login, repo=code(ref.repo.path))
            issue = OpenIssue(self._deps.ops(team), title, body, key=f"hidden:{login}:{ref.repo}:{day}")
            enqueue(self._deps.ledger, team, self._deps.core, issue, by=BY)
        return became

    def check(self) -> None:
        """Look again at what rests and is due: release it, or leave it for longer."""
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
                self._deps.ledger.suspensions.look_again(suspension, min(LONGEST_PAUSE, 0.5 * 2**suspension.attempts))

    def _check_stopped_subject(self, suspension: Parked) -> None:
        """A subject that was stopped goes on when an operator has closed the issue that tells of it."""
        ledger = self._deps.ledger
        stopped = ledger.breakers.of(suspension.team, suspension.name)
        told = str(ledger.effects.get(stopped.issue).result.get("ref", "")) if stopped is not None else ""
        if not told or not self._was_closed(suspension.team, Ref.parse(told)):
            ledger.suspensions.look_again(suspension, min(LONGEST_PAUSE, 0.5 * 2**suspension.attempts))
            return
        with ledger.transaction():
            ledger.breakers.reset(suspension.team, suspension.name)
            ledger.suspensions.release(suspension.team, suspension.scope, suspension.name, suspension.why)
            ledger.audit.add("hive", Act.SUBJECT_RESUMED, team=suspension.team, ref=suspension.name)

    def _was_closed(self, team: str, issue: Ref) -> bool:
        """Whether an operator closed an issue, by the timeline; nobody else's closing counts."""
        forge = self._deps.reader(team, self._deps.core)
        try:
            if forge.issue(issue).is_open:
                return False
            rows = [row for row in forge.timeline(issue) if row.kind == "close"]
        except ForgeError as error:
            log.warning("stopped_unasked issue=%s error=%r", issue, str(error)[:200])
            return False
        by = rows[-1].actor if rows else None
        return by is not None and by.id in self._deps.operators[team]

    def _probe(self, team: str, login: str) -> ForgeError | None:
        """Why an account cannot ask its forge the simplest question, if it cannot."""
        try:
            self._deps.reader(team, login).user(login)
        except ForgeError as error:
            return error if isinstance(error, Unavailable) or error.status == UNAUTHORIZED else None
        return None

    def _suspend_team(self, team: str, error: ForgeError) -> None:
        if self._deps.ledger.suspensions.suspend(team, Scope.TEAM, "", Why.FORGE_AWAY, f"forge unavailable: {error}"):
            log.warning("forge_unavailable team=%s error=%r", team, str(error)[:200])
            self._deps.ledger.audit.add("hive", Act.FORGE_UNAVAILABLE, team=team, error=str(error))

    def _suspend_account(self, team: str, login: str, error: ForgeError) -> None:
        suspend_account(self._deps.ledger, team, login, error, tells=(self._deps.core, self._deps.ops(team)))
        for bot in self._deps.bots_of(login):
            reason = f"the token of {login} is refused"
            self._deps.ledger.suspensions.suspend(team, Scope.BOT, bot, Why.TOKEN_REFUSED, reason)

    def _resume(self, suspension: Parked) -> None:
        ledger = self._deps.ledger
        with ledger.transaction():
            ledger.suspensions.release(suspension.team, suspension.scope, suspension.name, suspension.why)
            if suspension.scope is Scope.ACCOUNT:
                for bot in self._deps.bots_of(suspension.name):
                    ledger.suspensions.release(suspension.team, Scope.BOT, bot, Why.TOKEN_REFUSED)
            what = Act.FORGE_RECOVERED if suspension.scope is Scope.TEAM else Act.TOKEN_RECOVERED
            seconds = max(0, round(ledger.clock() - suspension.since))
            ledger.audit.add("hive", what, team=suspension.team, login=suspension.name, seconds=seconds)


def suspend_account(ledger: Ledger, team: str, login: str, error: ForgeError, *, tells: tuple[str, Repo]) -> None:
    """Let all that an account owes rest, as its token is refused, until the worker sees that it is good again.

    The operators are told once: `tells` is whose words that is, and where.
    """
    core, ops = tells
    with ledger.transaction():
        if not ledger.suspensions.suspend(team, Scope.ACCOUNT, login, Why.TOKEN_REFUSED, f"token refused: {error}"):
            return
        ledger.audit.add("hive", Act.TOKEN_REJECTED, team=team, login=login, error=str(error))
        title = TITLE.format(forge=ops.forge, login=login)
        body = BODY.format(login=login, error=code(str(error)))
        issue = OpenIssue(ops, plain(title), body, key=f"token:{team}:{login}:{ledger.clock():.0f}")
        enqueue(ledger, team, core, issue, by=BY)
    log.error("token_refused team=%s login=%s", team, login)
