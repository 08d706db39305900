"""Rejected calls in the audit log, limited: repeated or varied rejections do not fill it."""

from __future__ import annotations

import logging
import sqlite3
import threading
from dataclasses import dataclass
from typing import Any

from hive.ledger import Act, Ledger

log = logging.getLogger("hive.ledger.rejection_log")

WINDOW_SECONDS = 60.0
MAX_KINDS = 20
"""The number of kinds of rejection in a window; further ones are counted together."""

OTHERS = "refused for various reasons"


@dataclass(slots=True)
class _Repeated:
    """A refusal that was recorded, and how often the same one came after it."""

    who: str
    since: float
    facts: dict[str, Any]
    times: int = 0


class RejectionLog:
    """One row for each refusal, and one more for all that repeat it within a minute."""

    def __init__(self, ledger: Ledger, team: str = "") -> None:
        self._ledger = ledger
        self._team = team
        self._open: dict[tuple[str, int, str], _Repeated] = {}
        self._guard = threading.Lock()

    def note(self, who: str, status: int, why: str, **facts: str) -> None:
        """Record a rejection with the `facts` of the first one of its kind. An unwritable ledger is only logged."""
        self.flush()
        facts = {"why": why[:300], **{name: fact[:200] for name, fact in facts.items()}}
        key = (who, status, why)
        with self._guard:
            if key not in self._open and len(self._open) >= MAX_KINDS:
                key, who, facts = ("", status, OTHERS), "", {"why": OTHERS}
            known = self._open.get(key)
            if known is not None:
                known.times += 1
                return
            first = self._open[key] = _Repeated(who, self._ledger.clock(), {"status": status, **facts})
        log.warning("refused who=%r status=%d facts=%r", who, status, facts)
        self._write([first])

    def flush(self, *, now: bool = False) -> None:
        """Record repetitions of a past minute; with `now`, of any."""
        if not self._open:
            return
        with self._guard:
            at = self._ledger.clock()
            over = [key for key, kind in self._open.items() if now or abs(at - kind.since) >= WINDOW_SECONDS]
            closed = [self._open.pop(key) for key in over]
        self._write([kind for kind in closed if kind.times])

    def _write(self, kinds: list[_Repeated]) -> None:
        if not kinds:
            return
        try:
            with self._ledger.transaction(durable=False):
                for kind in kinds:
                    facts = kind.facts | ({"times": kind.times} if kind.times else {})
                    self._ledger.audit.add(kind.who, Act.REQUEST_REJECTED, team=self._team, **facts)
        except sqlite3.Error as error:
            log.error("refusals_not_recorded count=%d error=%r", len(kinds), str(error))
