"""The queue over a Redis: work goes on whether that is there, was wiped, or is away."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis

from hive.config import BadYaml, load
from hive.instance.instance import Instance
from hive.queue.task_queue import Queue
from tests.hive.conftest import HiveEnv
from tests.hive.test_instance import file

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is on this machine")

BOUND = 30.0


class Server:
    """A Redis of the test's own on a unix socket, which keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [
            "redis-server",
            "--port",
            "0",
            "--unixsocket",
            str(self.path),
            "--save",
            "",
            "--dir",
            str(self.path.parent),
        ]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + BOUND
        while not self.path.exists() and time.monotonic() < until:
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.path.unlink(missing_ok=True)


@pytest.fixture
def server() -> Iterator[Server]:
    """A Redis that is up; its socket's path has to be short."""
    with TemporaryDirectory(prefix="redis-") as folder:
        made = Server(Path(folder))
        made.start()
        yield made
        made.kill()


def wait_for(seen: list[int], count: int) -> None:
    """Wait until so many nudges came."""
    until = time.monotonic() + BOUND
    while len(seen) < count:
        assert time.monotonic() < until, f"{len(seen)} of {count} came"
        time.sleep(0.01)


def test_carries_whether_it_is_there_or_not(server: Server) -> None:
    """Nudges pass from connection to connection; without a Redis they stay within the process."""
    seen: list[int] = []
    queue, other, stop = Queue(server.url), Queue(server.url), threading.Event()
    worker = threading.Thread(target=lambda: queue.serve({"job": seen.append}, workers=2, stop=stop), daemon=True)
    worker.start()
    other.push("job", 1)
    wait_for(seen, 1)
    server.kill()
    queue.push("job", 2)
    wait_for(seen, 2)
    stop.set()
    worker.join(BOUND)
    assert not worker.is_alive()
    queue.close()
    other.close()


def test_a_wiped_redis_costs_no_work(hive_env: HiveEnv, server: Server) -> None:
    """What is owed stands in the ledger, so that a nudge that is lost is made again."""
    config = hive_env.instance.settings.home / "hive.yaml"
    config.write_text(config.read_text() + f"queue: {server.url}\n")
    instance = Instance(load(config))
    issue = file(hive_env)
    from hive.app.polls import pollers  # noqa: PLC0415  of the house that was just configured
    from hive.app.work import worker_deps  # noqa: PLC0415  of the house that was just configured
    from hive.worker.worker import JOB, Worker  # noqa: PLC0415

    jobs = [job for found in pollers(instance) for job in found.sweep().jobs]
    for job in jobs:
        instance.queue.push(JOB, job)
    with redis.Redis(unix_socket_path=str(server.path)) as client:
        assert client.dbsize() == 1
        client.flushall()
    stop = threading.Event()
    worker = threading.Thread(target=lambda: Worker(worker_deps(instance)).serve(threads=2, stop=stop), daemon=True)
    worker.start()
    until = time.monotonic() + BOUND
    while not hive_env.mara.issue(issue.ref).assignees:
        assert time.monotonic() < until
        time.sleep(0.05)
    stop.set()
    worker.join(BOUND)
    instance.close()


@pytest.mark.parametrize("place", ["redis://:secret@host/0", "http://host", "unix://relative", "nonsense"])
def test_what_is_no_redis_is_named(hive_env: HiveEnv, place: str) -> None:
    """A mistake in the address has its line; a password belongs into no configuration."""
    config = hive_env.instance.settings.home / "hive.yaml"
    config.write_text(config.read_text() + f'queue: "{place}"\n')
    with pytest.raises(BadYaml, match="queue: should be redis://HOST:PORT/N or unix:///PATH, without a password"):
        load(config)
