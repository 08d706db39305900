"""A container has no network and no keys, sees what it was given, and dies with its host."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hive.agent.processes import descendants
from hive.config import Limits
from hive.instance.file_modes import OTHERS
from hive.reconcile.backends import Backend, Bounds, Bubblewrap, Unconfined, look_for
from hive.reconcile.build import build, plan
from hive.reconcile.containers import Containers, Ended
from hive.reconcile.dir_handles import ForeignEntry
from hive.reconcile.limiter import Limiter
from tests.backends import CONTAINED, EVERY, found, wanted
from tests.reconcile.conftest import Origin

LOOK = """
import json, os, socket
def tries(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
print(json.dumps({
    "env": dict(os.environ), "uid": os.getuid(), "home": os.path.exists("/root/.ssh") or os.path.exists("/home"),
    "net": tries(lambda: socket.create_connection(("127.0.0.1", PORT), timeout=2)),
    "links": sorted(os.listdir("/sys/class/net")) if os.path.exists("/sys/class/net") else ["lo"],
    "config": tries(lambda: open(os.environ["HIVE_CONFIG"] + "/x", "w")), "state": tries(lambda: open(os.environ["HIVE_STATE"] + "/x", "w")),
    "usr": tries(lambda: open("/usr/x", "w")), "pids": len([p for p in os.listdir("/proc") if p.isdigit()]),
    "path": sorted(os.listdir(os.environ["PATH"])),
}))
"""


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that has to come."""
    end = time.monotonic() + 240
    while not is_so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Backend:
    """A backend that this machine has."""
    return wanted(str(request.param))


@pytest.fixture
def made(origin: Origin, tmp_path: Path) -> Iterator[tuple[Containers, str]]:
    """Containers with an artifact of iris."""
    containers = Containers(found("bubblewrap")[0] or Unconfined(), tmp_path / "agents", Limiter.find(Limits()))
    dirs = containers.dirs("iris")
    sha = origin.commit({"agent.yaml": "lane: app\nenv: {COLOR: amber}\n"})
    build(plan("iris", origin.mirror, sha, Limits()), sha, dirs.gens)
    dirs.point(sha)
    yield containers, sha
    containers.sweep_out("iris")
    containers.stop_all()


def look(backend: Backend, containers: Containers, sha: str, port: int = 1) -> dict[str, object]:
    """What a program sees in the place of the harness."""
    command = backend.command(containers.dirs("iris"), sha, {"COLOR": "amber"}, Bounds(Limits()))
    words, env = command.words, command.env
    words = [*words[: words.index("-m")], "-c", LOOK.replace("PORT", str(port))]
    secret = {"ANTHROPIC_API_KEY": "sk-ant-secret", "HIVE_ADMIN_PASSWORD": "x"}
    cwd = containers.dirs("iris").state
    if env:  # what is not contained gets its environment from the host, and nothing else
        done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, env=env)
    else:
        done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, env={**os.environ, **secret})
    assert done.returncode == 0, done.stderr
    seen: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return seen


@pytest.mark.parametrize("name", CONTAINED)
def test_whatever_the_umask_of_the_host(name: str) -> None:
    """The hive makes everything private, and yet the users of a container come to what is theirs (podman: to its groups)."""
    wanted(name)
    old = os.umask(OTHERS)
    try:
        assert look_for(name)[1] == ""
    finally:
        os.umask(old)


@pytest.mark.contained
def test_no_network_no_keys_no_host(made: tuple[Containers, str]) -> None:
    """Nothing of the host is there but commands and libraries; only the state can be written."""
    seen = look(wanted("bubblewrap"), *made)
    env = seen["env"]
    assert isinstance(env, dict)
    assert set(env) <= {
        *("COLOR", "HIVE_CONFIG", "HIVE_SOCKETS", "HIVE_STATE", "HOME", "LANG", "PATH", "PWD", "LC_CTYPE"),
        *("HIVE_LIMITS", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"),
    }
    assert seen["uid"] == 1000
    assert not seen["home"]
    assert seen["net"] == "ConnectionRefusedError"
    assert seen["links"] == ["lo"]
    assert (seen["config"], seen["state"], seen["usr"]) == ("OSError", "done", "OSError")
    assert isinstance(seen["pids"], int)
    assert seen["pids"] <= 3


@pytest.mark.contained
def test_a_port_of_the_host_is_out_of_reach(made: tuple[Containers, str]) -> None:
    """Not even the forge on loopback can be reached from inside."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert look(wanted("bubblewrap"), *made, port=server.getsockname()[1])["net"] == "ConnectionRefusedError"


def test_without_namespaces_the_environment_is_scrubbed(made: tuple[Containers, str]) -> None:
    """A plain process gets no key either, and only the declared commands."""
    seen = look(Unconfined(), *made)
    env = seen["env"]
    assert isinstance(env, dict)
    assert "ANTHROPIC_API_KEY" not in env
    assert env["COLOR"] == "amber"
    path = seen["path"]
    assert isinstance(path, list)
    assert {"git", "python3"} <= set(path)
    assert "gzip" not in path


@pytest.mark.parametrize("backend", EVERY, indirect=True)
def test_starts_stops_and_is_reaped(made: tuple[Containers, str], backend: Backend) -> None:
    """A container runs until it is stopped; one that ends by itself is noticed, and its life is over."""
    containers, sha = made
    containers.backend = backend
    epoch = containers.epoch("iris")
    assert containers.start("iris", sha, {})
    assert containers.running("iris") == sha
    assert containers.epoch("iris") != epoch
    pid = containers.pid("iris")
    assert pid is not None
    assert Path(f"/proc/{pid}/fd/1").readlink().name.startswith("pipe:")  # what it writes to is no file of the host's
    # A backend binds its child to itself before that becomes the harness; until then only a sweep finds it.
    until(lambda: containers._running["iris"].harness() is not None)
    within = descendants(pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: [ended.agent for ended in containers.reap()] == ["iris"])
    until(lambda: not any(map(_is_alive, within)))
    assert containers.running("iris") == ""
    until(lambda: containers.start("iris", sha, {}))
    containers.stop("iris")
    assert containers.running("iris") == ""
    assert containers.reap() == []


@pytest.mark.parametrize("part", ["state", "run", "gens"])
@pytest.mark.parametrize("target", ["/nonexistent/x", "/etc", "/etc/hostname"])
def test_directories_are_never_links(tmp_path: Path, part: str, target: str) -> None:
    """Where a directory of an agent should be, a link is refused: nothing is made behind it."""
    (tmp_path / "agents" / "iris").mkdir(parents=True)
    (tmp_path / "agents" / "iris" / part).symlink_to(target)
    with pytest.raises(ForeignEntry):
        Containers(Unconfined(), tmp_path / "agents").dirs("iris")
    assert Containers(Unconfined(), tmp_path / "agents").dirs("atlas").state.is_dir()


def test_what_the_agent_left_in_its_state_is_not_touched(tmp_path: Path) -> None:
    """Below its state an agent may put whatever it likes: preparing its directories looks at none of it."""
    containers = Containers(Unconfined(), tmp_path / "agents")
    state = containers.dirs("iris").state
    (state / "home").symlink_to("/nonexistent/x")
    os.mkfifo(state / "runs")
    containers.dirs("iris")
    assert (state / "home").readlink() == Path("/nonexistent/x")
    assert not Path("/nonexistent").exists()


def test_a_container_serves_one_run(tmp_path: Path) -> None:
    """The first run whose turn a container may have is its only one; another run makes it a used one."""
    containers = Containers(Unconfined(), tmp_path / "agents")
    assert containers.serves("iris", 1)
    assert containers.serves("iris", 1)
    assert containers.used() == []
    assert not containers.serves("iris", 2)
    assert containers.serves("atlas", 2)
    assert containers.used() == ["iris"]


@pytest.mark.parametrize("backend", EVERY, indirect=True)
def test_dies_with_its_host(made: tuple[Containers, str], tmp_path: Path, backend: Backend) -> None:
    """A host that is killed outright leaves no container behind."""
    containers, sha = made
    containers.backend = backend  # whose next host takes away what is left
    code = (
        "import sys, time; from pathlib import Path; from hive.reconcile.backends import find\n"
        "from hive.config import Limits; from hive.reconcile.limiter import Limiter\n"
        "from hive.reconcile.containers import Containers\n"
        "made = Containers(find(sys.argv[3]), Path(sys.argv[1]), Limiter.find(Limits())); made.start('iris', sys.argv[2], {})\n"
        "while made._running['iris'].harness() is None: time.sleep(0.05)\n"
        "print(made.pid('iris'), made._running['iris'].harness(), flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "agents"), sha, backend.name]
    host = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    with host.stdout:
        pids = [*map(int, host.stdout.readline().split())]
    host.kill()
    host.wait()
    until(lambda: not any(map(_is_alive, pids)))


def test_what_a_dead_host_left_is_swept_out(made: tuple[Containers, str], tmp_path: Path) -> None:
    """A new host ends containers that it did not start, and only those of its agents."""
    containers, sha = made
    containers.backend = Unconfined()
    containers.start("iris", sha, {})
    pid = containers.pid("iris")
    assert pid is not None
    # Linux closes the pipe that Popen waits for before the new program's words can be read (fs/exec.c).
    until(lambda: b"hive.agent" in Path(f"/proc/{pid}/cmdline").read_bytes())
    Containers(Unconfined(), tmp_path / "others").sweep_out("iris")
    assert _is_alive(pid)
    new = Containers(Unconfined(), tmp_path / "agents")
    new.sweep_out("iris")
    until(lambda: not _is_alive(pid))
    new.stop_all()


def test_what_never_began_is_no_crash_of_the_agent(made: tuple[Containers, str], tmp_path: Path) -> None:
    """A container that cannot be made is told apart from one whose harness ended, whatever their exit status."""
    containers, sha = made
    program = tmp_path / "bwrap"
    program.write_text('#!/bin/sh\necho "bwrap: Can\'t bind mount /x"\nexit 1\n')
    program.chmod(0o755)
    containers.backend = Bubblewrap(str(program))
    assert containers.start("iris", sha, {})
    assert _ended(containers) == [Ended("iris", began=False)]
    assert containers.log("iris").splitlines()[-1] == "bwrap: Can't bind mount /x"


@pytest.mark.contained
def test_a_harness_that_ends_had_begun(made: tuple[Containers, str]) -> None:
    """Once the container is set up, its end is its harness' own."""
    containers, sha = made
    containers.backend = wanted("bubblewrap")
    (containers.dirs("iris").gens / sha / "agent.json").unlink()  # without it no harness can run
    assert containers.start("iris", sha, {})
    assert _ended(containers) == [Ended("iris", began=True)]


def _ended(containers: Containers) -> list[Ended]:
    """What ended by itself, as soon as something has."""
    end = time.monotonic() + 240
    while not (ended := containers.reap()):
        assert time.monotonic() < end, "nothing ended"
        time.sleep(0.02)
    return ended


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_only_the_harness_has_the_key_of_its_container(made: tuple[Containers, str]) -> None:
    """The host tells it at the start, by no argument, file or variable; another container has another one."""
    containers, sha = made
    keys = []
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(containers.dirs("iris").sockets / "forge.sock"))
        door.listen()
        door.settimeout(60)
        for _ in range(2):
            assert containers.start("iris", sha, {})
            asking, _ = door.accept()
            with asking, asking.makefile("rb") as said:
                head = dict(
                    line.strip().lower().split(b": ", 1) for line in iter(said.readline, b"\r\n") if b": " in line
                )
            keys.append(head[b"authorization"].removeprefix(b"bearer ").decode())
            assert containers.opens("iris", keys[-1])
            pid = containers.pid("iris")
            assert pid is not None
            for process in (pid, *descendants(pid)):
                told = [Path(f"/proc/{process}/{name}").read_bytes() for name in ("cmdline", "environ")]
                assert not any(keys[-1].encode() in words for words in told)
            containers.kill("iris")
    assert len(keys[0]) >= 32
    assert not containers.opens("iris", keys[0])
    assert not containers.opens("moss", keys[1])
    assert not containers.opens("iris", "é")
