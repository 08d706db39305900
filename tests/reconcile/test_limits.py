"""Limits of containers hold: by the kernel where a cgroup can be made, and by the host's looks where not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hive.agent import shell
from hive.agent.limits import DISK_EVENTS, EVENTS, ContainerLimits, as_variable
from hive.config import Limits
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.backends.surroundings import starter
from hive.reconcile.cgroup_hierarchies import CONTROLLERS, MEMORY, PROCESSES, hierarchies, set_limit
from hive.reconcile.cgroups import Cgroups, ContainerGroup, NoCgroup
from hive.reconcile.limit_watch import LimitWatch, measure
from hive.reconcile.limiter import Limiter, LimitsReport

SMALL = Limits(memory_mb=64, processes=32, disk_mb=16)
EATS = "import time; x = bytearray(200 << 20); open('eaten', 'w').close(); time.sleep(600)"

HYBRID = """\
9:name=systemd:/
8:pids:/
4:memory:/outer/7e
2:cpu,cpuacct:/
0::/
"""
HYBRID_MOUNTS = """\
24 21 0:22 / /proc rw,nosuid - proc proc rw
30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 25 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
36 25 0:32 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
37 25 0:33 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
38 25 0:34 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""


def until(is_so: Callable[[], object]) -> None:
    """Wait for something that has to come."""
    end = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def groups() -> Iterator[Cgroups]:
    """The groups that this machine lets us make."""
    try:
        found = Cgroups.find()
    except NoCgroup as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    yield found
    found.close()


def test_our_place_is_found_in_both_versions_and_their_mix(tmp_path: Path) -> None:
    """The own group of each hierarchy, as the mount shows it; in a container it is the mount itself."""
    found = {each.own.as_posix(): each for each in hierarchies(HYBRID, HYBRID_MOUNTS)}
    assert set(found) == {
        *("/sys/fs/cgroup/memory/outer/7e", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu,cpuacct"),
        *("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"),
    }
    assert found["/sys/fs/cgroup/cpu,cpuacct"].controllers == {"cpu", "cpuacct"}
    (docker,) = hierarchies(
        "4:memory:/docker/ab\n", "1 2 0:3 /docker/ab /sys/fs/cgroup/memory ro - cgroup c rw,memory\n"
    )
    assert docker.own.as_posix() == "/sys/fs/cgroup/memory"
    assert hierarchies("4:memory:/../x\n", "1 2 0:3 / /sys/fs/cgroup/memory ro - cgroup c rw,memory\n") == []
    service = tmp_path / "system.slice" / "hive.service"
    service.mkdir(parents=True)
    (service / "cgroup.controllers").write_text("cpu memory pids\n")
    for mine in ("", "/hive-self"):
        (whole,) = hierarchies(
            f"0::/system.slice/hive.service{mine}\n", f"1 2 0:3 / {tmp_path} rw - cgroup2 cgroup rw\n"
        )
        assert (whole.version, whole.own, mine or whole.controllers) == (
            2,
            service,
            mine or {"cpu", "memory", "pids"},
        )


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (1, {"memory.limit_in_bytes": "67108864", "cpu.cfs_quota_us": "200000", "pids.max": "32"}),
        (2, {"memory.max": "67108864", "memory.swap.max": "0", "cpu.max": "200000 100000", "pids.max": "32"}),
    ],
)
def test_limits_are_written_in_the_words_of_each_version(
    tmp_path: Path, version: int, expected: dict[str, str]
) -> None:
    """Memory without swap, a share of the processors' time, and processes."""
    for controller in CONTROLLERS:
        set_limit(tmp_path, version, controller, SMALL)
    assert {name: (tmp_path / name).read_text() for name in expected} == expected


def test_a_group_ends_and_leaves_nothing(groups: Cgroups, tmp_path: Path) -> None:
    """What a container started is killed with it, whatever session it is in; its folders are removed."""
    group = groups.make("iris", SMALL)
    words = ["/bin/sh", "-c", "setsid sleep 600 & setsid sleep 600 & touch begun; wait"]
    process = subprocess.Popen([*starter(Bounds(SMALL, group)), *words], cwd=tmp_path)
    until((tmp_path / "begun").exists)
    assert len(group.processes()) >= 3
    group.kill()
    process.wait()
    assert group.processes() == set()
    group.remove()
    assert not any(folder.exists() for folder in group.folders)


def test_the_kernel_kills_what_is_beyond_the_memory_and_counts_it(groups: Cgroups, tmp_path: Path) -> None:
    """A process that takes more than the limit is killed, and the count says so."""
    if not {MEMORY, PROCESSES} <= groups.limited:
        pytest.skip(f"no limits here: {groups.why_not}")
    group = groups.make("iris", SMALL)
    try:
        ended = subprocess.run([*starter(Bounds(SMALL, group)), sys.executable, "-S", "-c", EATS], cwd=tmp_path)
        assert (ended.returncode, group.oom_kills()) == (-9, 1)
        assert not (tmp_path / "eaten").exists()
        many = "import os\nfor n in range(100):\n    if not os.fork():\n        os.read(0, 1)\n        os._exit(0)\n"
        bomb = [*starter(Bounds(SMALL, group)), sys.executable, "-S", "-c", many]
        ended = subprocess.run(bomb, stdin=subprocess.DEVNULL, capture_output=True)
        assert b"BlockingIOError" in ended.stderr or ended.returncode == 0
    finally:
        group.kill()
        group.remove()


def test_what_a_dead_host_left_is_removed(groups: Cgroups) -> None:
    """Groups of a process that is gone are ended and removed; those of a living one stay."""
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    mine = groups.make("iris", SMALL)
    left = mine.folders[0].parent.parent / f"hive-{namespace}.{os.getpid()}.1"
    elsewhere = left.with_name(f"hive-1.{os.getpid()}.1")
    (left / "moss-1").mkdir(parents=True)
    elsewhere.mkdir()
    orphan = subprocess.Popen(
        [*starter(Bounds(SMALL, ContainerGroup((left / "moss-1",)))), "/bin/sh", "-c", "exec sleep 600"]
    )
    try:
        until(lambda: ContainerGroup((left,)).processes())
        groups.sweep()
        assert orphan.wait(60) == -9
        assert not left.exists()
        assert elsewhere.exists(), "of another PID namespace nobody here can say whether it lives"
        assert mine.folders[0].exists()
    finally:
        elsewhere.rmdir()
        mine.remove()


def looked(watch: LimitWatch, process: subprocess.Popen[bytes], said: list[str]) -> Callable[[], object]:
    """Look, and whether anything was said."""

    def look() -> list[str]:
        watch.look(lambda _: process.pid)
        return said

    return look


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[AgentDirs, subprocess.Popen[bytes], LimitWatch, list[str]]]:
    """A stand-in for a harness with one command, watched without any cgroup."""
    dirs = AgentDirs("iris", tmp_path / "agents" / "iris")
    dirs.prepare()
    said: list[str] = []
    watch = LimitWatch(SMALL, lambda _, line: said.append(line))
    watch.begin(dirs, Bounds(SMALL))
    code = "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', sys.argv[1]]); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-S", "-c", code, EATS], cwd=dirs.state, stdin=subprocess.PIPE)
    yield dirs, process, watch, said
    process.kill()
    process.communicate()
    watch.end("iris")


def test_without_a_cgroup_the_host_looks_at_the_memory(
    alone: tuple[AgentDirs, subprocess.Popen[bytes], LimitWatch, list[str]],
) -> None:
    """The largest command of a container that uses too much is killed, its harness is not, and both are told."""
    dirs, process, watch, said = alone
    until(looked(watch, process, said))
    assert said == ["hive: a command was killed: memory limit of 64 MB"]
    assert (dirs.sockets / EVENTS).read_text() == "oom_kill 1\n"
    assert process.poll() is None


def test_the_host_looks_at_the_disk(
    alone: tuple[AgentDirs, subprocess.Popen[bytes], LimitWatch, list[str]],
) -> None:
    """A command that writes too much is killed; afterwards others may run, for they may be what deletes it."""
    dirs, process, _, said = alone
    (dirs.state / "big").write_bytes(b"x" * (24 << 20))
    limits = Limits(memory_mb=4096, processes=32, disk_mb=16)
    watch = LimitWatch(limits, lambda _, line: said.append(line))
    watch.begin(dirs, Bounds(limits))
    until(looked(watch, process, said))
    assert said[0].startswith("hive: a command was killed: disk limit of 16 MB: its state directory holds 24 MB")
    assert (dirs.sockets / DISK_EVENTS).read_text() == "disk_kill 1\n"
    assert process.poll() is None


def test_what_is_unreadable_is_measured_all_the_same(tmp_path: Path) -> None:
    """A directory that its owner may not enter is no place to hide something large."""
    hidden = tmp_path / "a" / "b"
    hidden.mkdir(parents=True)
    (hidden / "big").write_bytes(b"x" * (3 << 20))
    (tmp_path / "out").symlink_to("/usr")
    (tmp_path / "a").chmod(0)
    assert 3 << 20 <= measure(tmp_path) < 8 << 20


def test_the_model_is_told_why_a_command_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that rises while a command runs is said with its result; an older one is not."""
    events = tmp_path / EVENTS
    events.write_text("under_oom 0\noom_kill 1\n")
    monkeypatch.setenv("HIVE_SOCKETS", str(tmp_path))
    monkeypatch.setenv("HIVE_LIMITS", as_variable(2048, 4096, is_counted=True))
    quiet = shell.run("true", tmp_path, seconds=60)
    assert str(quiet) == "[exit status 0]"
    loud = shell.run(f"echo oom_kill 2 >{events}; kill -9 $$", tmp_path, seconds=60)
    assert str(loud) == "[exit status -9; killed: memory limit of 2048 MB]"
    assert ContainerLimits.of({}).since(ContainerLimits.of({}).counts()) == ""


def test_a_late_count_is_waited_for_when_the_shell_speaks_of_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the host counts, a command that went on after the kill is told why all the same."""
    events = tmp_path / EVENTS
    events.write_text("oom_kill 0\n")
    monkeypatch.setenv("HIVE_SOCKETS", str(tmp_path))
    monkeypatch.setenv("HIVE_LIMITS", as_variable(2048, 4096, is_counted=False))
    threading.Timer(0.5, lambda: events.write_text("oom_kill 1\n")).start()
    late = shell.run("sh -c 'kill -9 $$'; echo at work", tmp_path, seconds=60)
    assert str(late).endswith("at work\n[exit status 0; killed: memory limit of 2048 MB]")


def test_a_report_says_what_does_not_hold(tmp_path: Path) -> None:
    """What the running host found is what doctor says; without a host, what this process could have."""
    file = tmp_path / "limits.json"
    Limiter(SMALL, None, "Permission denied: /sys/fs/cgroup/x").save(file)
    report = LimitsReport.of(SMALL, file)
    assert report.holding.startswith("64 MB of memory, 2 CPUs, 32 processes, by each process' own limits;")
    assert report.lacking[-1] == "CPU time is not limited (Permission denied: /sys/fs/cgroup/x)"
    assert len(report.lacking) == 3
    file.write_text('{"pid": 0}')
    assert LimitsReport.of(SMALL, file).holding
    units = LimitsReport.of(SMALL, file, by_unit=True)
    assert "32 processes, by the systemd unit of its container; " in units.holding
    assert units.lacking == (), "what this process could have is no matter"
