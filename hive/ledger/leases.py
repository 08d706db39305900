"""Leases: a row of work is claimed by one holder at a time, and comes back when its holder dies.

    claim     a pending row, or one whose lease has expired, becomes `running` until its lease ends; an attempt counts
    renew     its holder needs longer
    end       it is done, failed, superseded, or pending again; an attempt that failed through no fault of the work is
              refunded
    reclaim   rows whose holder died become pending, and the death counts; too many in a row, and nobody claims them

Each claim has a fence: a value that the next holder's claim changes. What comes late from an earlier holder does not
match it and changes nothing. Jobs, effects and turns have their rows leased here, and nowhere else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hive.ledger.database import Clock, Database

CLAIMABLE = "state IN ('pending', 'running') AND lease_until < :now"
"""A row that no holder has; a pending row has no lease."""


@dataclass(frozen=True, slots=True)
class Leases:
    """Leases of `seconds` on the rows of a table, which has the columns `state`, `attempts`, `lease_until` and `fence`.

    Leases that are not `durable` may be taken back by a power cut: the work is then claimed or done once more.
    """

    db: Database
    clock: Clock
    table: str
    seconds: float
    fence: str = "attempts"
    durable: bool = True

    def claim(self, which: str, values: Mapping[str, Any], **columns: Any) -> sqlite3.Row | None:
        """Claim the row whose id the query `which` selects, and set further columns; None if it selects none.

        The query takes `values` and `:now` by name, and has to select rows that are claimable only.
        """
        now = self.clock()
        with self.db.transaction(durable=self.durable) as db:
            found: sqlite3.Row | None = db.execute(
                f"UPDATE {self.table} SET state = 'running', lease_until = :until, attempts = attempts + 1"  # noqa: S608  ours
                f"{_assigned(columns)} WHERE id = ({which}) RETURNING *",
                {**values, **columns, "now": now, "until": now + self.seconds},
            ).fetchone()
        return found

    def renew(self, row: int, fence: object) -> bool:
        """Start a held lease again; False if it is lost."""
        return self._change(row, fence, "lease_until = :until", {"until": self.clock() + self.seconds})

    def end(self, row: int, fence: object, state: str, *, refund: bool = False, **columns: Any) -> bool:
        """Give a held row back in another state, and set further columns; False, and nothing changes, if it is lost."""
        values = {"to": state, "refund": refund, **columns}
        assigned = f"state = :to, lease_until = 0, attempts = attempts - :refund{_assigned(columns)}"
        return self._change(row, fence, assigned, values)

    def reclaim(self, max_deaths: int) -> None:
        """Make the rows of dead holders pending again, but those that have had so many deaths in a row."""
        late = "state = 'running' AND lease_until < :now AND deaths + 1 < :most"
        values = {"now": self.clock(), "most": max_deaths}
        if self.db.rows(f"SELECT 1 FROM {self.table} WHERE {late} LIMIT 1", values):  # noqa: S608  ours
            with self.db.transaction(durable=self.durable) as db:
                db.execute(
                    f"UPDATE {self.table} SET state = 'pending', lease_until = 0, deaths = deaths + 1 WHERE {late}",  # noqa: S608  ours
                    values,
                )

    def expire(self) -> None:
        """Expire every lease: no holder is alive."""
        with self.db.transaction() as db:
            db.execute(f"UPDATE {self.table} SET lease_until = 0 WHERE state = 'running'")  # noqa: S608  ours

    def _change(self, row: int, fence: object, assigned: str, values: Mapping[str, Any]) -> bool:
        with self.db.transaction(durable=self.durable) as db:
            cursor = db.execute(
                f"UPDATE {self.table} SET {assigned} WHERE id = :row AND state = 'running' AND {self.fence} = :held",  # noqa: S608  ours
                {**values, "row": row, "held": fence},
            )
        return bool(cursor.rowcount)


def _assigned(columns: Mapping[str, Any]) -> str:
    return "".join(f", {column} = :{column}" for column in columns)
