"""The hive's side of a container of NixOS: what is built before, and the process that stands for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from hive.config import Limits
from hive.ledger import Generation
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends import Bounds, NixosContainer, look_for
from hive.reconcile.build import BuildFailed
from hive.reconcile.nix_build import NixBuilder
from hive.reconcile.nix_evaluation import NixEvaluator, NoEvaluator
from hive.reconcile.nixos.client import RootClient
from hive.reconcile.nixos.machines import Machines, Places
from hive.reconcile.nixos.privileged import Privileged
from hive.unix_socket import listen_unix, short_socket_path
from tests.reconcile.conftest import Origin
from tests.reconcile.nixos_tools import NixosTools
from tests.reconcile.test_nix_build import builder as _builder
from tests.reconcile.test_nixos_machines import KEY, SHA, SYSTEM, UNIT, register
from tests.reconcile.test_nixos_machines import leader as _leader
from tests.reconcile.test_nixos_machines import tools as _tools

builder, leader, tools = _builder, _leader, _tools


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket that a service manager keeps for root's helper."""
    with listen_unix(tmp_path / "s") as made:
        yield made


@contextmanager
def answering(tools: NixosTools, listening: socket.socket) -> Iterator[None]:
    """Root's helper, as long as it lives."""
    places = Places(tools.root.parent / "agents", tools.root)
    server = Privileged(Machines(places, tools.env), listening.dup(), [os.getuid()])
    thread = Thread(target=server.serve)
    thread.start()
    try:
        yield
    finally:
        server.close()
        thread.join()


@pytest.fixture
def client(tools: NixosTools, listening: socket.socket, tmp_path: Path) -> Iterator[RootClient]:
    """Root, who answers."""
    with answering(tools, listening):
        yield RootClient(tmp_path / "s")


@pytest.fixture
def backend(builder: NixBuilder, client: RootClient) -> NixosContainer:
    """The backend, with an expression that builds in a moment; skips where nothing evaluates Nix."""
    try:
        return NixosContainer(NixEvaluator.find(), builder, client)
    except NoEvaluator as error:
        pytest.skip(f"nothing evaluates Nix here: {error}")


@pytest.fixture
def dirs(tools: NixosTools, tmp_path: Path) -> AgentDirs:
    """The directories of the agent."""
    assert tools
    return AgentDirs("iris", tmp_path / "agents" / "iris")


def until_built(backend: NixosContainer, dirs: AgentDirs, sha: str, origin: Origin) -> Path:
    """Ask until it is built."""
    until = time.monotonic() + 120
    while not backend.prepare(dirs, Generation(sha), origin.mirror, ()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return (backend.builder.gcroots / dirs.name / sha).readlink()


def test_a_system_is_built_first(backend: NixosContainer, dirs: AgentDirs, origin: Origin) -> None:
    """An agent's module is part of its system, with the files beside it; an agent without one has a system, too."""
    sha = origin.commit({"agent.nix": "{ says = import ./what.nix; }", "what.nix": '"hello"'})
    assert (until_built(backend, dirs, sha, origin) / "init").read_text() == "hello\n"
    assert backend.prepare(dirs, Generation(sha), origin.mirror, ()), "what is built is not built again"
    (origin.path / "agent.nix").unlink()
    sha = origin.commit({})
    assert (until_built(backend, dirs, sha, origin) / "init").read_text() == "iris\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{ says = builtins.readFile /etc/passwd; }", "agent.nix:1:10: access to"),
        ('{ script = "echo broken >&2; exit 1"; }', "broken"),
    ],
)
def test_what_fails_is_told_each_time(
    backend: NixosContainer, dirs: AgentDirs, origin: Origin, text: str, said: str
) -> None:
    """A module that cannot be evaluated or built fails the deployment, and is tried again when that is asked again."""
    sha = origin.commit({"agent.nix": text})
    for _ in range(2):
        with pytest.raises(BuildFailed, match=said):
            until_built(backend, dirs, sha, origin)


def test_a_name_has_to_fit(backend: NixosContainer, tmp_path: Path, origin: Origin) -> None:
    """A longer name than a container can have fails in words, before anything is built."""
    with pytest.raises(BuildFailed, match="nine small letters and digits at most"):
        backend.prepare(AgentDirs("scheherazade", tmp_path / "x"), Generation(SHA), origin.mirror, ())


def test_a_command_says_everything(backend: NixosContainer, dirs: AgentDirs, origin: Origin) -> None:
    """What stands for a container is told its commit, its system, its limits and its whole environment."""
    (dirs.gens / SHA / "agent.json").write_text("{}")
    (dirs.gens / SHA / "agent.json").chmod(0o600)
    with pytest.raises(FileNotFoundError, match="not built any more"):
        backend.command(dirs, SHA, {}, Bounds(Limits()))
    built = backend.builder.build("iris", SHA, None)
    found = backend.command(dirs, SHA, {"COLOR": "amber", "PATH": "/evil"}, Bounds(replace(Limits(), cpus=1.5)))
    assert found.words[1:5] == ["-S", "-P", "-m", "hive.reconcile.nixos.attach"]
    assert found.words[5:12] == [str(backend.client.path), "iris", SHA, str(built), "2048", "150", "256"]
    assert {"COLOR=amber", "HIVE_STATE=/agent/state"} < set(found.words[13:])
    assert "PATH=/agent/config/bin:/run/current-system/sw/bin" in found.words[13:]
    assert (dirs.gens / SHA / "agent.json").stat().st_mode & 0o777 == 0o644
    with pytest.raises(ValueError, match="more than one line, or is not printable: A"):
        backend.command(dirs, SHA, {"A": "one\ntwo"}, Bounds(Limits()))
    assert origin


def test_it_says_what_is_missing() -> None:
    """On a machine that has no such containers, one sentence says why."""
    found, why = look_for("nixos-container")
    assert (found is None) == bool(why)
    assert why.isprintable()


@pytest.fixture
def process(tools: NixosTools, client: RootClient, leader: int, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A container as a process, which has begun."""
    assert leader
    register(tools, SYSTEM)
    words = [str(client.path), "iris", SHA, SYSTEM, "2048", "150", "256", "NPROC=256", "A=b"]
    started = attach(words)
    until = time.monotonic() + 60
    while tools.state(UNIT) != "active":
        assert started.poll() is None, started.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    yield started
    started.kill()
    started.communicate()


def attach(words: list[str]) -> subprocess.Popen[str]:
    """Start what stands for a container, and give it the key. It has no library beside Python's."""
    command = [sys.executable, "-S", "-P", "-m", "hive.reconcile.nixos.attach", *words]
    env = {"PYTHONPATH": str(Path(__file__).parents[2])}
    started = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdin is not None
    started.stdin.write(KEY)
    started.stdin.close()
    started.stdin = None
    return started


def is_ended(tools: NixosTools) -> bool:
    """Whether the container ends."""
    until = time.monotonic() + 60
    while tools.state(UNIT) != "inactive" and time.monotonic() < until:  # it is told to stop, killed, and forgotten
        time.sleep(0.02)
    return tools.state(UNIT) == "inactive"


def test_it_is_a_process(process: subprocess.Popen[str], tools: NixosTools) -> None:
    """Its output is the log of the harness; told to end, the container ends in order, and so does the process."""
    assert process.stdout is not None
    assert process.stdout.readline() == "hive: the container is set up\n"
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert "one" in said
    assert process.returncode == 0
    assert f"systemctl <stop> <{UNIT}>" in tools.calls()
    assert (tools.root / "run/hive-containers/h-iris/key").read_text() == KEY


def test_the_container_ends_with_it(process: subprocess.Popen[str], tools: NixosTools) -> None:
    """Killed, it takes the container along: by root, whose connection is gone."""
    process.kill()
    process.wait()
    assert is_ended(tools)


def test_a_hive_that_is_gone_before_the_answer(tools: NixosTools, client: RootClient, leader: int) -> None:
    """A container whose start nobody heard of any more is ended like any whose hive is gone."""
    assert leader
    register(tools, SYSTEM)
    client.ask("configure", "iris", sha=SHA, memory_mb=2048, cpu_percent=150, tasks=256)
    client.ask("point", "iris", system=SYSTEM)
    with socket.socket(socket.AF_UNIX) as gone, short_socket_path(client.path) as place:
        gone.connect(place)
        words = {"verb": "start", "name": "iris", "key": KEY, "entry": ["NPROC=256"], "hold": True}
        gone.sendall(json.dumps(words).encode() + b"\n")
    until = time.monotonic() + 60
    while not any("kill" in call for call in tools.calls()) and time.monotonic() < until:
        time.sleep(0.02)
    assert is_ended(tools)


def helper(root: Path, listening: socket.socket) -> int:
    """Root's helper as a process, which is its number."""
    pid = os.fork()
    if pid == 0:
        with answering(NixosTools(root), listening):
            signal.pause()
    return pid


def test_root_may_be_away(tools: NixosTools, listening: socket.socket, leader: int, tmp_path: Path) -> None:
    """A container goes on while root's helper is killed and started again, and still ends with its hive."""
    assert leader
    register(tools, SYSTEM)
    first = helper(tools.root, listening)
    process = attach([str(tmp_path / "s"), "iris", SHA, SYSTEM, "2048", "150", "256", "NPROC=256"])
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "hive: the container is set up\n"
        tools.calls()
    finally:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
    with answering(tools, listening):
        until = time.monotonic() + 60
        while sum("<show>" in call for call in tools.seen()) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        assert process.poll() is None
        assert tools.state(UNIT) == "active"
        process.kill()
        process.communicate()
        assert is_ended(tools)


def test_a_container_that_was_forgotten_is_not_taken_over(client: RootClient, tools: NixosTools, leader: int) -> None:
    """One that runs with another key is ended, and another one is started in its place: it would be heard by nobody."""
    assert leader
    register(tools, SYSTEM)
    client.ask("configure", "iris", sha=SHA, memory_mb=2048, cpu_percent=150, tasks=256)
    client.ask("point", "iris", system=SYSTEM)
    for key in (KEY, KEY[::-1]):
        client.ask("start", "iris", key=key, entry=["NPROC=256"], hold=False)
        assert tools.booted()[:2] == [SYSTEM, key]
    assert f"systemctl <kill> <--signal=SIGKILL> <{UNIT}>" in tools.calls()


def test_it_ends_with_the_container(process: subprocess.Popen[str], tools: NixosTools) -> None:
    """A container that ends by itself ends the process, as a failure."""
    assert process.stdout is not None
    process.stdout.readline()
    (tools.root / UNIT).write_text("failed\n")
    process.communicate(timeout=120)
    assert process.returncode == 1


def test_what_root_refuses_is_in_the_log(client: RootClient, tools: NixosTools) -> None:
    """A container that root does not start is a process that ends, with the reason."""
    started = attach([str(client.path), "iris", SHA, SYSTEM, "2048", "150", "256", "NPROC=256"])
    said, _ = started.communicate(timeout=120)
    assert started.returncode == 1
    assert said.startswith(f"hive: {SYSTEM} was not built for iris")
    assert tools.state(UNIT) == ""


def test_what_is_left_is_ended(backend: NixosContainer, dirs: AgentDirs, tools: NixosTools) -> None:
    """The next host ends a container that its predecessor left; one that does not run is left alone."""
    backend.clean(dirs)
    assert not any("stop" in call for call in tools.calls())
    (tools.root / UNIT).write_text("active\n")
    backend.clean(dirs)
    assert tools.state(UNIT) == "inactive"
    replace(backend, client=RootClient(Path("/nonexistent/s"))).clean(dirs)
