"""What a demo created on your forge: recorded at once, so that it can be removed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

FILE = "made-on-forges.json"

Kind = Literal["orgs", "users"]


@dataclass(frozen=True, slots=True)
class Made:
    """An account or an organisation, under the id that the forge gave it."""

    forge: str
    kind: Kind
    name: str
    id: int


class CleanupRecord:
    """The list of what was made and is still there, in a state directory."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE

    def rows(self, forge: str) -> list[Made]:
        """What was made on a forge, in that order."""
        return [row for row in self._read() if row.forge == forge]

    def add(self, row: Made) -> None:
        """Write down what was just made."""
        self._write([*self._read(), row])

    def strike(self, row: Made) -> None:
        """Forget what is gone."""
        self._write([held for held in self._read() if held != row])

    def _read(self) -> list[Made]:
        if not self._path.exists():
            return []
        return [Made(**row) for row in json.loads(self._path.read_text())]

    def _write(self, rows: list[Made]) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps([asdict(row) for row in rows], indent=1))
        draft.replace(self._path)
