"""An operator enters a running container with the rights of the agent's own commands, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hive.config import Limits
from hive.reconcile.backends import Backend
from hive.reconcile.build import build, plan
from hive.reconcile.container_record import ContainerRecord
from hive.reconcile.containers import Containers
from hive.reconcile.limiter import Limiter
from tests.backends import CONTAINED, wanted
from tests.reconcile.conftest import Origin

SECONDS = 120.0
ENTER = """
import sys
from hive.app.enter import on_terminal
from hive.config import Limits
from hive.reconcile.backends import Bounds
from hive.reconcile.backends.surroundings import within
from hive.reconcile.entering import enter
bounds = Bounds(Limits())
def run():
    return enter(int(sys.argv[1]), sys.argv[2:], within(bounds, {"COLOR": "amber"}), bounds.rlimits)
sys.exit(on_terminal(run) if sys.stdin.isatty() else run())
"""
LOOK = """
id -u; echo $PATH $COLOR; while read -r line; do case $line in CapEff*|CapBnd*|NoNewPrivs*) echo $line;; esac; done </proc/self/status
for place in /run/hive/* /agent/state/runs/*; do echo $place; done; read -r word; echo $word; exit 7
"""

pytestmark = pytest.mark.contained


@pytest.fixture(params=CONTAINED)
def running(request: pytest.FixtureRequest, origin: Origin, tmp_path: Path) -> Iterator[tuple[Backend, int]]:
    """A container of each backend that this machine has, and its harness."""
    backend = wanted(str(request.param))
    containers = Containers(backend, tmp_path / "agents", Limiter.find(Limits()))
    dirs = containers.dirs("iris")
    sha = origin.commit({"agent.yaml": "lane: app\n"})
    build(plan("iris", origin.mirror, sha, Limits()), sha, dirs.gens)
    assert containers.start("iris", sha, {})
    end = time.monotonic() + SECONDS
    while (record := ContainerRecord.load(dirs)) is None or not (dirs.state / "home").is_dir():
        assert time.monotonic() < end, containers.log("iris")
        containers.reap()
        time.sleep(0.02)
    yield backend, record.harness
    containers.stop_all()
    assert ContainerRecord.load(dirs) is None, "nobody enters what has ended"


def test_a_shell_is_confined_as_commands_are(running: tuple[Backend, int]) -> None:
    """The commands' user, PATH and view, no capability, no sockets; what is typed goes in, and the status comes out."""
    _, harness = running
    words = [sys.executable, "-c", ENTER, str(harness), "sh", "-c", LOOK]
    done = subprocess.run(words, input="amber honey\n", capture_output=True, text=True, timeout=SECONDS)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "1001" if os.geteuid() == 0 else "1000",
        "/agent/config/bin amber",
        "CapEff: 0000000000000000",
        "CapBnd: 0000000000000000",
        "NoNewPrivs: 1",
        "/run/hive/*",
        "/agent/state/runs/*",
        "amber honey",
    ]
    assert done.returncode == 7


@pytest.mark.parametrize("running", ["bubblewrap"], indirect=True)  # one will do: the terminal is the host's
def test_a_shell_has_a_terminal_of_its_own(running: tuple[Backend, int]) -> None:
    """Keys and lines pass between the operator's terminal and the shell's, and both are given back at the end."""
    _, harness = running
    ours, theirs = os.openpty()
    words = [sys.executable, "-c", ENTER, str(harness), "bash", "--norc", "-i"]
    shell = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    os.write(ours, b"echo $((6 * 7)); jobs; exit 3\n")
    said = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # EIO: the other end is closed
            break
        said += chunk
    os.close(ours)
    assert shell.wait(SECONDS) == 3, said
    assert b"\r\n42\r\n" in said
    assert b"no job control" not in said
