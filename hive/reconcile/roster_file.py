"""The roster in a commit, read by git."""

from __future__ import annotations

from hive.config import BadYaml, Problem, Settings
from hive.config.roster import FILE, Roster, read_roster
from hive.git_mirror.mirror import Mirror, TooLarge
from hive.reconcile.build import MAX_BYTES


def roster_at(mirror: Mirror, tree: str, settings: Settings, forge: str) -> Roster:
    """The roster in a commit or tree; raises BadYaml with every mistake, and GitError."""
    return read_roster(roster_text(mirror, tree), settings, forge)


def roster_text(mirror: Mirror, tree: str) -> str:
    """The text of the roster in a commit or tree; raises BadYaml if there is none, or it is no text, and GitError."""
    try:
        content = mirror.file(tree, FILE, most=MAX_BYTES)
        if content is not None:
            return content.decode("utf-8")
        why = "there is no such file"
    except TooLarge:
        why = f"is larger than {MAX_BYTES} bytes"
    except UnicodeDecodeError:
        why = "is not UTF-8 text"
    raise BadYaml([Problem(FILE, 1, 1, why)])
