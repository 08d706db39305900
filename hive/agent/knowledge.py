"""Shared knowledge beside the work tree: fetched for each turn, read-only for commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hive.agent.child_process import Deadlines
from hive.agent.directory_trees import remove_path
from hive.agent.errors import GitToolError, HostUnavailable
from hive.agent.git import GitCommand
from hive.agent.log import log
from hive.agent.sandbox import NONE, Sandbox

NAME = "knowledge"
"""The folder below `state`: in a container `/agent/state/knowledge`."""

VARIABLE = "KNOWLEDGE"
"""By which commands know where it is."""

DEADLINES = Deadlines(silence=20.0, longest=60.0)
MAX_BYTES = 32 << 20
"""How long fetching it may take and how large it may be: it helps with the work, and is no reason to wait for it."""


def fetch(state: Path, repo: str, env: Mapping[str, str], sandbox: Sandbox = NONE) -> Path | None:
    """The folder with the current knowledge, or that of an earlier turn; None if there is neither.

    Raises LeaseLost. Every other failure is logged only.
    """
    folder = state / NAME
    if not repo:
        remove_path(folder)
        return None
    git = GitCommand(state / f"{NAME}.part", env, repo, sandbox, DEADLINES)
    try:
        remove_path(git.path)
        git.clone("--depth=1", "--single-branch", "--no-tags")
        git("reset", "--quiet", "--hard")
        remove_path(git.path / ".git")
        _weigh(git.path)
        remove_path(folder)
        git.path.rename(folder)
    except (GitToolError, HostUnavailable, OSError) as error:
        log("without new knowledge", repo=repo, why=error)
        remove_path(git.path)
    return folder if folder.is_dir() and not folder.is_symlink() else None


def _weigh(folder: Path) -> None:
    size = sum(path.lstat().st_size for path in folder.rglob("*"))
    if size > MAX_BYTES:
        raise GitToolError(f"{size} bytes are more than {MAX_BYTES}")
