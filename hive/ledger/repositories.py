"""Repositories by the id that a forge never reuses, with their names here and on the forge."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from forge.models import Repo
from hive.ledger.database import Database

_WORDS: Mapping[str, tuple[str, ...]] = {
    "jobs": ("ref", "event_key"),
    "effects": ("ref", "key"),
    "runs": ("ref", "pull", "depends_on", "key"),
    "turns": ("key",),
    "proposals": ("ref",),
    "suspensions": ("name",),
    "breakers": ("ref",),
    "verdicts": ("ref",),
    "conversations": ("ref",),
    "cursors": ("name",),
}
"""Columns that hold a repository's name as `forge:owner/name`, alone or within a ref or a key."""

_VALUES: Mapping[str, tuple[str, ...]] = {"jobs": ("event",), "effects": ("payload", "result")}
"""Columns that hold the name in JSON: within texts, or as a repository."""


@dataclass(frozen=True, slots=True)
class PinnedRepository:
    """A repository: its configured name, the forge's current one, and its id there."""

    id: int
    repo: Repo
    now: Repo


class Repositories:
    """Pinned repositories; a renamed one keeps its configured name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def pin(self, repo: Repo, repo_id: int) -> bool:
        """The first repository that is seen under a name is the one that is meant; False if one is known already."""
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO repositories (forge, id, name, path) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (repo.forge, repo_id, repo.path, repo.path),
            )
        return bool(cursor.rowcount)

    def of(self, repo: Repo) -> PinnedRepository | None:
        """The repository of a configured name."""
        return self._found("forge = ? AND name = ?", repo.forge, repo.path)

    def by_id(self, forge: str, repo_id: int) -> PinnedRepository | None:
        """The repository of an id."""
        return self._found("forge = ? AND id = ?", forge, repo_id)

    def all(self) -> list[PinnedRepository]:
        """All that are known."""
        return [_pinned(row) for row in self._db.rows("SELECT forge, id, name, path FROM repositories ORDER BY id")]

    def set_path(self, pinned: PinnedRepository, now: Repo) -> None:
        """The forge calls it otherwise now."""
        with self._db.transaction() as db:
            db.execute("UPDATE repositories SET path = ? WHERE forge = ? AND id = ?", (now.path, now.forge, pinned.id))

    def delete(self, pinned: PinnedRepository) -> None:
        """Forget a name that was removed from the configuration."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM repositories WHERE forge = ? AND id = ?", (pinned.repo.forge, pinned.id))

    def rename(self, pinned: PinnedRepository, repo: Repo) -> None:
        """Change the configured name everywhere; open work continues under the new one."""
        renamed = _renaming(pinned.repo, repo)
        with self._db.transaction() as db:
            db.execute(
                "UPDATE repositories SET name = ? WHERE forge = ? AND id = ?", (repo.path, repo.forge, pinned.id)
            )
            for table, columns in _WORDS.items():
                for column in columns:
                    self._rewrite(table, column, str(pinned.repo), renamed)
            for table, columns in _VALUES.items():
                for column in columns:
                    self._rewrite(table, column, pinned.repo.name, lambda text: _in_json(text, pinned.repo, repo))

    def _rewrite(self, table: str, column: str, holds: str, change: Callable[[str], str]) -> None:
        where = f"SELECT rowid AS id, {column} AS text FROM {table} WHERE instr(lower({column}), lower(?))"  # noqa: S608  names of ours
        with self._db.transaction() as db:
            for row in db.execute(where, (holds,)).fetchall():
                new = change(row["text"])
                if new != row["text"]:
                    # What is known under the new name already is the newer of the two.
                    db.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?", (new, row["id"]))  # noqa: S608

    def _found(self, where: str, *values: object) -> PinnedRepository | None:
        row = self._db.row(f"SELECT forge, id, name, path FROM repositories WHERE {where}", *values)  # noqa: S608
        return None if row is None else _pinned(row)


def _pinned(row: Any) -> PinnedRepository:
    forge, name = row["forge"], row["name"]
    repo = Repo(forge, *name.split("/"))
    return PinnedRepository(row["id"], repo, repo if row["path"] == name else Repo(forge, *row["path"].split("/")))


def _renaming(old: Repo, new: Repo) -> Callable[[str], str]:
    """Replaces a name where it is a whole word."""
    whole = re.compile(rf"(?<![\w.-]){re.escape(str(old))}(?![\w.-])", re.IGNORECASE)
    return lambda text: whole.sub(lambda _: str(new), text)


def _in_json(text: str, old: Repo, new: Repo) -> str:
    """The same in JSON: repositories, and texts that are a ref or a name and nothing else; what people wrote stays."""
    ref = re.compile(rf"{re.escape(str(old))}(#[0-9]+)?", re.IGNORECASE)

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {"forge", "owner", "name"} and Repo(**value) == old:
                return {"forge": new.forge, "owner": new.owner, "name": new.name}
            return {key: walk(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        if isinstance(value, str) and (found := ref.fullmatch(value)):
            return f"{new}{found[1] or ''}"
        return value

    before = json.loads(text)
    after = walk(before)
    return text if after == before else json.dumps(after, ensure_ascii=False, separators=(",", ":"))
