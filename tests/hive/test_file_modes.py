"""What the hive keeps is nobody else's: made so, put right where it is not, and named by the doctor."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from forge.embedded import EmbeddedForge
from hive.demo.scripted_replies import script
from hive.instance.file_modes import exposed, make_private
from hive.provision.host_checks import machine
from hive.queue.task_queue import Queue
from tests.hive.conftest import HiveEnv
from tests.stories.conftest import raised

ROOT = Path(__file__).parent.parent.parent


def open_to_others(state: Path) -> list[Path]:
    """Everything below a directory that others may read, the long way; what agents were handed aside."""
    handed = [
        state / "agents" / agent.name / name for agent in state.glob("agents/*") for name in ("gens", "run", "state")
    ]
    found = [path for path in (state, *state.rglob("*")) if not path.is_symlink() and path.lstat().st_mode & 0o077]
    return [path for path in found if not any(path.is_relative_to(place) for place in handed)]


def test_a_house_at_work_is_closed(tmp_path: Path) -> None:
    """Mirrors, databases, logs, locks, sockets and the embedded forge's state are made with modes 0700 and 0600."""
    with raised(tmp_path, script()) as hive:
        # The test itself wrote these, before anything ran.
        ours = {tmp_path / "hive.yaml", *(tmp_path / "sample" / ".git").rglob("*"), tmp_path / "sample" / ".git"}
        names = {path.name for path in tmp_path.iterdir()}
        assert {
            "agents",
            "heartbeats",
            "forgejo",
            "ledger.db",
            "logs",
            "mirrors",
            "queue.db",
            "secrets",
            "work.wakeup",
        } <= names
        assert set(open_to_others(tmp_path)) - ours == set()
        assert hive.harness(), "and the agent reaches its sockets all the same"


def test_made_closed_whatever_the_umask(tmp_path: Path) -> None:
    """Whoever uses a part without the command line gets the same modes."""
    old = os.umask(0)
    try:
        Queue(tmp_path / "a" / "queue.db").close()
        EmbeddedForge(tmp_path / "b").start().stop()
    finally:
        os.umask(old)
    for name in ("a", "a/queue.db", "b", "b/forge.db"):
        assert not (tmp_path / name).stat().st_mode & 0o077, name


def test_commands_make_nothing_that_is_open() -> None:
    """Each command closes its umask first, and so do the children that it starts."""
    check = (
        "import os\nfrom click.testing import CliRunner\nfrom hive.cli import main\n"
        "CliRunner().invoke(main, ['check', 'none'])\nprint(oct(os.umask(0)))"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "0o77"


def test_what_is_open_is_closed_at_start(tmp_path: Path) -> None:
    """What an older hive left open is closed; links, and what is not the hive's, stay as they are."""
    others, target = tmp_path / "notes.txt", tmp_path / "elsewhere"
    for path in (others, target, tmp_path / "ledger.db", tmp_path / "ledger.db-wal"):
        path.write_text("x")
        path.chmod(0o644)
    for folder in ("mirrors/work/acme/app.git", "agents/iris/state/home", "agents/iris/gens/abc", "forgejo/git"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mirrors" / "link").symlink_to(target)
    (tmp_path / "forgejo" / "forge.db").write_text("x")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wakeup:
        wakeup.bind(str(tmp_path / "work.wakeup"))
    for path in (tmp_path, *tmp_path.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert tmp_path / "forgejo" / "forge.db" in list(exposed(tmp_path, ("forgejo",)))
    assert make_private(tmp_path, ("forgejo",)) == []
    assert set(open_to_others(tmp_path)) == {others, target}
    assert (tmp_path / "agents" / "iris" / "state" / "home").stat().st_mode & 0o777 == 0o755, "an agent's own"
    assert (tmp_path / "agents" / "iris").stat().st_mode & 0o777 == 0o700
    assert list(exposed(tmp_path, ("forgejo",))) == []


def test_doctor_names_what_is_open(hive_env: HiveEnv) -> None:
    """The doctor says what others can read, and how it is closed."""
    hive_env.instance.close_to_others()
    assert "🟢 the state directory is private" in [str(sign) for sign in machine(hive_env.instance)]
    hive_env.instance.ledger_path.chmod(0o640)
    found = [str(sign) for sign in machine(hive_env.instance) if "ledger.db" in str(sign)]
    what, fix = f"{hive_env.instance.ledger_path} can be read by others", "restart the hive as the owner of it"
    assert found == [f"🔴 {what} → {fix}: that corrects the modes"]
