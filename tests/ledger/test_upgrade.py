"""A ledger of an earlier version is brought up to date, and keeps what it knows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hive.ledger import Ledger
from hive.ledger.schema import MIGRATIONS


def ledger_of(path: Path, before: str) -> sqlite3.Connection:
    """A ledger as it was before the migration that makes something."""
    steps = next(number for number, script in enumerate(MIGRATIONS) if before in script)
    database = sqlite3.connect(path, isolation_level=None)
    for script in MIGRATIONS[:steps]:
        database.executescript(script)
    database.execute(f"PRAGMA user_version = {steps}")
    return database


def test_deeds_get_a_key_of_their_kind(tmp_path: Path) -> None:
    """Deeds stay as they stood, with what points to them, and are then one for each kind and key."""
    path = tmp_path / "ledger.db"
    with ledger_of(path, "effects_of_kinds") as old:
        old.execute(
            "INSERT INTO effects (id, team, actor, kind, key, payload, state, next_at, created_at, ref, done_at)"
            " VALUES (7, 'acme', 'core', 'post_comment', 'k', '{}', 'done', 1, 1, 'forgejo:acme/app#1', 5)"
        )
        old.execute(
            "INSERT INTO runs (id, team, agent, ref, key, state, created_at, effect)"
            " VALUES (3, 'acme', 'iris', 'forgejo:acme/app#1', 'r', 'open', 1, 7)"
        )
    old.close()
    ledger = Ledger(path)
    try:
        kept = ledger.effects.get(7)
        assert (kept.state, kept.ref, kept.key) == ("done", "forgejo:acme/app#1", "k")
        assert ledger.effects.owe("acme", "core", "post_comment", "k", "{}") == 7
        assert ledger.effects.owe("acme", "core", "set_labels", "k", "{}") != 7
        with ledger.transaction() as db:
            causes = [tuple(row) for row in db.execute("SELECT what, id, by_what, by_id FROM causes")]
            broken = db.execute("PRAGMA foreign_key_check").fetchall()
        assert ("run", 3, "effect", 7) in causes
        assert broken == []
    finally:
        ledger.close()
