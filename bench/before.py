"""The build that this one is measured beside: its tree is made by `scripts/peers`, and it measures itself by its own bench."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from bench.peer import INSTALLED, LOG, PROGRAMS
from bench.row import Unmeasured
from bench.threads import Cost

COMMIT = "3f0fd52"
NAME = f"commit {COMMIT}"
STOP_SECONDS = 20.0


def triage() -> Cost:
    """What one issue costs its worker; raises Unmeasured."""
    return Cost(**_asked("triage"))


def requests(bot: str) -> float:
    """How many requests a bot of it needs for an event; raises Unmeasured."""
    return _value("looking", f"requests, {bot}: ")


def label() -> float:
    """Milliseconds from an event to its label, at the median; raises Unmeasured."""
    return _value("whole", "event → label, median")


def memory(*processes: str) -> float:
    """What processes of it hold together, in MB; raises Unmeasured."""
    return sum(_value("whole", f"memory of {process}") for process in processes)


@cache
def _rows(part: str) -> Mapping[str, float]:
    """The rows of a part of its bench, by the names that they have there."""
    return {row["name"]: row["value"] for row in _asked(part)}


def _value(part: str, name: str) -> float:
    return next(value for known, value in _rows(part).items() if known.startswith(name))


@contextmanager
def web() -> Iterator[tuple[int, int, bytes]]:
    """Its receiver: port, process, and the secret of its deliveries. Raises Unmeasured."""
    with _begun("web") as process:
        assert process.stdin is not None
        try:
            known = _read(process)
            yield known["port"], known["pid"], known["secret"].encode()
        finally:
            process.stdin.close()
            process.wait(timeout=STOP_SECONDS)


def _asked(part: str) -> Any:
    with _begun(part) as process:
        return _read(process)


@contextmanager
def _begun(part: str) -> Iterator[subprocess.Popen[str]]:
    tree = INSTALLED / COMMIT
    if not (tree / ".made").exists():
        raise Unmeasured(f"{NAME} is not there; run: scripts/peers")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tree, Path(__file__).parent)))}
    words = [sys.executable, "-P", str(PROGRAMS / "before"), part]
    with (
        LOG.open("ab") as log,
        subprocess.Popen(
            words, env=env, cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        yield process


def _read(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise Unmeasured(f"{NAME} cannot be measured; see {LOG}")
    return json.loads(line)
