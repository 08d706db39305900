"""The receiver and the worker killed under load and started again: who was refused, what was lost, how long it took."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench.deliveries import Letters, issue_opened, opened_key, subject
from bench.load import is_whole
from bench.pace import lines, send
from bench.process import until
from bench.row import Gap, Row, Unmeasured, at_most
from bench.stand import Stand, alone

KILLS = 20
WORKER_KILLS = 5
NAP_SECONDS = 0.2
CLIENTS = 8
CALM_SECONDS = 0.3
"""How long a receiver that is back may work until it is killed again."""

FIRST_DELAY = 0.2
"""Seconds that the tree waits after a first death; it waits longer for one that dies again and again, which is not meant here."""


@dataclass(slots=True)
class Seen:
    """What the clients of a receiver saw."""

    refused: int = 0
    broken: int = 0
    taken: set[str] = field(default_factory=set)
    last: float = 0.0
    guard: threading.Lock = field(default_factory=threading.Lock)


def restart() -> Iterator[Row | Gap]:
    """Both, one after the other."""
    with alone("web", longest_delay=FIRST_DELAY) as here:
        yield from receiver(here)
    with alone("web", "work", nap=NAP_SECONDS, longest_delay=FIRST_DELAY) as here:
        yield from worker(here)


def receiver(here: Stand) -> Iterator[Row]:
    """Clients that send without a pause, while `hive web` is killed again and again."""
    seen, stop, letters = Seen(), threading.Event(), issue_opened(here.secret)
    clients = [
        threading.Thread(target=_client, args=(here.port, letters, f"client{number}", seen, stop))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    try:
        back = [_kill_receiver(here, seen) for _ in range(KILLS)]
    finally:
        stop.set()
        for client in clients:
            client.join()
    lost = seen.taken - _kept(here)
    where = f"hive web killed {KILLS} times under load"
    yield Row(f"{where}: refused connections", seen.refused, "", "deliveries taken", len(seen.taken), at_most(0))
    yield Row(f"{where}: lost after a 202", len(lost), "", "deliveries taken", len(seen.taken), at_most(0))
    yield Row(f"{where}: sent again after a reset", seen.broken, "", "deliveries taken", len(seen.taken))
    yield Row("hive web: killed → next 202, median", statistics.median(back), "s")
    yield Row("hive web: killed → next 202, worst", max(back), "s")


def worker(here: Stand) -> Iterator[Row]:
    """`hive work` killed while it looks; what it held has to be looked at again."""
    letters, took = issue_opened(here.secret), []
    for number in range(1, WORKER_KILLS + 1):
        key = opened_key(subject(number))
        send(here.port, {key: letters.request("held", number)}, per_second=1)
        if not until(_has_begun(here, key, 1), seconds=30):
            raise Unmeasured("a delivery was not looked at")
        os.kill(here.tree.pid("work"), signal.SIGKILL)
        killed = time.monotonic()
        if not until(_has_begun(here, key, 2), seconds=150):
            raise Unmeasured("what a killed worker held was not looked at again")
        took.append(time.monotonic() - killed)
        time.sleep(0.5)
    yield Row(
        f"hive work: killed → what it held is looked at again, worst of {WORKER_KILLS}", max(took), "s", goal=at_most(2)
    )


def _kill_receiver(here: Stand, seen: Seen) -> float:
    """Seconds from a kill to the next 202 of the life after it."""
    process, killed = here.tree.pid("web"), time.monotonic()
    os.kill(process, signal.SIGKILL)
    came = until(lambda: here.tree.pid("web") not in {0, process}, seconds=30)
    begun = time.monotonic()
    if not came or not until(lambda: seen.last > begun, seconds=30):
        raise Unmeasured("hive web does not come back")
    took = seen.last - killed
    time.sleep(CALM_SECONDS)
    return took


def _client(port: int, letters: Letters, series: str, seen: Seen, stop: threading.Event) -> None:
    """One delivery after another; one that was not answered is sent again on a connection of its own."""
    number, sock = 0, None
    while not stop.is_set():
        try:
            if sock is None:
                sock = socket.create_connection(("127.0.0.1", port), timeout=60)
            sock.sendall(letters.request(series, number))
            status = _status(sock)
        except ConnectionRefusedError:
            with seen.guard:
                seen.refused += 1
            time.sleep(0.01)
            continue
        except OSError:
            status = ""  # the receiver died with this delivery in its hands
        with seen.guard:
            if status == "202":
                seen.taken.add(letters.uuid(series, number))
                seen.last = time.monotonic()
                number += 1
            else:
                seen.broken += 1
        if status != "202" and sock is not None:
            sock.close()
            sock = None
    if sock is not None:
        sock.close()


def _status(sock: socket.socket) -> str:
    """The status of an answer, empty if there came none."""
    answer = b""
    while not is_whole(answer):
        if not (some := sock.recv(65536)):
            return ""
        answer += some
    return answer[9:12].decode()


def _kept(here: Stand) -> set[str]:
    with here.instance.ledger.transaction() as db:
        return {row["uuid"] for row in db.execute("SELECT uuid FROM deliveries")}


def _has_begun(here: Stand, key: str, times: int) -> Callable[[], bool]:
    """Whether the look at an event has begun so many times."""
    return lambda: sum(what == key for _, what in lines(here.starts)) == times
