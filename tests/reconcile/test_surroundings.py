"""What was started for a container ends with it, also what begins in that very moment."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from hive.agent.sandbox import python
from hive.reconcile.backends.surroundings import kill_those_of, kill_tree, source

SECONDS = 30.0
BREEDS = (
    'mark=$1; n=0; while [ $n -lt 20000 ]; do setsid sh -c "exec sleep 600" "$mark" & n=$((n + 1)); sleep 0.0001; done'
)


def alive(mark: str) -> list[str]:
    """The processes with a word among their arguments."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().decode(errors="replace"):
                found.append(entry.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("turn", range(5))
def test_what_begins_meanwhile_ends_too(turn: int, tmp_path: Path) -> None:
    """A process that makes others, in sessions of their own, leaves none of them behind, whenever it is killed."""
    mark = f"BRED={tmp_path}.{turn}"
    words = [
        *python("hive.agent.warden", source=source()),
        str(os.getpid()),
        "--",
        "/bin/sh",
        "-c",
        BREEDS,
        "breeds",
        mark,
    ]
    with subprocess.Popen(
        words, env={"PATH": os.defpath, "BRED": f"{tmp_path}.{turn}"}, stderr=subprocess.DEVNULL
    ) as warden:
        until = time.monotonic() + SECONDS
        while len(alive(mark)) < 10 + turn and time.monotonic() < until:
            time.sleep(0.002)
        kill_tree(warden.pid)
        assert warden.wait(SECONDS) == -9
    while left := alive(mark):
        assert time.monotonic() < until, left
        assert not [pid for pid in left if _is_running(pid)], left
        time.sleep(0.01)


def _is_running(pid: str) -> bool:
    """Whether a process is none that was killed and only goes."""
    try:
        pending = Path(f"/proc/{pid}/status").read_text().split("ShdPnd:")[1].split()[0]
    except (OSError, IndexError):
        return False
    return not int(pending, 16) & 1 << 8


def test_what_works_for_a_directory_ends(tmp_path: Path) -> None:
    """Whoever started it may be gone: it is known by its arguments. What names another directory goes on."""
    mine, other = tmp_path / "mine", tmp_path / "mine-too"
    with (
        subprocess.Popen(["/bin/sh", "-c", "while :; do sleep 600; done", f"--root={mine}/store"]) as one,
        subprocess.Popen(["/bin/sh", "-c", "while :; do sleep 600; done", f"--root={other}/store"]) as two,
    ):
        kill_those_of(mine)
        assert one.wait(SECONDS) == -9
        assert two.poll() is None
        kill_tree(two.pid)
