"""Which conversation of Claude Code belongs to a run. The conversation itself is the program's own, below its home."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

from hive.agent.directory_trees import remove_path

FILE = "session.json"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class ClaudeSession:
    """A conversation, and the turn that it was last asked about; without an id there is none."""

    id: str = ""
    turn: int = 0

    @classmethod
    def of(cls, folder: Path) -> ClaudeSession:
        """The one that is written down for a run; none where there is anything else."""
        path = folder / FILE
        try:
            if not path.is_file() or path.stat().st_size > _MOST:
                return cls()
            told = json.loads(path.read_bytes())
            number, turn = told["id"], told["turn"]
        except (OSError, ValueError, KeyError, TypeError):
            return cls()
        is_sound = isinstance(number, str) and _UUID.fullmatch(number) and isinstance(turn, int)
        return cls(number, turn) if is_sound else cls()

    @staticmethod
    def new(turn: int) -> ClaudeSession:
        """One that nobody has had."""
        return ClaudeSession(str(uuid.uuid4()), turn)

    def keep(self, folder: Path) -> None:
        """Write it down before the program is started with it."""
        draft, path = folder / f"{FILE}.new", folder / FILE
        remove_path(draft)
        draft.write_text(json.dumps({"id": self.id, "turn": self.turn}))
        if path.is_dir() and not path.is_symlink():
            remove_path(path)
        draft.replace(path)
