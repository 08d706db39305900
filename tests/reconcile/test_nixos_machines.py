"""What root does for a hive that is not root: only what was asked in fixed verbs, and never more than the name says."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hive.reconcile.nixos.client import RootClient, RootRefused
from hive.reconcile.nixos.machines import Failed, Machines, Places
from hive.reconcile.nixos.privileged import Privileged
from hive.reconcile.nixos.requests import MOST_BYTES, BadVerb, RootRequest
from hive.unix_socket import listen_unix
from tests.reconcile.nixos_tools import NixosTools, make_agent

SHA = "a" * 40
SYSTEM = f"/nix/store/{'0' * 32}-nixos-system-h-iris-25.05"
OLDER = f"/nix/store/{'1' * 32}-nixos-system-h-iris-25.05"
BASE = 1_500_000_000 >> 16 << 16
UNIT = "container@h-iris.service"
KEY = "0f" * 32

CONFIGURE: dict[str, Any] = {"sha": SHA, "memory_mb": 2048, "cpu_percent": 150, "tasks": 512}
START: dict[str, Any] = {"key": KEY, "entry": ["NPROC=256", "HIVE_STATE=/agent/state"], "hold": False}


@pytest.fixture
def tools(tmp_path: Path) -> NixosTools:
    """The tools of NixOS, and the directories of one agent."""
    made = NixosTools.make(tmp_path / "root")
    make_agent(tmp_path / "agents", "iris", SHA)
    return made


@pytest.fixture
def machines(tools: NixosTools, tmp_path: Path) -> Machines:
    """What does it."""
    return Machines(Places(tmp_path / "agents", tools.root), tools.env, seconds=60.0)


@pytest.fixture
def leader(tools: NixosTools) -> Iterator[int]:
    """A process that has a user namespace of its own, as the first of a container has."""
    process = subprocess.Popen(["unshare", "--user", "sleep", "600"])
    try:
        while Path("/proc/self/ns/user").readlink() == Path(f"/proc/{process.pid}/ns/user").readlink():
            assert process.poll() is None, "no user namespace can be made here"
            time.sleep(0.01)
        try:
            Path(f"/proc/{process.pid}/uid_map").write_text(f"0 {BASE} 65536\n")
        except OSError as error:
            pytest.skip(f"users cannot be mapped here: {error}")
        tools.lead(process.pid)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def do(machines: Machines, verb: str, name: str = "iris", **fields: Any) -> dict[str, Any]:
    """What is done for a line of a hive."""
    return machines.do(RootRequest.parse(json.dumps({"verb": verb, "name": name, **fields}).encode()))


def register(tools: NixosTools, *systems: str, name: str = "iris") -> None:
    """Say that systems were built for an agent."""
    folder = tools.root / "nix/var/nix/gcroots/hive" / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, system in enumerate(systems):
        (folder / f"{number:040}").symlink_to(system)


def test_a_container_is_made_of_checked_fields(machines: Machines, tools: NixosTools, tmp_path: Path) -> None:
    """Its file says users of its own, no network, three directories and no daemon; its unit has its limits. Once is enough."""
    assert do(machines, "configure", **CONFIGURE) == {"changed": True}
    agent = tmp_path / "agents" / "iris"
    conf = (tools.root / "etc/nixos-containers/h-iris.conf").read_text().splitlines()[1:]
    assert conf[:2] == ["PRIVATE_USERS=pick", "PRIVATE_NETWORK=1"]
    name, _, flags = conf[2].partition("=")
    assert (name, len(conf)) == ("EXTRA_NSPAWN_FLAGS", 3)
    assert flags.strip('"').split(" ") == [
        f"--bind-ro={agent}/gens/{SHA}:/agent/config",
        f"--bind={agent}/state:/agent/state",
        f"--bind-ro={agent}/run:/run/hive",
        "--tmpfs=/nix/var/nix/daemon-socket:ro",
        f"--load-credential=hive-key:{tools.root}/run/hive-containers/h-iris/key",
        f"--load-credential=hive-entry:{tools.root}/run/hive-containers/h-iris/entry",
    ]
    drop_in = (tools.root / f"run/systemd/system/{UNIT}.d/hive.conf").read_text()
    assert drop_in.splitlines()[2:] == ["MemoryMax=2048M", "MemorySwapMax=0", "CPUQuota=150%", "TasksMax=512"]
    assert tools.calls() == ["systemctl <daemon-reload>"]
    assert do(machines, "configure", **CONFIGURE) == {"changed": False}
    assert tools.calls() == []
    assert do(machines, "configure", **{**CONFIGURE, "tasks": 99}) == {"changed": True}


@pytest.mark.parametrize("folder", ["state", "run", f"gens/{SHA}", ""])
def test_links_are_no_directories(machines: Machines, tools: NixosTools, tmp_path: Path, folder: str) -> None:
    """A directory that the hive replaced by a link is not given to a container: it could be any of root's."""
    place = tmp_path / "agents" / "iris" / folder
    place.rename(tmp_path / "elsewhere")
    with pytest.raises(Failed, match="No such file"):
        do(machines, "configure", **CONFIGURE)
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Failed, match="not ours"):
        do(machines, "configure", **CONFIGURE)
    assert not (tools.root / "etc").exists()


def test_only_what_was_built_is_activated(machines: Machines, tools: NixosTools) -> None:
    """A container boots from a system that is registered for its own agent; to point to it again is no new generation."""
    with pytest.raises(Failed, match="was not built for iris"):
        do(machines, "point", system=SYSTEM)
    register(tools, SYSTEM, name="rose")
    with pytest.raises(Failed, match="was not built for iris"):
        do(machines, "point", system=SYSTEM)
    assert tools.calls() == []
    register(tools, OLDER, SYSTEM)
    for system in (OLDER, SYSTEM, SYSTEM):
        do(machines, "point", system=system)
    profile = tools.root / "nix/var/nix/profiles/per-container/h-iris"
    assert tools.calls()[-1] == f"nix-env <--profile> <{profile}/system> <--set> <{SYSTEM}>"
    assert do(machines, "observe")["system"] == SYSTEM
    do(machines, "point", system=OLDER)
    assert do(machines, "observe")["system"] == OLDER


def test_a_profile_has_one_generation(machines: Machines, tools: NixosTools) -> None:
    """What it does not lead to goes, by its number and never by its age, also after a return to an older system."""
    register(tools, OLDER, SYSTEM)
    profile = tools.root / "nix/var/nix/profiles/per-container/h-iris"
    for system, number in ((OLDER, 1), (SYSTEM, 2)):
        do(machines, "point", system=system)
        assert sorted(path.name for path in profile.iterdir()) == ["system", f"system-{number}-link"]
    (profile / "system-1-link").symlink_to(OLDER)
    (profile / "system").unlink()
    (profile / "system").symlink_to("system-1-link")  # as `nix-env --rollback` does
    (profile / "system-x-link").symlink_to(OLDER)
    tools.calls()
    do(machines, "point", system=OLDER)
    assert do(machines, "observe")["system"] == OLDER
    assert tools.calls()[1] == f"nix-env <--profile> <{profile}/system> <--delete-generations> <2>"
    assert sorted(path.name for path in profile.iterdir()) == ["system", "system-1-link", "system-x-link"]


def test_a_container_has_users_of_its_own(machines: Machines, tools: NixosTools, tmp_path: Path, leader: int) -> None:
    """What survives belongs to them; no link in it is followed; key and environment are for root's eyes."""
    assert leader
    assert do(machines, "start", **START) == {"first_user": BASE}
    assert tools.state(UNIT) == "active"
    state = tmp_path / "agents/iris/state"
    owners = {str(path.relative_to(state)): path.lstat().st_uid - BASE for path in (state, *state.rglob("*"))}
    assert owners == {
        ".": 1000,
        "home": 1001,
        "home/file": 1001,
        "home/link": 1001,
        "work": 1000,
        "work/1": 1000,
        "work/1/tree": 1001,
    }
    assert Path("/etc/passwd").stat().st_uid == 0
    credentials = tools.root / "run/hive-containers/h-iris"
    assert (credentials / "key").read_text() == KEY
    assert (credentials / "entry").read_bytes() == b"NPROC=256\0HIVE_STATE=/agent/state\0"
    assert [path.stat().st_mode & 0o077 for path in (credentials, *credentials.iterdir())] == [0, 0, 0]
    assert all(KEY not in call for call in tools.calls())


def test_a_root_that_is_the_hosts_is_stopped(machines: Machines, tools: NixosTools) -> None:
    """A container without a user namespace does not run, and neither does one of which that cannot be told."""
    is_mapped = Path("/proc/self/uid_map").read_text().split()[1] != "0"
    for said in ("" if is_mapped else str(os.getpid()), "", "none", "999999999"):
        (tools.root / "leader").write_text(said)
        with pytest.raises(Failed, match="its root was the root of the host"):
            do(machines, "start", **START)
        assert tools.state(UNIT) == "inactive"
        with pytest.raises(Failed, match="its root was the root of the host"):
            do(machines, "restart")
        assert tools.state(UNIT) == "inactive"


def test_verbs_are_tools(machines: Machines, tools: NixosTools, leader: int) -> None:
    """Each verb is a fixed list of words for a fixed tool."""
    assert leader
    register(tools, SYSTEM)
    do(machines, "point", system=SYSTEM)
    tools.calls()
    do(machines, "restart")
    do(machines, "reload")
    do(machines, "stop")
    do(machines, "kill")
    switch = f"<--wait> <--collect> <--pipe> <--quiet> <{SYSTEM}/bin/switch-to-configuration> <test>"
    assert tools.calls() == [
        f"systemctl <restart> <{UNIT}>",
        "machinectl <show> <--property=Leader> <--value> <h-iris>",
        f"systemd-run <--machine=h-iris> {switch}",
        f"systemctl <stop> <{UNIT}>",
        f"systemctl <stop> <--no-block> <{UNIT}>",
        f"systemctl <kill> <--signal=SIGKILL> <{UNIT}>",
        f"systemctl <stop> <{UNIT}>",
        f"systemctl <reset-failed> <{UNIT}>",
    ]


def test_what_is_found_is_told(machines: Machines, tools: NixosTools) -> None:
    """The state of a container, its system, and its log from a place on; control characters are shown."""
    assert do(machines, "observe") == {
        "ActiveState": "inactive",
        "SubState": "x",
        "Result": "success",
        "MainPID": "7",
        "NRestarts": "0",
        "system": "",
        "configured": False,
    }
    said = do(machines, "logs", lines=20, cursor="s=0a;i=1", since=0)
    assert said == {"lines": ["hive: the container is set up", "\\x1b[2Jone"], "cursor": "s=0a;i=2"}
    assert tools.calls()[-1].endswith("<--lines=20> <--after-cursor=s=0a;i=1>")
    do(machines, "logs", lines=20, cursor="", since=7)
    assert tools.calls()[-1].endswith("<--lines=20> <--since=@7>")


def test_destroying_keeps_what_survives(machines: Machines, tools: NixosTools, tmp_path: Path) -> None:
    """Configuration, profile and credentials go, twice if need be; the agent's state stays."""
    register(tools, SYSTEM)
    do(machines, "configure", **CONFIGURE)
    do(machines, "point", system=SYSTEM)
    for _ in range(2):
        do(machines, "destroy")
        assert not do(machines, "observe")["configured"]
    assert not (tools.root / "nix/var/nix/profiles/per-container/h-iris").exists()
    assert not (tools.root / f"run/systemd/system/{UNIT}.d").exists()
    assert (tmp_path / "agents/iris/state/home/file").exists()


def test_a_tool_that_fails_has_words(machines: Machines, tools: NixosTools, tmp_path: Path) -> None:
    """Its last line is the reason, escaped; one that is missing, or does not end, has a reason, too."""
    (tools.root / "broken").write_text("no \x1b[31m way")
    with pytest.raises(Failed, match=r"^systemctl ended with 1: Job failed: no \\x1b\[31m way$"):
        do(machines, "start", **START)
    with pytest.raises(Failed, match="points to no system"):
        do(machines, "reload")
    (tools.root / "bin/journalctl").write_text("#!/bin/sh\nexec sleep 600\n")
    hasty = Machines(Places(tmp_path / "agents", tools.root), tools.env, seconds=0.2)
    with pytest.raises(Failed, match=r"journalctl did not end for 0\.2 s"):
        do(hasty, "logs", lines=1, cursor="", since=0)
    (tools.root / "bin/journalctl").unlink()
    bare = Machines(Places(tmp_path / "agents", tools.root), {"PATH": f"{tools.root}/bin"})
    assert bare.lacking() == ["journalctl"]
    with pytest.raises(Failed, match="journalctl is not installed"):
        do(bare, "logs", lines=1, cursor="", since=0)


REFUSED: list[tuple[Any, str]] = [
    (b"", "one line of JSON"),
    (b"\xff", "one line of JSON"),
    (b"[" * 100_000, "one line of JSON"),
    ([], "is an object"),
    ({"name": "iris"}, "no verb None"),
    ({"verb": "run", "name": "iris"}, "no verb 'run'"),
    ({"verb": ["stop"], "name": "iris"}, "no verb"),
    *(
        ({"verb": "stop", "name": name}, "is no name")
        for name in (
            None,
            1,
            "",
            "Iris",
            "i.ris",
            "../iris",
            "iris@x",
            "iris\n",
            "-iris",
            "i" * 10,
            "%i",
            "iris;id",
            "irïs",
        )
    ),
    ({"verb": "stop", "name": "iris", "unit": "sshd"}, "nothing but a name"),
    ({"verb": "point", "name": "iris"}, "point takes system"),
    *(
        ({"verb": "point", "name": "iris", "system": system}, "system cannot be")
        for system in (
            "",
            None,
            "/etc",
            f"/nix/store/../../etc/{'0' * 32}-x",
            f"{SYSTEM}/../../etc",
            f"{SYSTEM}\n",
            f" {SYSTEM}",
            f"/nix/store/{'e' * 32}-x",
            f"/nix/store/{'0' * 31}-x",
            f"/nix/store/{'0' * 32}-",
            f"/nix/store/{'0' * 32}-x y",
            f"/nix/store/{'0' * 32}-{'x' * 201}",
            [SYSTEM],
        )
    ),
    *(
        ({"verb": "configure", "name": "iris", **CONFIGURE, key: value}, f"{key} cannot be")
        for key, value in (
            ("sha", "main"),
            ("sha", "../../" + "a" * 34),
            ("sha", "A" * 40),
            ("memory_mb", 1),
            ("memory_mb", "2048"),
            ("memory_mb", True),
            ("memory_mb", 2e3),
            ("memory_mb", 1 << 40),
            ("cpu_percent", 0),
            ("tasks", -1),
            ("tasks", "max"),
        )
    ),
    ({"verb": "configure", "name": "iris", **CONFIGURE, "bind": "/"}, "configure takes sha, memory_mb"),
    *(
        ({"verb": "start", "name": "iris", **START, key: value}, f"{key} cannot be")
        for key, value in (
            ("key", ""),
            ("key", "x" * 64),
            ("key", KEY + "\n"),
            ("entry", []),
            ("entry", "NPROC=1"),
            ("entry", ["a\0b"]),
            ("entry", ["a\nb"]),
            ("entry", [1]),
            ("entry", ["x"] * 401),
            ("hold", 1),
        )
    ),
    *(
        ({"verb": "logs", "name": "iris", "lines": lines, "cursor": cursor, "since": 0}, "cannot be")
        for lines, cursor in ((0, ""), (1001, ""), ("1", ""), (1, "--vacuum-time=1s"), (1, "s=0a i=1"), (1, None))
    ),
    ({"verb": "logs", "name": "iris", "lines": 1, "cursor": "", "since": "1 day ago"}, "since cannot be"),
]


@pytest.mark.parametrize(("asked", "said"), REFUSED, ids=lambda value: str(value)[:60])
def test_whatever_else_is_refused(asked: Any, said: str) -> None:
    """A request that is anything but a verb with its checked fields does nothing."""
    with pytest.raises(BadVerb) as error:
        RootRequest.parse(asked if isinstance(asked, bytes) else json.dumps(asked).encode())
    assert said in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 250


@pytest.mark.parametrize("path", ["/var/lib/a b", "/var/lib/$x", "relative", "/a:b", '/a"b', "/a/../b", "/é"])
def test_paths_need_no_quotes(path: str) -> None:
    """A hive whose directory would have to be quoted for the unit is refused at once."""
    with pytest.raises(ValueError, match="not a path of letters"):
        Places(Path(path))


@pytest.fixture
def listening(machines: Machines, tmp_path: Path) -> Iterator[Path]:
    """The socket on which it listens to this user."""
    path = tmp_path / "socket"
    server = Privileged(machines, listen_unix(path), [os.getuid()])
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield path
    server.close()
    thread.join()


def raw(path: Path, *pieces: bytes) -> dict[str, Any]:
    """What is answered to bytes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        found: dict[str, Any] = json.loads(connection.makefile().readline())
        return found


def test_a_line_in_a_line_out(listening: Path, tools: NixosTools) -> None:
    """A hive asks and is answered; what is no line, or fails, is answered with the reason."""
    assert RootClient(listening).ask("configure", "iris", **CONFIGURE) == {"ok": True, "changed": True}
    with pytest.raises(RootRefused, match="was not built for iris"):
        RootClient(listening).ask("point", "iris", system=SYSTEM)
    with pytest.raises(RootRefused, match="no verb 'run'"):
        RootClient(listening).ask("run", "iris")
    line = b'{"verb": "observe", "name": "iris"}'
    assert raw(listening, line[:9], line[9:], b"\n")["ok"]
    assert raw(listening, line) == {"error": f"a request is one line of at most {MOST_BYTES} bytes"}
    assert raw(listening, line + b"\n" + line + b"\n") == {"error": "a request is one line"}
    assert raw(listening, b"x" * (MOST_BYTES + 1)) == {"error": f"a request is one line of at most {MOST_BYTES} bytes"}
    assert listening.stat().st_mode & 0o777 == 0o600
    assert tools.calls()
    with pytest.raises(RootRefused, match="nobody answers"):
        RootClient(listening.with_name("none")).ask("observe", "iris")


@pytest.mark.parametrize("more", [{}, {"key": "x" * (8 << 20)}], ids=["short", "longer than a socket holds"])
def test_others_are_not_answered(machines: Machines, tools: NixosTools, tmp_path: Path, more: dict[str, str]) -> None:
    """Who asks is told by the kernel: any other user is refused, root too, and nothing is done.

    The refusal does not wait for the request, and is heard although that could not be sent to its end.
    """
    path = tmp_path / "socket"
    server = Privileged(machines, listen_unix(path), [os.getuid() + 1])
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        path.chmod(0o666)
        with pytest.raises(RootRefused, match=f"user {os.getuid()} may not ask this"):
            RootClient(path).ask("stop", "iris", **more)
    finally:
        server.close()
        thread.join()
    assert tools.calls() == []


def test_it_is_a_command(tools: NixosTools, tmp_path: Path) -> None:
    """`hive containers serve` listens until it is told to end; it says what is missing instead of beginning."""
    path, user = tmp_path / "socket", pwd.getpwuid(os.getuid()).pw_name
    serve = [sys.executable, "-m", "hive", "containers", "serve", f"--socket={path}", f"--agents={tmp_path / 'agents'}"]
    process = subprocess.Popen([*serve, f"--user={user}"], env={**os.environ, **tools.env}, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 120
        while not path.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert RootClient(path).ask("observe", "iris")["ActiveState"] == "inactive"
        process.terminate()
        assert process.communicate(timeout=120)[1] == b""
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    (tools.root / "bin" / "nixos-container").unlink()
    for words, env, said in (
        (f"--user={user}", tools.env, "this is for NixOS; missing here: nixos-container"),
        ("--user=nobody-at-all", tools.env, "there is no user 'nobody-at-all'"),
    ):
        done = subprocess.run([*serve, words], env={**os.environ, **env}, capture_output=True, text=True, timeout=120)
        assert done.returncode != 0
        assert said in done.stderr


def test_a_container_ends_with_its_hive(listening: Path, tools: NixosTools, leader: int) -> None:
    """One that was started to be held ends when the connection does, unless it was started anew meanwhile."""
    assert leader
    client, held = RootClient(listening), {**START, "hold": True}
    first, _ = client.begin("start", "iris", **held)
    second, _ = client.begin("start", "iris", **held)
    first.close()
    assert client.ask("observe", "iris")["ActiveState"] == "active"
    tools.calls()
    second.close()
    until = time.monotonic() + 60
    while client.ask("observe", "iris")["ActiveState"] == "active" and time.monotonic() < until:
        time.sleep(0.02)
    assert client.ask("observe", "iris")["ActiveState"] == "inactive"
    assert f"systemctl <kill> <--signal=SIGKILL> <{UNIT}>" in tools.calls()
