"""Wake-ups over a Redis. While it is unavailable, they stay within this process."""

from __future__ import annotations

import logging
import queue

import redis
from huey.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

from hive.queue.stateless_storage import StatelessStorageMixin

WAIT_SECONDS = 1

log = logging.getLogger("hive.queue.task_queue")


class ForgivingRedisStorage(StatelessStorageMixin, RedisStorage):  # type: ignore[misc]  # huey ships no types
    """Huey's Redis storage, which survives a Redis that is unavailable or was wiped: the ledger knows what is pending."""

    def __init__(self, name: str, *, place: str, **options: object) -> None:
        self._here: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        at_once = Retry(NoBackoff(), 0)  # by itself the client would try for half a minute
        pool = redis.ConnectionPool.from_url(place, retry=at_once)
        super().__init__(name, read_timeout=WAIT_SECONDS, connection_pool=pool, **options)

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Carry a task; huey's own method."""
        try:
            super().enqueue(data, priority)
        except redis.RedisError as error:
            log.warning("queue_away error=%r", str(error)[:200])
            self._here.put(data)

    def dequeue(self) -> bytes | None:
        """The next task, waited for; huey's own method."""
        try:
            return self._here.get_nowait()
        except queue.Empty:
            pass
        try:
            found: bytes | None = super().dequeue()
        except redis.RedisError:
            return self._wait()
        return found

    def _wait(self) -> bytes | None:
        try:
            return self._here.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            return None

    def wake(self) -> None:
        """Readers are woken by what is pushed."""

    def close(self) -> None:
        """Close the connections of this process."""
        self.pool.disconnect()
