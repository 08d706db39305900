"""Containers: from their start to the harness' first call to its host, for each backend, and what one holds in memory."""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.process import pss_of_all
from bench.row import Gap, Row, Unmeasured, at_most
from hive.config import Limits
from hive.reconcile.backends import BACKENDS, Backend, look_for
from hive.reconcile.build import BASE, resolve
from hive.reconcile.containers import Containers
from hive.reconcile.limiter import Limiter

TIMES = 7
SECONDS = 60.0
SHA = "0" * 40
BEYOND_MS = 400
"""What a container may take beyond a bare bubblewrap's start."""
MEMORY_MB = 14
"""Of ours, for each running agent: the harness and what stays above it, in proportional set size."""


def containers() -> Iterator[Row | Gap]:
    """The rows."""
    bare = bare_start()
    for name in BACKENDS:
        backend, why = look_for(name)
        if backend is None:
            yield Gap(f"container by {name}", why)
            continue
        start, memory = measured(backend)
        label = f"container by {name}: start → first call"
        goal = at_most(BEYOND_MS) if name == "bubblewrap" else None
        yield Row(f"{label}, beyond bare bwrap", start - bare, "ms", "bare bwrap", bare, goal)
        goal = at_most(MEMORY_MB) if name == "bubblewrap" else None
        yield Row(f"container by {name}: memory of an idle agent", memory, "MB", goal=goal)


def bare_start() -> float:
    """Milliseconds of bubblewrap around `true`, the median; raises Unmeasured without bubblewrap."""
    program = shutil.which("bwrap")
    if program is None:
        raise Unmeasured("bubblewrap is not on PATH")
    words = [program, "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true"]
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        if subprocess.run(words, capture_output=True).returncode:
            raise Unmeasured("bubblewrap makes no container here")
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def measured(backend: Backend) -> tuple[float, float]:
    """Milliseconds until the harness calls, and megabytes when it waits for a turn, both the median."""
    with tempfile.TemporaryDirectory(prefix="hive-bench-", ignore_cleanup_errors=True) as folder:
        made = Containers(backend, Path(folder) / "agents", Limiter.find(Limits()))
        dirs = made.dirs("iris")
        programs = dirs.gens / SHA / "bin"
        programs.mkdir(parents=True)
        for package in BASE:
            for command, path in resolve(package).items():
                (programs / command).symlink_to(path)
        (programs.parent / "agent.json").write_text(json.dumps({"generation": SHA, "env": {}}))
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(os.path.relpath(dirs.sockets / "forge.sock"))
            door.listen()
            door.settimeout(SECONDS)
            taken, held = zip(*(once(made, door) for _ in range(TIMES)), strict=True)
        made.stop_all()
    return statistics.median(taken), statistics.median(held)


def once(made: Containers, door: socket.socket) -> tuple[float, float]:
    """Start a container, wait for its first call, weigh it, end it."""
    begun = time.perf_counter()
    made.start("iris", SHA, {})
    try:
        call, _ = door.accept()
    except TimeoutError as error:
        raise Unmeasured(f"its harness did not call: {made.log('iris', 3)}") from error
    with call:
        taken = (time.perf_counter() - begun) * 1000
        pid = made.pid("iris")
        held = pss_of_all(pid) if pid is not None else 0.0
    made.kill("iris")
    return taken, held
