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

from hive.supervisor.processes import CrashLoop, Supervisor

SECONDS = 240.0


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


def shared(pid: int) -> int:
    """Kilobytes that a process has written and another process has as well."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines())
    return next(int(words[1]) for words in lines if words[0] == "Shared_Dirty:")


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
    tree = Supervisor(tmp_path / "logs", lambda name, status: deaths.append((name, status)))
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
    tree = Supervisor(tmp_path / "logs", lambda name, status: None)
    tree.add("web", "web", str(config))
    pid = tree.pid("web")
    tree.stop()
    assert not is_alive(pid)


def test_children_notice_that_their_parent_is_gone(tmp_path: Path, config: Path) -> None:
    """A parent that is killed outright leaves nobody behind."""
    code = (
        "import sys, time; from pathlib import Path; from hive.supervisor.processes import Supervisor\n"
        "tree = Supervisor(Path(sys.argv[1]), lambda name, status: None)\n"
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


def test_a_killed_fork_server_costs_no_child(tmp_path: Path, config: Path) -> None:
    """Children outlive the process that started them; the next death is noticed, and another server starts the next life."""
    deaths: list[tuple[str, int]] = []
    tree = Supervisor(
        tmp_path / "logs", lambda name, status: deaths.append((name, status)), preload=("no_such_module",)
    )
    try:
        tree.add("web", "web", str(config))
        first = tree.pid("web")
        server = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(server, signal.SIGKILL)
        until(lambda: not is_alive(server))
        assert is_alive(first)
        os.kill(first, signal.SIGKILL)
        until(lambda: bool(deaths) and tree.pid("web") not in (0, first))
        assert deaths == [("web", -signal.SIGKILL)]
        second = tree.pid("web")
    finally:
        tree.stop()
    assert not is_alive(second)


def test_each_child_looks_like_a_command_and_knows_its_own_environment(tmp_path: Path, config: Path) -> None:
    """`ps` shows `hive web`; what one child is told by its environment no other process can read there."""
    tree = Supervisor(tmp_path / "logs", lambda name, status: None)
    try:
        tree.add("web", "web", str(config), env={"HIVE_ADMIN_PASSWORD": "correct horse"})
        process = Path(f"/proc/{tree.pid('web')}")
        words = [sys.executable, "-P", "-m", "hive", "web", str(config)]
        until(lambda: (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0") == [*map(os.fsencode, words)])
        assert b"correct horse" not in (process / "environ").read_bytes()
        assert os.getsid(int(process.name)) == int(process.name)
    finally:
        tree.stop()


def test_children_share_what_was_imported_before_them(tmp_path: Path, config: Path) -> None:
    """What is preloaded lies in memory once; an early child does not wait for it."""
    tree = Supervisor(tmp_path / "logs", lambda name, status: None, preload=("hive.app.preload",))
    try:
        tree.add("early", "web", str(config), early=True)
        tree.add("late", "web", str(config))
        assert shared(tree.pid("early")) < 10_000 < shared(tree.pid("late"))
    finally:
        tree.stop()


def test_a_child_that_cannot_live_ends_the_tree_with_its_sentence(tmp_path: Path, config: Path) -> None:
    """Three times the same death is enough: its last words are told, and it is not started for ever."""
    config.write_text(config.read_text().replace("operators: [m]", "operators: []"))
    told: list[str] = []
    tree = Supervisor(
        tmp_path / "logs",
        lambda name, status: told.append(f"{status} {tree.last_words(name)}"),
        preload=("hive.app.preload",),  # a life that ends at once does so on a busy machine too
    )
    try:
        tree.add("web", "web", str(config))
        until(lambda: len(told) == 3)
        with pytest.raises(CrashLoop, match=r"web ended 3 times as soon as it was started: 1 mistake\(s\) in .*"):
            tree.check()
    finally:
        tree.stop()
    assert all("nobody could approve" in words for words in told), told
    assert len(told) == 3


def test_who_is_killed_is_not_hopeless(tmp_path: Path, config: Path) -> None:
    """However often somebody kills a child, it comes back: a signal is no word of its own."""
    deaths: list[int] = []
    tree = Supervisor(tmp_path / "logs", lambda name, status: deaths.append(status), longest_delay=0.2)
    try:
        tree.add("web", "web", str(config))
        for number in range(4):
            until(lambda: tree.pid("web") != 0)
            os.kill(tree.pid("web"), signal.SIGKILL)
            until(lambda seen=number: len(deaths) > seen)  # type: ignore[misc]
        until(lambda: tree.pid("web") != 0)
        tree.check()
    finally:
        tree.stop()


def test_nothing_is_imported_from_the_current_folder(tmp_path: Path, config: Path) -> None:
    """Folders and files that bear the names of modules, ours, Python's or others', lie beside `hive.yaml` unread."""
    for name in ("forge", "bots", "yaml", "sqlite3", "click"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('imported from the current folder')")
    for name in ("json", "logging", "requests", "huey", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    for words in ([sys.executable, "-m", "hive"], [str(Path(sys.executable).parent / "hive")]):
        done = subprocess.run([*words, "check", str(config)], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    where = Path.cwd()
    tree = Supervisor(tmp_path / "logs", lambda name, status: None)
    os.chdir(tmp_path)
    try:
        tree.add("web", "web", str(config))
        until((tmp_path / "state" / "ledger.db").exists)
    finally:
        os.chdir(where)
        tree.stop()
    assert "imported" not in (tmp_path / "logs" / "web.log").read_text()


def test_a_child_that_cannot_be_started_is_tried_again(tmp_path: Path, config: Path) -> None:
    """Whoever watches the others outlives a start for which there is no room, and tries again when there is."""
    logs, elsewhere = tmp_path / "logs", tmp_path / "elsewhere"
    tree = Supervisor(logs, lambda *_: None, longest_delay=0.2)
    try:
        tree.add("web", "web", str(config))
        first = tree.pid("web")
        logs.rename(elsewhere)
        logs.write_text("in the way of a directory")
        os.kill(first, signal.SIGKILL)
        until(lambda: tree.pid("web") == 0)
        time.sleep(0.5)  # several tries
        assert tree.pid("web") == 0
        logs.unlink()
        elsewhere.rename(logs)
        until(lambda: tree.pid("web") not in (0, first))
    finally:
        tree.stop()
