"""An engine gets little, and what goes wrong with it is said: real processes that misbehave."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bots.models import Scan, Verdict, verdict
from hive.scan.sandbox_runner import EngineFailed, SandboxRunner, bench

Look = Callable[..., Scan]
Install = Callable[[str, str], SandboxRunner]

CODE = {"a.py": "x = 1\n"}
GREEDY = """\
import resource
while resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY:
    pass
try:
    bytearray(256 * 1024 * 1024)
except MemoryError:
    print("refused")
"""


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Put a shell script in the place of an engine; gives a bench on which it is found first."""

    def put(name: str, script: str) -> SandboxRunner:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        return replace(bench(), folders=(folder, Path("/usr/bin"), Path("/bin")))

    return put


def test_a_missing_engine_is_a_failure(look: Look, tmp_path: Path) -> None:
    """An engine that is not there has not found nothing: the change is not reviewed."""
    scan = look(CODE, engines="ruff", on=SandboxRunner((tmp_path,)))
    assert scan.failed == (("ruff", "is not installed"),)
    assert scan.ran == ()
    assert verdict(scan.findings, failed=bool(scan.failed)) is Verdict.NOT_REVIEWED


def test_an_engine_that_is_not_needed_may_be_missing(look: Look, tmp_path: Path) -> None:
    """Nobody misses an engine for a language that the change does not touch."""
    scan = look(CODE, engines="shellcheck yamllint", on=SandboxRunner((tmp_path,)))
    assert (scan.ran, scan.failed, scan.findings) == ((), (), ())


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 2", "ended with status 2"),
        ("kill -SEGV $$", "was ended by SIGSEGV"),
        ("echo hello", "spoke a language that is not its own"),
        ("echo '[{}]'", "spoke a language that is not its own"),
        ("echo '[1]'", "spoke a language that is not its own"),
        ("echo '{\"code\": 1}'", "spoke a language that is not its own"),
        ("", "spoke a language that is not its own"),
    ],
)
def test_a_crash_and_nonsense_are_failures(look: Look, install: Install, script: str, reason: str) -> None:
    """An engine that crashes or says what nobody understands is a failure with a reason, never green."""
    assert look(CODE, engines="ruff", on=install("ruff", script)).failed == (("ruff", reason),)


@pytest.mark.parametrize("engine", ["ast-grep", "shellcheck", "detect-secrets", "yamllint", "hadolint"])
def test_nonsense_of_any_engine(look: Look, install: Install, engine: str) -> None:
    """Whoever speaks it, nonsense is a failure."""
    scan = look(
        {"a.sh": "true\n", "a.yml": "a: 1\n", "Dockerfile": "FROM x\n"},
        engines=engine,
        on=install(engine, "echo hello"),
    )
    assert scan.failed == ((engine, "spoke a language that is not its own"),)


def test_a_mark_outside_of_the_change_is_nonsense(look: Look, install: Install) -> None:
    """An engine speaks of the copies that it was shown, and of nothing else."""
    item = {"code": "F401", "filename": "/etc/passwd", "location": {"row": 1, "column": 1}, "message": "", "fix": None}
    scan = look(CODE, engines="ruff", on=install("ruff", f"echo '{json.dumps([item])}'"))
    assert scan.failed == (("ruff", "spoke a language that is not its own"),)


def test_one_failure_takes_no_other_engine_with_it(look: Look, install: Install) -> None:
    """An engine that fails fails alone; what the others saw stands."""
    on = install("ruff", "exit 2")
    on = replace(on, folders=(*on.folders, *bench().folders))
    scan = look({"a.py": "try:\n    f()\nexcept Exception:\n    pass\n"}, engines="ruff ast-grep", on=on)
    assert (scan.ran, [engine for engine, _ in scan.failed]) == (("ast-grep",), ["ruff"])
    assert [item.rule for item in scan.findings] == ["py-swallowed"]


def test_time_is_up_for_all_of_it(install: Install, tmp_path: Path) -> None:
    """An engine that takes too long is ended with everything that it has started."""
    note = tmp_path / "child"
    on = replace(install("slow", f"sleep 600 & echo $! > {note}; wait"), seconds=1.5)
    with pytest.raises(EngineFailed, match=r"did not finish within 1\.5 seconds"):
        on.run("slow", [], tmp_path)
    child = int(note.read_text())
    assert gone(child)


def gone(pid: int) -> bool:
    """Whether a process ends within ten seconds; one that waits to be reaped by init has ended."""
    for _ in range(1000):
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


def test_talk_is_cut_short(install: Install, tmp_path: Path) -> None:
    """An engine that does not stop talking is ended."""
    on = replace(install("chatty", "exec cat /dev/zero"), output=100_000)
    with pytest.raises(EngineFailed, match="wrote more than 100000 bytes"):
        on.run("chatty", [], tmp_path)


def test_memory_is_limited(tmp_path: Path) -> None:
    """An engine that wants all of the memory does not get it."""
    on = replace(bench(), memory=64 * 1024 * 1024)
    status, said = on.run("python", ["-c", GREEDY], tmp_path)
    assert (status, said) == (0, "refused\n")


def test_a_bomb_is_not_reviewed_and_said_so(look: Look) -> None:
    """Half a kilobyte that grows without end costs an engine its bound, once: the change is not reviewed, because."""
    bomb = "a: &a [x,x,x,x,x,x,x,x,x] # token\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}] # token\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    scan = look({"a.yaml": bomb}, engines="detect-secrets yamllint", on=replace(bench(), memory=256 * 1024 * 1024))
    assert [engine for engine, _ in scan.failed] == ["detect-secrets"]
    assert scan.ran == ("yamllint",)
    assert verdict(scan.findings, failed=bool(scan.failed)) is Verdict.NOT_REVIEWED


def test_nesting_without_end_is_nonsense(look: Look, install: Install) -> None:
    """What an engine says may be nested deeper than this Python goes: that is its failure, not the worker's."""
    on = install("ruff", "head -c 200000 /dev/zero | tr '\\0' '['")
    assert look(CODE, engines="ruff", on=on).failed == (("ruff", "spoke a language that is not its own"),)


def test_a_bare_environment(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine sees nothing of the hive's environment: tokens are not for analysers."""
    monkeypatch.setenv("HIVE_TEST_TOKEN", "do-not-show")
    status, said = install("nosy", "env; pwd").run("nosy", [], tmp_path)
    assert status == 0
    assert "do-not-show" not in said
    assert {line.split("=")[0] for line in said.splitlines() if "=" in line} <= {
        *("PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "HOME", "TMPDIR", "LC_ALL", "NO_COLOR", "PWD", "OLDPWD"),
        *("SHLVL", "_"),
    }
    assert said.splitlines()[-1] == str(tmp_path)


def test_what_cannot_be_started_is_a_failure(tmp_path: Path) -> None:
    """A program that the system refuses to start is a failure like any other."""
    with pytest.raises(EngineFailed, match="could not be started"):
        bench().run("python", ["x" * 200_000], tmp_path)
