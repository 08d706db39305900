"""Containers started as root and as a user without any right, each with what could be found on a host."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hive.reconcile.cgroups import Cgroups, NoCgroup

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NOBODY = 1_899_000_001
"""A user of the host that owns nothing and is nobody: who runs the hive in the half of the suite that is not root."""

MARK = "mark-of-the-escape-suite"
SECRET = "a-token-that-only-the-harness-knows"
BY_ROOT = ("range", "dedicated", "nspawn", "podman")
FAR = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
open("begun", "w").close()
for number in range(3, 256):
    try:
        os.close(number)
    except OSError:
        pass
os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1], "far"])
"""
"""Leaves its parent, its session and its signals behind."""

FAR_AWAY = f"rm -f begun; python3 far.py {MARK}; while [ ! -e begun ]; do sleep 0.05; done"
COMMANDS = {
    "outlive": f"{FAR_AWAY}; echo over",
    "time": f"rm -f begun; python3 far.py {MARK}; sleep 600",
    "launcher": f"{FAR_AWAY}; kill -9 $PPID; sleep 600",
    "lore": "cd /agent/state/knowledge; read -r lore <README.md; echo $lore; echo x >new; rm -f README.md; echo x >README.md; echo *",
    "bombs": "python3 bombs.py",
}
"""What an agent may try in its container, one after the other."""

IN_SECONDS = {"time": 2.0, "launcher": 3.0}
SECONDS = 120.0
PROBED = ("range", "dedicated", "users", "plain")
"""The kinds of bubblewrap's containers: whether they work here is seen by trying."""
NOT_HERE = 77
"""How `start.py` ends where there is no container of the kind."""


@dataclass(frozen=True)
class Prison:
    """A host directory, and the user and kind of container that is tried there."""

    root: Path
    kind: str
    python: str

    def words(self, commands: dict[str, str], *, agent: str = "iris") -> list[str]:
        """What starts a container in which the harness runs commands, one after the other."""
        files = {name: (HERE / name).read_text() for name in ("probe.py", "bombs.py")} | {"far.py": FAR}
        given = {"commands": commands, "seconds": IN_SECONDS, "secret": SECRET[::-1], "files": files, "mark": MARK}
        words = [str(HERE / "start.py"), str(self.root), agent, self.kind, str(HERE / "harness.py"), json.dumps(given)]
        return [self.python, *words]

    def options(self) -> dict[str, Any]:
        """How it is started: as whom, with which environment."""
        packages = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
        path = f"{self.root.parent / 'bin'}:{os.environ['PATH']}" if self.kind == "plain" else os.environ["PATH"]
        env = {"PATH": path, "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1", "SECRET": SECRET}
        changed = {} if self.kind in BY_ROOT or os.getuid() else {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        return {"env": env, "cwd": "/", "text": True, **changed}

    def run(self, commands: dict[str, str], *, agent: str = "iris") -> dict[str, Any]:
        """Let the harness run commands; what came of them and what was left of each."""
        done = subprocess.run(self.words(commands, agent=agent), capture_output=True, timeout=SECONDS, **self.options())
        assert done.returncode == 0, done.stderr + done.stdout
        seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return seen


@pytest.fixture(scope="module", params=["range", "dedicated", "users", "plain", "nspawn", "podman"])
def prison(request: pytest.FixtureRequest) -> Iterator[Prison]:
    """A place for containers of each kind that this machine can have; what it cannot is skipped by name."""
    kind = request.param
    if kind in BY_ROOT and os.getuid() != 0:
        pytest.skip(f"{kind}: only root can have such a container")
    with tempfile.TemporaryDirectory(prefix="escape-", dir="/tmp") as made:  # /tmp is every user's
        root = Path(made)
        python = sys.executable
        if kind == "plain" and os.getuid() != 0:
            pytest.skip("plain: only root can make a setuid bubblewrap")
        if kind not in BY_ROOT and os.getuid() == 0:
            root.chmod(0o755)
            if kind == "plain":
                _setuid_bubblewrap(root / "bin")
            root = root / "hive"
            root.mkdir(mode=0o700)
            os.chown(root, NOBODY, NOBODY)
            python = _python_of_a_user()
        prison = Prison(root, kind, python)
        tried = subprocess.run(prison.words({}), capture_output=True, timeout=SECONDS, **prison.options())
        if tried.returncode:
            said = (tried.stderr.strip().splitlines() or ["no such container here"])[-1][:200]
            assert tried.returncode == NOT_HERE or kind in PROBED, said
            pytest.skip(f"{kind}: {said}")
        yield prison
    with suppress(NoCgroup):
        Cgroups.find().sweep()


def _setuid_bubblewrap(folder: Path) -> None:
    """As distributions ship it where user namespaces are forbidden."""
    program = shutil.which("bwrap")
    if program is None:
        pytest.skip("plain: there is no bubblewrap to make setuid")
    folder.mkdir(mode=0o755)
    copy = folder / "bwrap"
    shutil.copy(program, copy)
    copy.chmod(0o4755)


def _python_of_a_user() -> str:
    """A Python that a user without rights may run, with our libraries; skips without one."""
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, shutil.which(here, path=os.defpath), shutil.which(here, path="/usr/local/bin")):
        options = Prison(Path(), "users", "").options()
        if python is not None:
            try:
                tried = subprocess.run([python, "-c", "import hive.reconcile.backends"], capture_output=True, **options)
            except OSError:
                continue
            if tried.returncode == 0:
                return python
    pytest.skip(f"users: no {here} that another user may run with {ROOT}")


@pytest.fixture(scope="module")
def seen(prison: Prison) -> Iterator[dict[str, Any]]:
    """What the probe saw as a command of an agent, with everything on the host that it could look for."""
    with ExitStack() as stack:
        port = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        name = f"hive-escape-{os.getpid()}"
        abstract.bind(f"\0{name}")
        abstract.listen()
        files = [
            prison.root / "ledger.db",
            prison.root / "secrets" / "core.token",
            prison.root / "agents/brook/state/notes",
        ]
        for path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(SECRET)
        theirs = prison.root / "agents" / "brook" / "forge.sock"
        other = stack.enter_context(socket.socket(socket.AF_UNIX))
        other.bind(str(theirs))
        other.listen()
        if prison.kind not in BY_ROOT and os.getuid() == 0:
            for path in (*prison.root.rglob("*"),):
                os.chown(path, NOBODY, NOBODY)
        sleeper = stack.enter_context(subprocess.Popen(["sleep", "600"]))
        stack.callback(sleeper.kill)
        harness = ["/agent/state/runs/7/transcript.jsonl", "/proc/1/environ", "/proc/1/root/etc/shadow"]
        places = {
            "files": [*map(str, files), *harness],
            "port": port.getsockname()[1],
            "abstract": name,
            "sockets": [str(theirs)],
            "pid": sleeper.pid,
        }
        done = prison.run({"probe": f"python3 probe.py '{json.dumps(places)}'", **COMMANDS})
        results = done["results"]
        assert results["probe"]["status"] == 0, results["probe"]["output"]
        result = prison.root / "agents/iris/state/runs/7/work/result.json"
        yield json.loads(result.read_text()) | {"harness": done["uid"], "results": results, "program": done["program"]}
