"""The receiver's limits: whoever is slow or holds much ends alone, and nobody who keeps within them is cut off."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import pytest

from hive.ledger import Ledger
from hive.web import ReceiverLimits
from tests.hive.test_receiver import Site, body, delivery, receiving

LONG = 120.0
"""Seconds that nobody of this file waits for."""

ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HELD = 1 << 20


def connect(site: Site) -> socket.socket:
    """A connection that waits longer than any test."""
    return socket.create_connection(("127.0.0.1", site.port), timeout=2 * LONG)


def answer(sock: socket.socket) -> bytes:
    """The first line of what is said next; empty at the end, however that comes."""
    said = b""
    with suppress(ConnectionError):
        while b"\r\n\r\n" not in said and (data := sock.recv(1)):
            said += data
        head, _, _ = said.partition(b"\r\n")
        length = int(said.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0) if said else 0
        while length and (data := sock.recv(length)):
            length -= len(data)
        return head
    return b""


def ended(sock: socket.socket) -> bool:
    """Whether the other side ends a connection; waits for that."""
    return answer(sock) == b""


def is_open(sock: socket.socket) -> bool:
    """Whether the other side has not ended a connection, as far as is known now."""
    sock.settimeout(0.0)
    try:
        return bool(sock.recv(1))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        sock.settimeout(2 * LONG)


def drip(sock: socket.socket) -> None:
    """Send a byte now and then, as long as the other side takes them; raises ConnectionError when it does not."""
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        sock.sendall(b"x")
        time.sleep(0.1)


def large(uuid: str) -> bytes:
    """A delivery of 400,000 bytes."""
    return delivery(uuid, b'{"a": "' + b"x" * 400_000 + b'"}')


@dataclass
class Busy:
    """A receiver that does not say how it is before it may: whoever asks waits, and is known to."""

    site: Site
    is_asked: threading.Event
    may_answer: threading.Event

    def keep_waiting(self, sock: socket.socket) -> None:
        """Ask how it is, and see that the question has arrived."""
        sock.sendall(ASK)
        assert self.is_asked.wait(LONG)


@contextmanager
def busy(ledger: Ledger, limits: ReceiverLimits) -> Iterator[Busy]:
    """A receiver with these limits, answering nothing until the end."""
    is_asked, may_answer = threading.Event(), threading.Event()

    def troubles() -> list[str]:
        is_asked.set()
        may_answer.wait(2 * LONG)
        return []

    with receiving(ledger, troubles, bounds=limits) as site:
        try:
            yield Busy(site, is_asked, may_answer)
        finally:
            may_answer.set()


def test_silence_and_slowness_have_limits_of_their_own(ledger: Ledger) -> None:
    """Who says nothing is closed after the first limit, who does not finish a request after the second."""
    with (
        receiving(ledger, bounds=ReceiverLimits(first_seconds=2.0, request_seconds=LONG)) as site,
        connect(site) as slow,
    ):
        slow.sendall(b"POST /hook")
        with connect(site) as silent:
            assert ended(silent)
        assert is_open(slow)
    with (
        receiving(ledger, bounds=ReceiverLimits(first_seconds=LONG, request_seconds=1.0)) as site,
        connect(site) as silent,
    ):
        with connect(site) as slow:
            slow.sendall(b"POST /hook")
            assert ended(slow)
        assert is_open(silent)


def test_a_request_that_trickles_in_has_no_longer(ledger: Ledger) -> None:
    """Its time runs from its first byte, whatever comes after that."""
    limits = ReceiverLimits(first_seconds=LONG, request_seconds=1.0)
    with receiving(ledger, bounds=limits) as site, connect(site) as slow:
        slow.sendall(b"POST /hook/")
        with pytest.raises(ConnectionError):
            drip(slow)


def test_who_was_answered_may_be_idle(ledger: Ledger) -> None:
    """A connection that is kept for the next delivery is neither silent nor slow; a second request has its time again."""
    limits = ReceiverLimits(first_seconds=2.0, request_seconds=1.0)
    with receiving(ledger, bounds=limits) as site, connect(site) as kept:
        kept.sendall(delivery("kept"))
        assert answer(kept).endswith(b"202 Accepted")
        with connect(site) as half:
            half.sendall(delivery("half") + b"POST /")
            assert answer(half).endswith(b"202 Accepted")
            assert ended(half)
        with connect(site) as silent:
            assert ended(silent)
        assert is_open(kept)
        kept.sendall(delivery("again"))
        assert answer(kept).endswith(b"202 Accepted")


def test_who_waits_for_an_answer_is_not_slow(ledger: Ledger) -> None:
    """However long the answer takes: that is not the client's doing."""
    limits = ReceiverLimits(first_seconds=LONG, request_seconds=1.0)
    with busy(ledger, limits) as receiver, connect(receiver.site) as asking:
        receiver.keep_waiting(asking)
        with connect(receiver.site) as slow:
            slow.sendall(b"POST /")
            assert ended(slow)
        assert is_open(asking)
        receiver.may_answer.set()
        assert answer(asking).endswith(b"200 OK")


def test_who_was_bid_goodbye_is_closed(ledger: Ledger) -> None:
    """A client that keeps a connection which it wanted ended keeps it for a moment only."""
    with receiving(ledger) as site, connect(site) as stays:
        stays.sendall(ASK.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        assert answer(stays).endswith(b"200 OK")
        assert ended(stays)
        with pytest.raises(ConnectionError):
            drip(stays)


def test_what_was_answered_is_not_held(ledger: Ledger) -> None:
    """One connection, and one after another, may bring more than may be held at once."""
    with (
        receiving(ledger, bounds=ReceiverLimits(held=HELD)) as site,
        connect(site) as kept,
    ):
        for number in range(6):
            kept.sendall(large(f"kept{number}"))
            assert answer(kept).endswith(b"202 Accepted")
        for number in range(6):
            with connect(site) as one:
                one.sendall(large(f"one{number}"))
                assert answer(one).endswith(b"202 Accepted")


def test_what_was_broken_off_is_not_held(ledger: Ledger) -> None:
    """What clients that left had sent takes no room from one that is still sending."""
    with receiving(ledger, bounds=ReceiverLimits(held=HELD, request_seconds=LONG)) as site, connect(site) as slow:
        slow.sendall(large("slow")[:-10])
        for number in range(6):
            with connect(site) as leaves:
                leaves.sendall(large(f"left{number}")[:-10])
                leaves.shutdown(socket.SHUT_WR)
                assert ended(leaves)
        slow.sendall(large("slow")[-10:])
        assert answer(slow).endswith(b"202 Accepted")


def test_who_brought_something_holds_longer(ledger: Ledger) -> None:
    """Of those who hold too much together, whoever has brought a delivery before is cut off last."""
    with receiving(ledger, bounds=ReceiverLimits(held=HELD, request_seconds=LONG)) as site, ExitStack() as stack:
        proven = stack.enter_context(connect(site))
        proven.sendall(delivery("first"))
        assert answer(proven).endswith(b"202 Accepted")
        proven.sendall(large("second")[:-10])
        for number in range(6):
            other = stack.enter_context(connect(site))
            with suppress(ConnectionError):
                other.sendall(large(f"other{number}")[:-10])
        assert site.post(body(), uuid="new") == 202
        proven.sendall(large("second")[-10:])
        assert answer(proven).endswith(b"202 Accepted")


@pytest.mark.parametrize(("more", "stays"), [(1_000, True), (20_000, False)])
def test_little_is_held_behind_a_request(ledger: Ledger, more: int, *, stays: bool) -> None:
    """A next request may be sent before the answer; who sends on and on is closed."""
    with busy(ledger, ReceiverLimits()) as receiver, connect(receiver.site) as sock:
        receiver.keep_waiting(sock)
        with suppress(ConnectionError):
            sock.sendall(ASK.replace(b"Host: x", b"Host: x\r\nX: " + b"x" * more))
        if not stays:
            assert ended(sock)
            return
        receiver.may_answer.set()
        assert [answer(sock)[-6:] for _ in range(2)] == [b"200 OK", b"200 OK"]


def test_one_makes_room_for_one(ledger: Ledger) -> None:
    """Whoever has kept us waiting longest goes, and nobody beside it."""
    limits = ReceiverLimits(connections=2, first_seconds=LONG)
    with receiving(ledger, bounds=limits) as site, connect(site) as first, connect(site) as second:
        with connect(site) as late:
            late.sendall(ASK)
            assert answer(late).endswith(b"200 OK")
        assert ended(first)
        assert is_open(second)


def test_a_stop_waits_for_answers(ledger: Ledger) -> None:
    """What was asked before the end is answered, however long that takes; who has asked nothing is not waited for."""
    is_asked, may_answer = threading.Event(), threading.Event()

    def troubles() -> list[str]:
        is_asked.set()
        may_answer.wait(LONG)
        return []

    with ExitStack() as stack:
        with receiving(ledger, troubles, bounds=ReceiverLimits(first_seconds=LONG)) as site:
            silent, asking = (stack.enter_context(connect(site)) for _ in range(2))
            asking.sendall(delivery() + ASK)
            assert is_asked.wait(LONG)
            threading.Timer(0.5, may_answer.set).start()  # the stop begins now
        assert [answer(asking)[-3:] for _ in range(2)] == [b"ted", b" OK"]
        assert ended(silent)
        assert len(ledger.deliveries.unread()) == 1


def test_who_waits_for_an_answer_makes_no_room(ledger: Ledger) -> None:
    """Where all wait for answers it is the newcomer who has to come again."""
    with busy(ledger, ReceiverLimits(connections=1, first_seconds=LONG)) as receiver, connect(receiver.site) as first:
        receiver.keep_waiting(first)
        with connect(receiver.site) as late:
            assert ended(late)
        receiver.may_answer.set()
        assert answer(first).endswith(b"200 OK")


@pytest.mark.parametrize(
    ("size", "status"), [(16 * 1024, b"200 OK"), (16 * 1024 + 1, b"431 Request Header Fields Too Large")]
)
def test_a_head_has_sixteen_kibibytes(ledger: Ledger, size: int, status: bytes) -> None:
    """To its last byte, the empty line behind it aside, and not one more."""
    ask = ASK.replace(b"Host: x", b"Host: x\r\nX: ")
    ask = ask.replace(b"X: ", b"X: " + b"x" * (size + len(b"\r\n\r\n") - len(ask)))
    with receiving(ledger) as site, connect(site) as sock:
        sock.sendall(ask)
        assert answer(sock).endswith(status)
