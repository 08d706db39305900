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
from bots.words import code, plain
from forge.protocol import ForgeError, Reader, Unavailable
from forge.types import Ref, Repo
from hive.apply import owe
from hive.givenup import BY
from hive.ledger import Act, Ledger, Parked, Scope, Why
from hive.missing import Fate, fate

log = logging.getLogger("hive.parking")

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
class Desk:
    """What is needed of the house. `ask` gives a forge as an account sees it now: (team, login)."""

    ledger: Ledger
    ask: Callable[[str, str], Reader]
    core: str
    bots_of: Callable[[str], Iterable[str]]
    """The bots that speak as a login."""
    ops: Callable[[str], Repo]
    """Where a team's operators are told."""
    operators: Mapping[str, frozenset[int]]
    """The ids of a team's operators."""


class Attendant:
    """Parks work, and lets it go on."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def takes(self, team: str, login: str, error: ForgeError) -> bool:
        """Whether a failure is not the row's: then its like rests, and the row must be put back uncounted."""
        if error.status != UNAUTHORIZED and not isinstance(error, Unavailable):
            return False
        found = self._trouble(team, login)
        if found is None:
            return False
        if found.status == UNAUTHORIZED:
            self._park_account(team, login, found)
        else:
            self._park_team(team, found)
        return True

    def became_of(self, team: str, login: str, ref: Ref) -> Fate:
        """What became of a subject that was not found; where an account may see none, the operators are told, once a day."""
        became = fate(self._desk.ask(team, login), ref)
        if became is Fate.HIDDEN:
            day = datetime.fromtimestamp(self._desk.ledger.clock(), UTC).date()
            title = plain(HIDDEN_TITLE.format(login=login, repo=ref.repo.path))
            body = HIDDEN.format(login=login, repo=code(ref.repo.path))
            issue = OpenIssue(self._desk.ops(team), title, body, key=f"hidden:{login}:{ref.repo}:{day}")
            owe(self._desk.ledger, team, self._desk.core, issue, by=BY)
        return became

    def attend(self) -> None:
        """Look again at what rests and is due: release it, or leave it for longer."""
        for parked in self._desk.ledger.parking.due():
            if parked.scope is Scope.SUBJECT:
                self._look_at_stopped(parked)
                continue
            if parked.scope not in (Scope.TEAM, Scope.ACCOUNT):
                continue
            found = self._trouble(parked.team, parked.name or self._desk.core)
            if found is None or (parked.scope is Scope.TEAM and not isinstance(found, Unavailable)):
                self._release(parked)
            else:
                self._desk.ledger.parking.look_again(parked, min(LONGEST_PAUSE, 0.5 * 2**parked.attempts))

    def _look_at_stopped(self, parked: Parked) -> None:
        """A subject that was stopped goes on when an operator has closed the issue that tells of it."""
        ledger = self._desk.ledger
        stopped = ledger.breakers.of(parked.team, parked.name)
        told = str(ledger.effects.get(stopped.issue).result.get("ref", "")) if stopped is not None else ""
        if not told or not self._was_closed(parked.team, Ref.parse(told)):
            ledger.parking.look_again(parked, min(LONGEST_PAUSE, 0.5 * 2**parked.attempts))
            return
        with ledger.transaction():
            ledger.breakers.reset(parked.team, parked.name)
            ledger.parking.release(parked.team, parked.scope, parked.name, parked.why)
            ledger.audit.add("hive", Act.SUBJECT_RESUMED, team=parked.team, ref=parked.name)

    def _was_closed(self, team: str, issue: Ref) -> bool:
        """Whether an operator closed an issue, by the timeline; nobody else's closing counts."""
        forge = self._desk.ask(team, self._desk.core)
        try:
            if forge.issue(issue).is_open:
                return False
            rows = [row for row in forge.timeline(issue) if row.kind == "close"]
        except ForgeError as error:
            log.warning("stopped_unasked issue=%s error=%r", issue, str(error)[:200])
            return False
        by = rows[-1].actor if rows else None
        return by is not None and by.id in self._desk.operators[team]

    def _trouble(self, team: str, login: str) -> ForgeError | None:
        """Why an account cannot ask its forge the simplest question, if it cannot."""
        try:
            self._desk.ask(team, login).user(login)
        except ForgeError as error:
            return error if isinstance(error, Unavailable) or error.status == UNAUTHORIZED else None
        return None

    def _park_team(self, team: str, error: ForgeError) -> None:
        if self._desk.ledger.parking.park(team, Scope.TEAM, "", Why.FORGE_AWAY, f"forge unavailable: {error}"):
            log.warning("forge_unavailable team=%s error=%r", team, str(error)[:200])
            self._desk.ledger.audit.add("hive", Act.FORGE_UNAVAILABLE, team=team, error=str(error))

    def _park_account(self, team: str, login: str, error: ForgeError) -> None:
        lock_out(self._desk.ledger, team, login, error, tells=(self._desk.core, self._desk.ops(team)))
        for bot in self._desk.bots_of(login):
            reason = f"the token of {login} is refused"
            self._desk.ledger.parking.park(team, Scope.BOT, bot, Why.TOKEN_REFUSED, reason)

    def _release(self, parked: Parked) -> None:
        ledger = self._desk.ledger
        with ledger.transaction():
            ledger.parking.release(parked.team, parked.scope, parked.name, parked.why)
            if parked.scope is Scope.ACCOUNT:
                for bot in self._desk.bots_of(parked.name):
                    ledger.parking.release(parked.team, Scope.BOT, bot, Why.TOKEN_REFUSED)
            what = Act.FORGE_RECOVERED if parked.scope is Scope.TEAM else Act.TOKEN_RECOVERED
            seconds = max(0, round(ledger.clock() - parked.since))
            ledger.audit.add("hive", what, team=parked.team, login=parked.name, seconds=seconds)


def lock_out(ledger: Ledger, team: str, login: str, error: ForgeError, *, tells: tuple[str, Repo]) -> None:
    """Let all that an account owes rest, as its token is refused, until the worker sees that it is good again.

    The operators are told once: `tells` is whose words that is, and where.
    """
    core, ops = tells
    with ledger.transaction():
        if not ledger.parking.park(team, Scope.ACCOUNT, login, Why.TOKEN_REFUSED, f"token refused: {error}"):
            return
        ledger.audit.add("hive", Act.TOKEN_REJECTED, team=team, login=login, error=str(error))
        title = TITLE.format(forge=ops.forge, login=login)
        body = BODY.format(login=login, error=code(str(error)))
        issue = OpenIssue(ops, plain(title), body, key=f"token:{team}:{login}:{ledger.clock():.0f}")
        owe(ledger, team, core, issue, by=BY)
    log.error("token_refused team=%s login=%s", team, login)
