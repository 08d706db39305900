"""Huey, carrying row ids and nothing else: what a row means is in the ledger.

Huey loses a task whose worker dies while it runs (measured with 3.5.4), so a task is only a
wake-up: its worker claims a row in the ledger first, and the ledger is scanned for due rows
without one. A file carries them, or a Redis, which may be wiped. Decides nothing.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from huey import Huey
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import SqliteStorage

from hive.ledger.errors import STORE_ERRORS, describe
from hive.queue.stateless_storage import StatelessStorageMixin

POLL_SECONDS = 1.0
"""How late a task of another process is seen that did not wake this one."""

Handler = Callable[[int], None]
log = logging.getLogger("hive.queue.task_queue")


class Queue:
    """A queue of (name, row id), shared by the processes that open the same file or the same Redis."""

    def __init__(self, place: Path | str) -> None:
        """Open or make the file, or name a Redis by its URL.

        Raises OSError if a directory cannot be made, or where the package for Redis is not installed.
        """
        self._handlers: Mapping[str, Handler] = {}
        self._huey = _at_redis(place) if isinstance(place, str) else _in_file(place)
        self._task = self._huey.task(name="row", context=False)(self._run)

    def push(self, name: str, row_id: int) -> None:
        """Wake a worker for a row; if that fails, the backstop of the worker finds the row."""
        try:
            self._task(name, row_id)
        except STORE_ERRORS as error:
            log.warning("wake_up_lost task=%r error=%r", name, describe(error))

    def wake(self) -> None:
        """Another process has pushed a task: read it now."""
        self._huey.storage.wake()

    def serve(
        self,
        handlers: Mapping[str, Handler],
        *,
        workers: int,
        stop: threading.Event,
        ready: Callable[[], object] = lambda: None,
    ) -> None:
        """Run tasks until `stop` is set; running ones are finished first. Each worker thread calls `ready` at its start."""
        self._handlers = handlers
        self._huey.on_startup("ready")(ready)
        consumer = _Consumer(
            self._huey, workers=workers, periodic=False, initial_delay=0.02, backoff=1.2, max_delay=0.25
        )
        consumer.start()
        stop.wait()
        consumer.stop_flag.set()
        self._huey.storage.wake()
        consumer.stop(graceful=True)

    def close(self) -> None:
        """Close this process' connection."""
        self._huey.storage.close()

    def _run(self, name: str, row_id: int) -> None:
        handler = self._handlers.get(name)
        if handler is None:
            log.error("queue_unknown_task name=%r", name[:40])
            return
        handler(row_id)


def _in_file(path: Path) -> Huey:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    # Results are not stored, and fsync is spared: the ledger can send a wake-up for every row again.
    return Huey("hive", storage_class=_Storage, filename=str(path), results=False, fsync=False, serializer=_Json())


def _at_redis(url: str) -> Huey:
    from hive.queue.redis_storage import ForgivingRedisStorage  # noqa: PLC0415  who has no Redis needs no package for it

    return Huey("hive", storage_class=ForgivingRedisStorage, place=url, results=False, serializer=_Json())


class _Consumer(Consumer):  # type: ignore[misc]  # huey ships no types
    """Workers without huey's signal handlers: the process that runs them has its own."""

    def _set_signal_handlers(self) -> None:
        return


class _Storage(StatelessStorageMixin, SqliteStorage):  # type: ignore[misc]  # huey ships no types
    """Huey's file, whose readers sleep until a task is pushed; huey's own poll with increasing delays.

    What the reading process pushes itself does not go through the file.
    """

    blocking = True

    def __init__(self, *args: Any, **options: Any) -> None:
        self._pushes = 0
        self._readable = True
        self._pushed = threading.Condition()
        self._near: deque[bytes] = deque()
        self._reads = False
        super().__init__(*args, **options)

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        with self._pushed:
            if self._reads:
                self._near.append(data)
                self._pushed.notify()
                return
        super().enqueue(data, priority)
        self.wake()

    def wake(self) -> None:
        """Wake the readers."""
        with self._pushed:
            self._pushes += 1
            self._pushed.notify_all()

    def dequeue(self) -> bytes | None:
        with self._pushed:
            self._reads, seen = True, self._pushes
            if self._near:
                return self._near.popleft()
        data = self._from_afar()
        if data is not None:
            return data
        with self._pushed:
            if not self._near and self._pushes == seen:
                self._pushed.wait(POLL_SECONDS)
            return self._near.popleft() if self._near else None

    def _from_afar(self) -> bytes | None:
        """A task that another process pushed; none while the file is unusable: everything is in the ledger too."""
        try:
            data: bytes | None = super().dequeue()
        except STORE_ERRORS as error:
            if self._readable:
                log.error("queue_unusable error=%r", describe(error))
            self._readable = False
            return None
        self._readable = True
        return data


class _Json(Serializer):  # type: ignore[misc]  # huey ships no types
    """Huey pickles by default: a writer of the file could then run code in the worker."""

    def _serialize(self, data: tuple[object, ...]) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> object:
        return Message(*json.loads(data))
