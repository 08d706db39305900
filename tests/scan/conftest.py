"""Trees of files as a change would leave them, and the engines that look at them for real."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bots.models import Scan
from hive.git_mirror.commits import Commits
from hive.git_mirror.git_process import GitProcess
from hive.inspect.pull_scanner import scan_commits
from hive.scan.analysis import ENGINES, analyse
from hive.scan.engine import Engine
from hive.scan.sandbox_runner import SandboxRunner, bench

Look = Callable[..., Scan]
Tree = Mapping[str, str | bytes | None]
Change = Callable[..., Scan]


@pytest.fixture
def change(tmp_path: Path) -> Change:
    """Two commits of a real repository, and what is said of the way from one to the other; None deletes a file."""
    root = tmp_path / "repo"

    def git(*words: str) -> str:
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        who = ("-c", "user.name=mara", "-c", "user.email=mara@example.org")
        done = subprocess.run(["git", *who, *words], cwd=root, env=env, capture_output=True, check=True, text=True)
        return done.stdout.strip()

    def commit(files: Tree) -> str:
        for name, content in files.items():
            place = root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            if isinstance(content, bytes) and content.startswith(b"-> "):
                place.symlink_to(content[3:].decode())
            elif content is not None:
                place.write_bytes(content.encode() if isinstance(content, str) else content)
        git("add", "--all", ".")
        git("commit", "--quiet", "--allow-empty", "--message=x")
        return git("rev-parse", "HEAD")

    def run(before: Tree, after: Tree) -> Scan:
        root.mkdir()
        git("init", "--quiet", ".")
        old, new = commit(before), commit(after)
        return scan_commits(Commits(GitProcess(root / ".git")), old, new)

    return run


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Write files and have them analysed; every line counts as added unless `added` says which."""

    def run(
        files: Mapping[str, str | bytes],
        *,
        added: Mapping[str, Sequence[int]] | None = None,
        engines: Sequence[Engine] | str = ENGINES,
        on: SandboxRunner | None = None,
    ) -> Scan:
        root = tmp_path / "head"
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
        whole = {name: range(1, len((root / name).read_bytes().split(b"\n")) + 1) for name in files}
        changed = {name: frozenset(lines) for name, lines in (whole if added is None else added).items()}
        if isinstance(engines, str):
            engines = [engine for engine in ENGINES if engine.name in engines.split()]
        return analyse(root, changed, "c0ffee", engines=engines, on=on or bench())

    return run
