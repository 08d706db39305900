"""What is wrong with the hive itself, told to the operators: one issue for each incident, closed by itself when it is over."""

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
    """Enqueues what is told of incidents; `account` is whose words they are, `ops` where a team's operators are told."""

    ledger: Ledger
    account: str
    ops: Callable[[str], Repo]

    def begin(self, team: str, subject: str, title: str, body: str) -> bool:
        """Tell of something that is wrong from now on; False if it is known, and nothing is said again."""
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
        """Say that it is over, and close the issue; nothing if all was well."""
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
