"""Budgets: what a request may cost is reserved before it is made, and what it did cost is booked after it.

A reservation counts in every scope at once, or in none: so many workers may ask at the same moment, and no cap is
exceeded. Each hold becomes one booking, also when a process dies meanwhile; sums are changed with the booking and nowhere else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from hive.ledger.caps import (
    BudgetScope,
    CapBusy,
    CapReached,
    Caps,
    CapWarning,
    Hold,
    OverCap,
    Period,
    Quote,
    Spender,
    TokenCounts,
    warning_level,
)
from hive.ledger.database import Clock, Database

HOLD_SECONDS = 3600.0
"""How long a request may take. A hold is booked after that, and corrected when the request ends after all."""

WORKERS = "work:"
"""How the names of workers begin that own holds: a worker that starts is alone, and all others are dead."""

STOP_SECONDS = 60.0
"""How long a stop holds against requests of the same turn that do fit: after that the cap has given way."""

_COUNTED = "input, output, cache_read, cache_write, cost, is_estimate"
_SPENDER = "team, agent, ref, run, turn"
Key = tuple[str, str, str]


class Budgets:
    """Reservations, bookings, and the sums that caps are compared with."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def reserve(self, who: Spender, caps: Caps, quote: Quote, owner: str) -> Hold:
        """Set the amount of a quote aside, or what is left if that is its `least` or more; `owner` is this process.

        Raises CapBusy if there would be room without what others have reserved, OverCap if there would not. A request
        that cannot cost anything is always let through.
        """
        now = self._clock()
        with self._db.transaction(durable=False) as db:  # a power cut may forget what it interrupts, a crash does not
            room = self._room(db, who, caps, quote, now) if quote.amount else Hold(0, 0)
            if isinstance(room, Hold):
                return self._hold(db, who, quote, room, owner)
        raise room  # the caps are remembered

    def _hold(self, db: sqlite3.Connection, who: Spender, quote: Quote, room: Hold, owner: str) -> Hold:
        """Set the room that was found aside."""
        now, spender = self._clock(), (who.team, who.agent, who.ref, who.run or None, who.turn)
        tokens = (quote.model, quote.tokens.tokens_in, quote.tokens.output)
        row = db.execute(
            f"INSERT INTO holds (owner, at, expires_at, {_SPENDER}, model, tokens_in, tokens_out, amount)"  # noqa: S608  ours
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (owner, now, now + HOLD_SECONDS, *spender, *tokens, room.amount),
        ).fetchone()
        # An engine may make several requests at once: one that fits does not undo the stop by another one.
        db.execute("DELETE FROM budget_stops WHERE run = ? AND at < ?", (who.run, now - STOP_SECONDS))
        return replace(room, id=int(row["id"]))

    def _room(
        self, db: sqlite3.Connection, who: Spender, caps: Caps, quote: Quote, now: float
    ) -> Hold | CapBusy | OverCap:
        """The part of a quote that fits below every cap, or why that is less than its `least`."""
        rows = db.execute(f"SELECT {_SPENDER}, at, amount FROM holds WHERE amount > 0").fetchall()  # noqa: S608  ours
        holds = [({key for _, _, key in _spender(row).accounts(row["at"])}, row["amount"]) for row in rows]
        room, busy, over = Hold(0, quote.amount), None, None
        for scope, period, key in who.accounts(now):
            cap = caps.of(scope, period)
            spent, raised = self._remember(db, key, cap)
            if cap is None:
                continue
            held = sum(reserved for keys, reserved in holds if key in keys)
            reached = CapReached(scope, period, cap + raised, spent, held, period.ends(now))
            free = reached.cap - spent
            if free < quote.least:
                over = over or OverCap(reached)
            # What others have reserved mostly comes back: a full reply later is better than half a reply now.
            elif free - held < (quote.amount if quote.amount <= free else quote.least):
                busy = busy or CapBusy(reached)
            least = min(room.amount, free - held)
            room = Hold(0, least, max(room.used, reached.used), reached if least < room.amount else room.limit)
        return over or busy or room

    def _remember(self, db: sqlite3.Connection, key: Key, cap: int | None) -> tuple[int, int]:
        """What was spent in a scope, and how much was added to its cap; the cap is kept for those who read it later."""
        row = db.execute(
            "SELECT spent, raised, cap FROM spending WHERE (scope, name, period) = (?, ?, ?)", key
        ).fetchone()
        if (None if row is None else row["cap"]) != cap:
            db.execute(
                "INSERT INTO spending (scope, name, period, cap) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (scope, name, period) DO UPDATE SET cap = excluded.cap",
                (*key, cap),
            )
        return (0, 0) if row is None else (row["spent"], row["raised"])

    def settle(self, hold: Hold, tokens: TokenCounts, cost: int, *, is_estimate: bool) -> list[CapWarning]:
        """Book what a request used, in place of its hold; returns the warnings that this calls for.

        Doing it twice is doing it once, and corrects what was booked when the hold's time was over.
        """
        with self._db.transaction(durable=False) as db:
            row = db.execute("DELETE FROM holds WHERE id = ? RETURNING *", (hold.id,)).fetchone()
            if row is not None:
                return self._book(db, row, tokens, cost, is_estimate=is_estimate)
            booked = db.execute("SELECT * FROM bookings WHERE hold = ?", (hold.id,)).fetchone()
            if booked is None or not booked["is_estimate"]:
                return []
            return self._correct(db, booked, tokens, cost, is_estimate=is_estimate)

    def settle_dead(self, owner: str) -> int:
        """Book the holds of other owners, who are dead, and those whose time is over, as they stand; returns how many.

        An owner may begin with its kind and a colon: then only owners of that kind are others.
        """
        kind = "CASE WHEN instr(owner, ':') THEN substr(owner, 1, instr(owner, ':') - 1) ELSE '' END"
        dead = f"(owner != ? AND {kind} = ?) OR expires_at < ?"
        values = (owner, owner.partition(":")[0] if ":" in owner else "", self._clock())
        if self._db.row(f"SELECT 1 FROM holds WHERE {dead} LIMIT 1", *values) is None:  # noqa: S608  ours
            return 0
        with self._db.transaction() as db:
            rows = db.execute(f"DELETE FROM holds WHERE {dead} RETURNING *", values).fetchall()  # noqa: S608  ours
            for row in rows:
                tokens = TokenCounts(input=row["tokens_in"], output=row["tokens_out"])
                self._book(db, row, tokens, row["amount"], is_estimate=True)
        return len(rows)

    def drop(self, hold: Hold) -> None:
        """Forget the hold of a request that was never made."""
        with self._db.transaction(durable=False) as db:
            db.execute("DELETE FROM holds WHERE id = ?", (hold.id,))

    def _book(
        self, db: sqlite3.Connection, hold: sqlite3.Row, tokens: TokenCounts, cost: int, *, is_estimate: bool
    ) -> list[CapWarning]:
        who = _spender(hold)
        counted = (tokens.input, tokens.output, tokens.cache_read, tokens.cache_write, cost, is_estimate)
        db.execute(
            f"INSERT INTO bookings (hold, at, {_SPENDER}, model, {_COUNTED})"  # noqa: S608  ours
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*(hold[name] for name in ("id", "at", "team", "agent", "ref", "run", "turn", "model")), *counted),
        )
        return self._add(db, who, hold["at"], tokens, cost)

    def _correct(
        self, db: sqlite3.Connection, booked: sqlite3.Row, tokens: TokenCounts, cost: int, *, is_estimate: bool
    ) -> list[CapWarning]:
        """Replace the numbers of a booking, and add the differences to the sums."""
        before = TokenCounts(booked["input"], booked["output"], booked["cache_read"], booked["cache_write"])
        db.execute(
            f"UPDATE bookings SET ({_COUNTED}) = (?, ?, ?, ?, ?, ?) WHERE id = ?",  # noqa: S608  ours
            (tokens.input, tokens.output, tokens.cache_read, tokens.cache_write, cost, is_estimate, booked["id"]),
        )
        return self._add(db, _spender(booked), booked["at"], tokens - before, cost - booked["cost"])

    def _add(self, db: sqlite3.Connection, who: Spender, at: float, tokens: TokenCounts, cost: int) -> list[CapWarning]:
        """Add to every sum that a booking belongs to."""
        db.execute(
            "UPDATE runs SET tokens_in = tokens_in + ?, tokens_out = tokens_out + ? WHERE id = ?",
            (tokens.tokens_in, tokens.output, who.run),
        )
        warnings = []
        for scope, period, key in who.accounts(at):
            row = db.execute(
                "INSERT INTO spending (scope, name, period, spent) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (scope, name, period) DO UPDATE SET spent = spent + excluded.spent RETURNING *",
                (*key, cost),
            ).fetchone()
            if row["cap"] is None:
                continue
            reached = CapReached(scope, period, row["cap"] + row["raised"], row["spent"], 0, period.ends(at))
            if (mark := warning_level(reached.spent, reached.cap)) > row["warned"] and cost:
                db.execute("UPDATE spending SET warned = ? WHERE id = ?", (mark, row["id"]))
                warnings.append(CapWarning(mark, reached))
        return warnings

    def unsaid(self, who: Spender) -> list[CapWarning]:
        """The warnings that no thread was told of yet, each once."""
        now, found = self._clock(), []
        with self._db.transaction() as db:
            for scope, period, key in who.accounts(now):
                where = "(scope, name, period) = (?, ?, ?) AND warned > said AND cap IS NOT NULL"
                row = db.execute(f"UPDATE spending SET said = warned WHERE {where} RETURNING *", key).fetchone()  # noqa: S608  ours
                if row is not None:
                    reached = CapReached(scope, period, row["cap"] + row["raised"], row["spent"], 0, period.ends(now))
                    found.append(CapWarning(row["warned"], reached))
        return found

    def raise_caps(self, ref: str, run: int, amount: int) -> list[int]:
        """Add to the caps of an issue and of one run on it; returns the open runs that had been stopped by one of them."""
        with self._db.transaction() as db:
            for scope, name in ((BudgetScope.ISSUE, ref), (BudgetScope.RUN, str(run))):
                row = db.execute(
                    "INSERT INTO spending (scope, name, period, raised) VALUES (?, ?, '', ?)"
                    " ON CONFLICT (scope, name, period) DO UPDATE SET raised = raised + excluded.raised RETURNING *",
                    (scope.value, name, amount),
                ).fetchone()
                mark = 0 if row["cap"] is None else warning_level(row["spent"], row["cap"] + row["raised"])
                db.execute(
                    "UPDATE spending SET warned = min(warned, ?), said = min(said, ?) WHERE id = ?",
                    (mark, mark, row["id"]),
                )
            stopped = (
                "SELECT budget_stops.run AS run FROM budget_stops JOIN runs ON runs.id = budget_stops.run"
                " WHERE runs.state = 'open' AND until = 0 AND (budget_stops.run = ? OR (runs.ref = ? AND scope = ?))"
            )
            runs = [int(row["run"]) for row in db.execute(stopped, (run, ref, BudgetScope.ISSUE.value)).fetchall()]
            self._forget_stops(db, runs)
        return sorted(set(runs))

    def _forget_stops(self, db: sqlite3.Connection, runs: Iterable[int]) -> None:
        db.executemany("DELETE FROM budget_stops WHERE run = ?", [(run,) for run in runs])

    def stop(self, who: Spender, reached: CapReached) -> None:
        """Remember that a cap has stopped a turn, until it is renewed or raised."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM budget_stops WHERE run = ? OR turn = ?", (who.run, who.turn))
            db.execute(
                "INSERT INTO budget_stops (turn, run, scope, period, cap, spent, until, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    who.turn,
                    who.run,
                    reached.scope,
                    reached.period,
                    reached.cap,
                    reached.spent,
                    reached.until,
                    self._clock(),
                ),
            )

    def stopped(self, turn: int) -> CapReached | None:
        """The cap that holds a turn up, None if none does (any more)."""
        row = self._db.row("SELECT * FROM budget_stops WHERE turn = ?", turn)
        if row is None or 0 < row["until"] <= self._clock():
            return None
        scope, period = BudgetScope(row["scope"]), Period(row["period"])
        return CapReached(scope, period, row["cap"], row["spent"], 0, row["until"])

    def forget_stop(self, run: int) -> None:
        """A run has come to another end than at a cap."""
        with self._db.transaction() as db:
            self._forget_stops(db, [run])


def _spender(row: sqlite3.Row) -> Spender:
    return Spender(row["team"], row["agent"], row["ref"], row["run"] or 0, row["turn"])
