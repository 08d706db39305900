"""Reports incidents of the hive itself to the operators: one issue for each, closed when it is over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from bots.intents import OpenIssue
from forge.models import Repo
from hive.ledger import Ledger
from hive.outbox.actions import AddToIssue
from hive.outbox.enqueue import enqueue

BY = "hive"


@dataclass(frozen=True, slots=True)
class IncidentReporter:
    """Enqueues reports as `account`; `ops` is the repository where a team's operators are notified."""

    ledger: Ledger
    account: str
    ops: Callable[[str], Repo]

    def begin(self, team: str, subject: str, title: str, body: str) -> bool:
        """Report a new incident; False if it is open already."""
        with self.ledger.transaction():
            number = self.ledger.incidents.start(team, subject)
            if number is None:
                return False
            issue = OpenIssue(self.ops(team), title, body, key=_key(subject, number))
            enqueue(self.ledger, team, self.account, issue, by=BY)
        return True

    def add(self, team: str, subject: str, body: str) -> None:
        """Say more of what is wrong."""
        self._follow(team, subject, body, closes=False)

    def end(self, team: str, subject: str, body: str) -> None:
        """Report the end of an incident, and close its issue; does nothing without one."""
        self._follow(team, subject, body, closes=True)

    def _follow(self, team: str, subject: str, body: str, *, closes: bool) -> None:
        with self.ledger.transaction():
            found = self.ledger.incidents.current(team, subject)
            if found is None:
                return
            opened = _key(subject, found[0])
            words = hashlib.sha256(body.encode()).hexdigest()[:8]
            key = f"{opened}:{'end' if closes else f'{self.ledger.clock():.3f}:{words}'}"
            action = AddToIssue(self.ops(team), f"{BY}:{opened}", body, closes, key=key)
            enqueue(self.ledger, team, self.account, action, by=BY)
            if closes:
                self.ledger.incidents.end(found[0])


def _key(subject: str, number: int) -> str:
    return f"incident:{subject}:{number}"
