"""A command of an agent gets at nothing but its work: tried as root's agent and as a user's, in every kind of container."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hive.agent import seccomp
from hive.agent.processes import descendants
from hive.reconcile import host_users
from hive.reconcile.backends.surroundings import namespace_of
from tests.escape.conftest import BY_ROOT, MARK, SECRET, Prison

pytestmark = pytest.mark.contained

BOUND = 60.0
SHARED = {
    "range": set[str](),
    "nspawn": set[str](),
    "podman": set[str](),
    "users": set[str](),
    "dedicated": {"/agent/state", "/agent/state/runs/7/transcript.jsonl"},
    "plain": {"/agent/state", "/agent/state/runs/7/transcript.jsonl"},
}
"""What a command shares with its harness, for each kind of container: without user namespaces, the agent's own state."""

ALONE = ("range", "users", "nspawn", "podman")
"""Where a command has namespaces of its own."""


def until(is_so: Callable[[], object]) -> None:
    """Wait for something that has to come."""
    end = time.monotonic() + BOUND
    while not is_so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def marked(*marks: str) -> list[int]:
    """The processes of this host that bear marks as words of their own; one that went far away is marked so too."""
    wanted = {mark.encode() for mark in marks}
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and wanted <= {*(entry / "cmdline").read_bytes().split(b"\0")}:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_the_host_cannot_be_changed(seen: dict[str, Any], prison: Prison) -> None:
    """No setting of the kernel can be written, no device of the machine opened; masked files say nothing."""
    assert "done" not in seen["change"].values(), seen["change"]
    bubblewraps = {"/proc/1/oom_score_adj", "/proc/1/uid_map"} if prison.kind == "plain" else set()
    opened = {path for path, came in seen["open"].items() if came == "done"}
    assert opened <= bubblewraps, "a setuid bubblewrap's first process is the same user, and settings of its own only"
    assert seen["list"]["/proc/acpi"] in (None, [])
    assert seen["list"]["/proc/scsi"] in (None, [])
    assert seen["list"]["/sys"] in (None, [])
    # The one variable that Python sets for itself (PEP 538) is all that bubblewrap was told.
    assert seen["read"]["/proc/1/environ"] in {None, "", "LC_CTYPE=C.UTF-8\0"}
    read = {path for path, content in seen["read"].items() if content and path != "/proc/1/environ"}
    assert read <= SHARED[prison.kind], seen["read"]


def test_only_its_own_places_can_be_written(seen: dict[str, Any], prison: Prison) -> None:
    """The work tree, the home and two folders for what is temporary."""
    assert set(seen["allowed"].values()) == {"done"}, seen["allowed"]
    written = {path for path, outcome in seen["write"].items() if outcome == "done"}
    assert written <= SHARED[prison.kind], seen["write"]


def test_what_is_not_its_work_is_not_there(seen: dict[str, Any], prison: Prison) -> None:
    """No ledger, no secret, no other agent, no socket; of its own state the work tree and the home alone."""
    devices = {"console", "core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout"}
    also = {"char", "mqueue", "net"} if prison.kind in ("nspawn", "podman") else set()
    assert set(seen["list"]["/dev"]) <= devices | also | {"tty", "urandom", "zero"}
    assert seen["list"]["/home"] is None
    if prison.kind in ALONE:
        assert seen["list"]["/run/hive"] == []
        assert seen["list"]["/agent/state"] == ["home", "knowledge", "runs"]
        assert seen["list"]["/agent/state/runs/7"] == ["work"]
    assert SECRET not in json.dumps(seen)


def test_there_is_no_network(seen: dict[str, Any]) -> None:
    """Only a loopback of its own: no port and no abstract socket of the host, no hypervisor, no raw packets."""
    assert seen["links"] == ["lo"]
    assert "done" not in seen["connect"].values(), seen["connect"]
    assert seen["connect"]["abstract"] == "ECONNREFUSED"
    assert "done" not in seen["socket"].values(), seen["socket"]
    assert seen["socket"]["vsock"] == "EAFNOSUPPORT"


def test_nobody_elses_process_can_be_touched(seen: dict[str, Any], prison: Prison) -> None:
    """Not the harness nor the first process: neither memory nor environment nor files; not the host's at all."""
    for pid, found in seen["others"].items():
        is_shell = prison.kind in ALONE and pid != "1"  # it runs the probe
        is_bubblewraps = prison.kind == "plain" and pid == "1"  # it knows nothing, and is the same user
        if is_shell or is_bubblewraps:
            continue
        assert not {
            what for what in ("environ", "mem", "maps", "auxv", "root", "cwd", "exe", "fd") if found[what] == "done"
        }
        assert found["kill"] == "EPERM" or prison.kind not in ("range", "nspawn", "podman")
    assert seen["kill"]["host"] == "ESRCH"
    if prison.kind in ALONE:
        assert len(seen["others"]) <= 2, "the first process, and the shell: no harness"
    assert seen["calls"]["ptrace"] == "EPERM"


def test_it_holds_nothing(seen: dict[str, Any], prison: Prison) -> None:
    """No capability, not even to gain one; no other user; nothing in its environment of the harness."""
    status = seen["status"]
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert "done" not in seen["become"].values(), seen["become"]
    assert "done" not in seen["mknod"].values()
    assert seen["limits"]["core"] == [0, 0]
    assert 0 < seen["limits"]["processes"][1] <= 64
    assert not [key for key in seen["environ"] if key.startswith(("HIVE_", "PYTHONPATH"))]
    if prison.kind in ("range", "nspawn", "podman"):
        assert seen["uid"] != seen["harness"]
    assert seen["setuid"] != 0, "a program with the setuid bit gains nothing"


def test_dangerous_calls_are_denied(seen: dict[str, Any], prison: Prison) -> None:
    """No namespace, no mount, no key, no module: denied before the kernel looks at the arguments."""
    assert set(seen["calls"].values()) == {"EPERM"}, seen["calls"]
    assert set(seen["unknown"].values()) == {"ENOSYS"}, seen["unknown"]
    assert seen["terminal"] == "EPERM"
    if prison.kind in ALONE and prison.kind != "podman":  # podman gives no capability for that which it has not itself
        assert seen["namespaces"] == "0\n", "and the kernel would make no user namespace here either"


def test_nothing_outlives_its_command(seen: dict[str, Any]) -> None:
    """Not even what left its parent, its session and its signals behind."""
    done = seen["results"]["outlive"]
    assert (done["output"], done["status"], done["left"]) == ("over", 0, [])


def test_nothing_outlives_a_command_whose_time_is_up(seen: dict[str, Any]) -> None:
    """The clock ends a command with everything that it started."""
    done = seen["results"]["time"]
    assert (done["status"], done["left"]) == (None, [])


def test_a_command_that_kills_its_launcher_leaves_nothing(seen: dict[str, Any]) -> None:
    """Who ends the process that would end it gains nothing by it."""
    assert seen["results"]["launcher"]["left"] == []


def test_a_program_is_interrupted_before_it_is_ended(seen: dict[str, Any], prison: Prison) -> None:
    """It outlives the commands that run beside it, keeps what is its own, hears that it is to end, and leaves nothing."""
    done = seen["program"]
    assert done["said"] == ["kept", "closed" if prison.kind in ALONE else "open", "ready", "told"]
    assert (done["status"], done["alive"]) == (7, [])


def test_what_is_too_much_is_refused(seen: dict[str, Any], prison: Prison) -> None:
    """Processes, memory, temporary files and large files end at the container's limits; the model is told of a kill."""
    done = seen["results"]["bombs"]
    got = json.loads(done["output"])
    assert 1 < got["processes"] < 64, got
    assert got["sparse"] == "EFBIG"
    assert got["core"] == [0, 0]
    taken, by = got["memory"]
    assert taken < 256, got
    if prison.kind != "podman":  # there the host counts, and no host is here
        assert done["killed"] == ("killed: memory limit of 256 MB" if by == signal.SIGKILL else "")
    if prison.kind != "plain":  # a setuid bubblewrap sets no size
        assert got["/tmp"] <= 128  # noqa: S108  the container's own
        assert got["/dev/shm"] <= 32  # noqa: S108


def test_what_an_older_hive_left_becomes_the_agents(prison: Prison) -> None:
    """A state that belongs to root, as an older hive made it, is given to who works in it now; links are not followed."""
    if prison.kind not in BY_ROOT:
        pytest.skip("only root hands files over")
    state = prison.root / "agents" / "old" / "state"
    outside = prison.root / "outside"
    outside.touch()
    for path in (
        state / "home" / ".cache" / "x",
        state / "runs" / "7" / "work" / "a.py",
        state / "runs" / "7" / "notes",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (state / "runs" / "7" / "work" / "link").symlink_to(outside)
    done = prison.run({"both": "echo more >>a.py; echo mine >~/.cache/x"}, agent="old")["results"]["both"]
    assert done["status"] == 0, done["output"]
    assert outside.stat().st_uid == 0
    harness = state.stat().st_uid
    tools = (state / "home").stat().st_uid
    assert (state / "runs" / "7" / "notes").stat().st_uid == harness
    assert {path.lstat().st_uid for path in (state / "runs" / "7" / "work").rglob("*")} == {tools}
    assert (tools - harness) == (0 if prison.kind == "dedicated" else 1)


def test_what_all_have_learned_is_read_only(seen: dict[str, Any], prison: Prison) -> None:
    """A command reads it, and writes nothing there, although the folder is its own user's."""
    if prison.kind not in ALONE:
        pytest.skip(f"{prison.kind}: commands share the state of their harness")
    said = seen["results"]["lore"]["output"]
    assert said.startswith("Bees dance.")
    assert said.count("Read-only file system") == 3
    assert said.endswith("\nREADME.md")


@pytest.mark.parametrize("victim", ["host", "harness"])
def test_a_container_takes_everything_with_it(prison: Prison, victim: str) -> None:
    """Whoever is killed outright, the host or the harness: nothing of the container is left."""
    mark = f"{MARK}-{victim}-{os.getpid()}"
    options = prison.options()
    words = prison.words({"away": f"python3 far.py {mark}; sleep 600"})
    host = subprocess.Popen(words, stdout=subprocess.DEVNULL, **options)
    try:
        until(lambda: marked(mark, "far"))
        far = marked(mark, "far")[0]
        if prison.kind in BY_ROOT:
            uids = {int(uid) for uid in _status(far, "Uid").split()}
            assert len(uids) == 1
            assert min(uids) >= 1_899_999_998, "an agent of root is a user of its own"
        if victim == "host":
            host.kill()
        else:
            for pid in _harnesses(host.pid):
                os.kill(pid, signal.SIGKILL)
        host.wait(BOUND)
        until(lambda: not marked(mark))
    finally:
        host.kill()
        host.wait()


def _status(pid: int, key: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{key}:"))


def _harnesses(host: int) -> list[int]:
    """The processes below a host that stand for a harness: the first in the container that is not bubblewrap's."""
    outside = namespace_of(host)
    within = [pid for pid in descendants(host) if namespace_of(pid) != outside]
    return [pid for pid in within if "bwrap" not in Path(f"/proc/{pid}/comm").read_text()][:1]


def test_an_agent_is_the_same_users_for_ever(tmp_path: Path) -> None:
    """Two users of the host for each agent, its own, nobody else's, and found again."""
    for name in ("iris", "brook", "moss"):
        (tmp_path / name).mkdir()
    first = {name: host_users.uid_of(tmp_path / name) for name in ("iris", "brook", "moss")}
    assert first == {name: host_users.uid_of(tmp_path / name) for name in ("moss", "iris", "brook")}
    everyone = {uid + more for uid in first.values() for more in (0, 1)}
    assert len(everyone) == 6
    assert min(everyone) >= host_users.FIRST


HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    """The table of denied calls says what the kernel's own headers say, for both architectures."""
    header = next((Path(path) for path in HEADERS[machine] if Path(path).exists()), None)
    if header is None:
        pytest.skip(f"the kernel's headers for {machine} are not installed")
    defined = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    for call in seccomp.AMONG_OTHERS:
        number = call.numbers[machine]
        newer = number is not None and number > 453
        assert newer or number == (int(defined[call.name]) if call.name in defined else None), call.name


def test_an_unknown_machine_has_no_filter() -> None:
    """Where no filter is known there is no container either."""
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program(seccomp.CONTAINER, "riscv64")
