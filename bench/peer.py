"""The peers: programs in `bench/peers`, run with what `scripts/peers` installed. Nothing of them is imported."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.process import end, free_port, listens, until
from bench.row import Unmeasured
from bench.stopwatch import STARTS

PROGRAMS = Path(__file__).parent / "peers"
INSTALLED = Path(__file__).parent / "out" / "peers"
LOG = INSTALLED / "peers.log"
PYTHON = INSTALLED / "venv" / "bin" / "python"
PATIENCE_SECONDS = 30.0


def python(program: str, *words: str) -> list[str]:
    """The words that run a Python peer; raises Unmeasured if it is not installed."""
    if not PYTHON.exists():
        raise Unmeasured("the Python peers are not installed; run: scripts/peers")
    return [str(PYTHON), str(PROGRAMS / program), *words]


def installed(program: str, *words: str) -> list[str]:
    """The words that run a command of a Python peer; raises Unmeasured if it is not installed."""
    if not (path := PYTHON.with_name(program)).exists():
        raise Unmeasured(f"{program} is not installed; run: scripts/peers")
    return [str(path), *words]


@contextmanager
def running(words: list[str], *, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A program under way, with all that it starts; its words go into the log."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            words,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


@contextmanager
def probot(secret: bytes) -> Iterator[tuple[int, int]]:
    """Probot with an empty handler: its port and its process. Raises Unmeasured."""
    place, node = INSTALLED / "node", shutil.which("node")
    if node is None or not (place / ".made").exists():
        raise Unmeasured("Probot is not installed; run: scripts/peers")
    port = free_port()
    env = {"WEBHOOK_SECRET": secret.decode(), "NODE_ENV": "production"}
    with running([node, str(place / "probot.js"), str(port)], env=env) as process:
        _answers("Probot", port, process)
        yield port, process.pid


@contextmanager
def obvious(secret: bytes, starts: Path | None = None) -> Iterator[tuple[int, int]]:
    """Flask, gunicorn, SQLite and stock SqliteHuey: port and process; with a consumer that writes to `starts`."""
    port = free_port()
    with TemporaryDirectory(prefix="hive-bench-") as state:
        env = {"WEBHOOK_SECRET": secret.decode(), "PEER_STATE": state, STARTS: str(starts or "")}
        env["PYTHONPATH"] = str(PROGRAMS)
        serve = ("--worker-class", "gthread", "--workers", "1", "--threads", "8", "--log-level", "error")
        words = installed("gunicorn", *serve, "--bind", f"127.0.0.1:{port}", "obvious:app")
        with running(words, env=env) as process:
            _answers("gunicorn", port, process)
            if starts is None:
                yield port, process.pid
            else:
                with running(installed("huey_consumer", "obvious.huey", "--quiet"), env=env):
                    yield port, process.pid


@contextmanager
def redis() -> Iterator[str]:
    """A Redis that keeps nothing on disk: its unix socket. Raises Unmeasured."""
    server = shutil.which("redis-server")
    if server is None:
        raise Unmeasured("redis-server is not installed; run: scripts/peers")
    with TemporaryDirectory(prefix="hive-bench-") as directory:
        sock = Path(directory) / "redis.sock"
        quiet = ("--port", "0", "--unixsocket", str(sock), "--dir", directory, "--save", "", "--appendonly", "no")
        with running([server, *quiet]):
            if not until(sock.exists, seconds=PATIENCE_SECONDS):
                raise Unmeasured("redis-server does not start")
            yield str(sock)


def _answers(name: str, port: int, process: subprocess.Popen[bytes]) -> None:
    if not until(lambda: listens(port) or process.poll() is not None, seconds=PATIENCE_SECONDS) or process.poll():
        raise Unmeasured(f"{name} does not start; see {LOG}")
