"""Children are started again when they die, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hive.processes import Tree

SECONDS = 20.0


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that has to come."""
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose receiver can run alone."""
    path = tmp_path / "hive.yaml"
    path.write_text(
        'forges: {f: {url: "http://127.0.0.1:1"}}\nstate: state\nweb: {port: 0}\n'
        "teams: {t: {forge: f, operators: [m], repos: [], agents: [iris], lanes: {x: {agent: iris}}}}\n"
    )
    return path


def test_the_dead_are_started_again(tmp_path: Path, config: Path) -> None:
    """A child that is killed is replaced, and somebody is told."""
    deaths: list[tuple[str, int]] = []
    tree = Tree(tmp_path / "logs", lambda name, status: deaths.append((name, status)))
    try:
        tree.add("web", "web", str(config))
        first = tree.pid("web")
        os.kill(first, signal.SIGKILL)
        until(lambda: bool(deaths) and tree.pid("web") not in (0, first))
        assert deaths == [("web", -signal.SIGKILL)]
    finally:
        tree.stop()
    assert not is_alive(first)


def test_stop_ends_all(tmp_path: Path, config: Path) -> None:
    """After stop no child is left."""
    tree = Tree(tmp_path / "logs", lambda name, status: None)
    tree.add("web", "web", str(config))
    pid = tree.pid("web")
    tree.stop()
    assert not is_alive(pid)


def test_children_notice_that_their_parent_is_gone(tmp_path: Path, config: Path) -> None:
    """A parent that is killed outright leaves nobody behind."""
    code = (
        "import sys, time; from pathlib import Path; from hive.processes import Tree\n"
        "tree = Tree(Path(sys.argv[1]), lambda name, status: None)\n"
        "tree.add('web', 'web', sys.argv[2]); print(tree.pid('web'), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "logs"), str(config)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until(lambda: not is_alive(child))
