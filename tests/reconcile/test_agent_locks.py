"""Two hosts of one state directory never both act on an agent, whatever was deleted in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.agent_locks import TAKEN, AgentLocks
from hive.reconcile.backends import Unconfined
from hive.reconcile.containers import Containers

OTHER = """\
import sys, time
from pathlib import Path
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.agent_locks import AgentLocks
locks = AgentLocks()
locks.take(AgentDirs("iris", Path(sys.argv[1])))
print("kept", flush=True)
time.sleep(600)
"""


@pytest.fixture
def dirs(tmp_path: Path) -> AgentDirs:
    """The directories of an agent."""
    made = AgentDirs("iris", tmp_path / "agents" / "iris")
    made.root.parent.mkdir()
    made.prepare()
    return made


def test_another_process_keeps_it_until_it_is_killed(dirs: AgentDirs) -> None:
    """The second is refused in words, ends nothing of the first, and is let in when that one was killed."""
    with subprocess.Popen([sys.executable, "-c", OTHER, str(dirs.root)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "kept\n"
        harness = subprocess.Popen(["sleep", "600"], env={"HIVE_STATE": str(dirs.state)})
        containers = Containers(Unconfined(), dirs.root.parent)
        try:
            with pytest.raises(BlockingIOError, match=TAKEN):
                containers.sweep_out("iris")
            assert harness.poll() is None, "what the other host runs goes on"
            for path in dirs.root.iterdir():
                assert path.is_dir(), "there is no file whose deletion would let anybody in"
        finally:
            harness.kill()
            harness.wait()
            os.kill(other.pid, signal.SIGKILL)
    containers.sweep_out("iris")
    containers.stop_all()


def test_one_host_takes_it_as_often_as_it_likes(dirs: AgentDirs) -> None:
    """It is taken once, kept, and left to others at the end; a directory that is none is refused."""
    first, second = AgentLocks(), AgentLocks()
    first.take(dirs)
    first.take(dirs)
    with pytest.raises(BlockingIOError, match=TAKEN):
        second.take(dirs)
    first.release()
    second.take(dirs)
    second.release()
    with pytest.raises(OSError, match="No such file"):
        first.take(AgentDirs("atlas", dirs.root.parent / "atlas"))
