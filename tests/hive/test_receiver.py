"""The receiver lets in what a forge signed, writes it down once, and keeps the rest out."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import pytest

from forge.webhook import MAX_BODY, sign
from hive.ledger import AuditRow, Ledger, Scope, SuspensionReason
from hive.web import IngestDeps, Receiver, ReceiverLimits, WebhookEndpoint
from hive.web.http_messages import Connection
from hive.web.limits import worst_first
from hive.web.receiver import listen_tcp
from tests.conftest import Clock

SECRET, OLD = b"new-secret", b"old-secret"


@dataclass
class Site:
    """A receiver on a port, and how often it woke somebody."""

    port: int
    ledger: Ledger
    woken: list[int] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=120)) as client:
            client.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
            answer = client.getresponse()
            return answer.status, answer.read()

    def post(
        self,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        secret: bytes = SECRET,
        door: str = "forgejo",
        uuid: str = "u1",
    ) -> int:
        """Send a delivery; returns the status."""
        given = {
            "X-Forgejo-Event-Type": "issues",
            "X-Forgejo-Delivery": uuid,
            "X-Forgejo-Signature": sign(secret, body),
            **(headers or {}),
        }
        sent = {name: value for name, value in given.items() if value != "-"}
        return self.ask("POST", f"/hook/{door}", body, sent)[0]

    def raw(self, *pieces: bytes) -> bytes:
        """Send bytes as they are, with a pause between pieces; returns all that is said until the end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as sock:
            for piece in pieces:
                sock.sendall(piece)
                time.sleep(0.01)
            said = b""
            while data := sock.recv(65536):
                said += data
            return said

    @property
    def rows(self) -> list[AuditRow]:
        """The audit log."""
        return self.ledger.audit.after(0)

    @property
    def stored(self) -> list[bytes]:
        """The bodies that were taken in."""
        return [delivery.body for _, delivery in self.ledger.deliveries.unread(1000)]


@contextmanager
def receiving(
    ledger: Ledger, troubles: Callable[[], list[str]] = list, *, bounds: ReceiverLimits | None = None
) -> Iterator[Site]:
    """A receiver for one forge, with two secrets while one is rotated."""
    woken: list[int] = []
    doors = {"forgejo": WebhookEndpoint(lambda: (SECRET, OLD), frozenset({"issues"}))}
    sock = listen_tcp("127.0.0.1", 0)
    receiver = Receiver(sock, IngestDeps(ledger, doors, wake=lambda: woken.append(1)), troubles, bounds)
    port = int(sock.getsockname()[1])
    receiver.start()
    yield Site(port, ledger, woken)
    receiver.stop()


@pytest.fixture
def receiver(ledger: Ledger) -> Iterator[Site]:
    """A receiver that is up."""
    with receiving(ledger) as site:
        yield site


def body(owner: str = "acme", number: int = 1) -> bytes:
    """A delivery's body."""
    return json.dumps({"owner": owner, "number": number}).encode()


def delivery(uuid: str = "u1", data: bytes = b"") -> bytes:
    """A delivery as bytes on the wire."""
    data = data or body()
    return (
        f"POST /hook/forgejo HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\nX-Forgejo-Event-Type: issues\r\n"
        f"X-Forgejo-Delivery: {uuid}\r\nX-Forgejo-Signature: {sign(SECRET, data)}\r\n\r\n"
    ).encode() + data


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_signed_deliveries_are_taken_in(receiver: Site, secret: bytes) -> None:
    """202, stored whole, and somebody is woken to read it."""
    assert receiver.post(body(), secret=secret) == 202
    assert receiver.stored == [body()]
    assert receiver.woken == [1]
    assert receiver.rows == []


def test_five_times_is_once(receiver: Site) -> None:
    """The same delivery again is 202 and stored once."""
    assert [receiver.post(body()) for _ in range(5)] == [202] * 5
    assert receiver.stored == [body()]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Forgejo-Signature": "0" * 64}, 401),
        ({"X-Forgejo-Signature": ""}, 401),
        ({"X-Forgejo-Signature": "-"}, 401),
        ({"X-Forgejo-Signature": "\xfc"}, 401),
        ({"X-Forgejo-Signature": "-", "X-Hub-Signature-256": "sha256="}, 401),
        ({"X-Forgejo-Event-Type": "-"}, 400),
        ({"X-Forgejo-Delivery": "-"}, 400),
    ],
)
def test_what_is_no_delivery_stays_out(receiver: Site, headers: dict[str, str], status: int) -> None:
    """One row says that it was refused; nothing else happens."""
    assert receiver.post(body(), headers) == status
    (row,) = receiver.rows
    assert (row.action, row.detail["status"]) == ("request_rejected", status)
    assert receiver.stored == []


def test_github_form_of_the_signature(receiver: Site) -> None:
    """The same digest under the other header opens the same door."""
    signature = "sha256=" + sign(SECRET, body())
    assert receiver.post(body(), {"X-Forgejo-Signature": "-", "X-Hub-Signature-256": signature}) == 202


@pytest.mark.parametrize("data", [b"", b"not json", b"\xff", b"[1", b"{", b"payload=%7B%7D", b"[" * 100_000])
def test_broken_bodies_are_refused(receiver: Site, data: bytes) -> None:
    """What is signed and no JSON object, as of a webhook that sends forms, is 400, once in the log, and stored nowhere."""
    assert receiver.post(data) == 400
    (row,) = receiver.rows
    assert row.detail["status"] == 400
    assert receiver.stored == []


def test_too_large(receiver: Site) -> None:
    """A body above the limit is refused unread."""
    assert receiver.post(b"x" * (MAX_BODY + 1)) == 413
    (row,) = receiver.rows
    assert row.detail["status"] == 413
    assert receiver.stored == []


def test_unknown_events_are_ignored(receiver: Site) -> None:
    """202, since a forge can do nothing with another answer; one row."""
    assert receiver.post(body(), {"X-Forgejo-Event-Type": "wiki"}) == 202
    (row,) = receiver.rows
    assert row.action == "delivery_ignored"
    assert receiver.stored == []


def test_unknown_doors(receiver: Site) -> None:
    """A forge that is not configured has no door."""
    assert receiver.post(body(), door="gitea") == 404
    assert receiver.ask("GET", "/hook/forgejo")[0] == 405
    assert receiver.ask("GET", "/nothing")[0] == 404
    assert receiver.ask("POST", "/healthz", b"{}")[0] == 405


def test_health(receiver: Site) -> None:
    """Healthy means that the ledger can be written and no loop is late; what waits is said with its reason."""
    status, answer = receiver.ask("GET", "/healthz")
    assert (status, json.loads(answer)) == (200, {"status": "ok"})
    receiver.ledger.suspensions.suspend(
        "acme", Scope.TEAM, "", SuspensionReason.FORGE_UNAVAILABLE, "forge unavailable: 502"
    )
    status, answer = receiver.ask("GET", "/healthz?all")
    assert status == 200
    assert json.loads(answer)["suspended"].startswith("acme: forge unavailable: 502, since 2")


def test_a_house_that_is_not_well_is_degraded(ledger: Ledger) -> None:
    """A loop that is late is said with 503; that the receiver itself answers is said all the same."""
    with receiving(ledger, lambda: ["work.sweep has finished nothing since noon"]) as receiver:
        status, answer = receiver.ask("GET", "/healthz")
        said = {"status": "degraded", "problems": ["work.sweep has finished nothing since noon"]}
        assert (status, json.loads(answer)) == (503, said)
        assert receiver.ask("GET", "/livez")[0] == 200


def test_one_connection_serves_many(receiver: Site) -> None:
    """Requests on one connection are answered in their order, sent behind one another or byte by byte."""
    pieces = delivery("u1") + delivery("u2") + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = delivery("u3").replace(b"Host: x", b"Host: x\r\nConnection: close")
    said = receiver.raw(pieces[:100], pieces[100:], *(last[i : i + 40] for i in range(0, len(last), 40)))
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"202", b"202", b"200", b"202"]
    assert len(receiver.stored) == 3


def line(text: bytes) -> bytes:
    """A head with one more line."""
    return b"POST /hook/forgejo HTTP/1.1\r\nHost: x\r\n" + text + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"POST http://x/hook/forgejo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST /hook/forgejo HTTP/3\r\nHost: x\r\n\r\n", 400),
        (b"POST /hook/forgejo HTTP/2.0\r\nHost: x\r\n\r\n", 400),
        (b"POST /hook/forgejo\r\n\r\n", 400),
        (b"POST  /hook/forgejo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST /hook/forgejo#x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST /hook\0/forgejo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST /h\xc3\xb6k/forgejo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"BREW /hook/forgejo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"DESCRIBE /hook/forgejo RTSP/1.0\r\nHost: x\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n", 400),
        (line(b"Host: x"), 400),
        (line(b"host: y"), 400),
        (line(b"no header"), 400),
        (line(b": no name"), 400),
        (line(b"X: a\r\n folded"), 400),
        (line(b"X: a\0b"), 400),
        (line(b"X: a\x01b"), 400),
        (line(b"X: a\rY: b"), 400),
        (line(b"X: a\nY: b"), 400),
        (b"GET /healthz HTTP/1.1\nHost: x\r\n\r\n", 400),
        (line(b"Content-Length : 1"), 400),
        (line(b"Content-Length: -1"), 400),
        (line(b"Content-Length: +1"), 400),
        (line(b"Content-Length: 0x1"), 400),
        (line(b"Content-Length:"), 400),
        (line(b"Content-Length: 1, 1"), 400),
        (line(b"Content-Length: 1\r\nContent-Length: 1"), 400),
        (line(b"Content-Length: 1\r\nContent-Length: 2"), 400),
        (line(b"Content-Length: 9" + b"9" * 40), 400),
        (line(b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
        (line(b"Transfer-Encoding: chunked\r\nContent-Length: 1"), 400),
        (line(b"Content-Length: 1\r\nTransfer-Encoding: chunked"), 400),
        (line(b"Transfer-Encoding: identity"), 400),
        (line(b"Transfer-Encoding:\x0bchunked"), 400),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 20_000, 431),
        (line(b"Content-Length: 99999999") + b"x" * 500_000, 413),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_no_request_ends_alone(receiver: Site, sent: bytes, status: int) -> None:
    """It is answered as RFC 9112 says, its connection ends, and the next one is served."""
    assert receiver.raw(sent).startswith(f"HTTP/1.1 {status} ".encode())
    assert receiver.post(body()) == 202


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Close\r\n\r\n",
        b"\r\nGET /healthz?x=1 HTTP/1.1\r\nhOST: x\r\nX:\r\nY: \xfc\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: h2c\r\n\r\n",
    ],
)
def test_what_is_a_request_is_one(receiver: Site, head: bytes) -> None:
    """Old clients, odd spellings and offers of other protocols are answered, and the connection ends where it was asked to."""
    assert receiver.raw(head).startswith(b"HTTP/1.1 200 ")


def test_two_signatures_are_none(receiver: Site) -> None:
    """A header that came twice is not the first of the two, nor the second."""
    data = body()
    twice = delivery().replace(b"X-Forgejo-Signature: ", b"X-Forgejo-Signature: 00\r\nX-Forgejo-Signature: ", 1)
    assert receiver.raw(twice.replace(b"Host: x", b"Host: x\r\nConnection: close")).startswith(b"HTTP/1.1 401 ")
    assert receiver.post(data) == 202


def test_refusals_are_counted(receiver: Site, clock: Clock) -> None:
    """Thousands of requests without a signature are two rows for the minute: the first one, and how many were like it."""
    with closing(HTTPConnection("127.0.0.1", receiver.port, timeout=120)) as client:
        for number in range(300):
            client.request("POST", f"/hook/forgejo?{number}", body(), {"X-Forgejo-Event-Type": "issues"})
            assert client.getresponse().read()
    assert len(receiver.rows) == 1
    clock.pass_(61)
    assert receiver.post(body(), {"X-Forgejo-Signature": "-"}) == 401
    assert [row.detail.get("times") for row in receiver.rows if row.action == "request_rejected"][:2] == [None, 299]


SMALL = ReceiverLimits(connections=40, held=1 << 20)


def test_slow_connections_make_room(ledger: Ledger) -> None:
    """However many say nothing or too little, each delivery that is sent is taken in, and one that keeps its connection keeps it."""
    with receiving(ledger, bounds=SMALL) as receiver, ExitStack() as stack:
        honest = stack.enter_context(closing(HTTPConnection("127.0.0.1", receiver.port, timeout=120)))
        for number in range(8):
            for slow in (b"", b"POST /hook", delivery(f"x{number}")[:-1], b"GET /" + b"x" * 9000) * 10:
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", receiver.port), timeout=120))
                with suppress(ConnectionError):
                    sock.sendall(slow)
            data = body(number=number)
            headers = {"X-Forgejo-Event-Type": "issues", "X-Forgejo-Signature": sign(SECRET, data)}
            honest.request("POST", "/hook/forgejo", data, {**headers, "X-Forgejo-Delivery": f"kept{number}"})
            answer = honest.getresponse()
            assert (answer.status, answer.read()) == (202, b'{"status": "accepted"}\n')
            assert receiver.post(data, uuid=f"new{number}") == 202
        assert len(receiver.stored) == 16


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /hook", delivery()[:-1], delivery() + b"POST /"],
    ids=["nothing", "half a head", "half a body", "half a second one"],
)
def test_what_does_not_come_is_not_waited_for(ledger: Ledger, sent: bytes) -> None:
    """A connection that brings no request in its time is closed, and others are served."""
    with receiving(ledger, bounds=ReceiverLimits(first_seconds=1.0, request_seconds=1.0)) as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=120) as sock:
            sock.sendall(sent)
            while sock.recv(1000):
                pass
        assert receiver.post(body(), uuid="next") == 202


def test_bodies_that_do_not_come_make_room(ledger: Ledger) -> None:
    """What is held of unfinished bodies is bounded, and the one that is whole is taken in."""
    with receiving(ledger, bounds=SMALL) as receiver, ExitStack() as stack:
        large = delivery("large", b'{"a": "' + b"x" * 400_000 + b'"}')
        for _ in range(12):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", receiver.port), timeout=120))
            with suppress(ConnectionError):
                sock.sendall(large[:-10])
        assert receiver.post(b'{"a": "' + b"y" * 400_000 + b'"}', uuid="whole") == 202


def test_who_makes_room(receiver: Site) -> None:
    """Unproven before proven, then whoever has most, then whoever waits longest: a forge behind a proxy is one peer with everything."""
    with socket.socket() as sock:
        many = [Connection(sock, "10.0.0.1", since, 0.0) for since in (3.0, 1.0, 2.0)]
        proven = Connection(sock, "10.0.0.1", 0.0, 0.0, proven=True)
        alone = Connection(sock, "10.0.0.2", 0.0, 0.0)
        order = worst_first([proven, alone, *many], lambda _: 1)
    assert [(c.peer, c.since, c.proven) for c in order] == [
        ("10.0.0.1", 1.0, False),
        ("10.0.0.1", 2.0, False),
        ("10.0.0.1", 3.0, False),
        ("10.0.0.2", 0.0, False),
        ("10.0.0.1", 0.0, True),
    ]


def test_answers_that_are_not_fetched_are_not_piled_up(receiver: Site) -> None:
    """A client that asks and asks and does not listen is not listened to either, and everybody else is."""
    ask = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000_000
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=2) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises((TimeoutError, ConnectionError)):
            sock.sendall(ask)
        assert receiver.post(body()) == 202


def test_bodies_that_are_announced_are_waited_for(receiver: Site) -> None:
    """A client that asks whether it may send its body is told to."""
    head, _, data = delivery().partition(b"\r\n\r\n")
    head = head.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue\r\nConnection: close")
    said = receiver.raw(head + b"\r\n\r\n", data)
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 ")


def test_clients_that_leave_take_nothing_along(receiver: Site) -> None:
    """A delivery that was sent whole is stored though nobody waits for the answer; half a one is not."""
    for data in (delivery("whole"), delivery("half")[:-5]):
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=120) as sock:
            sock.sendall(data)
    until = time.monotonic() + 120
    while not receiver.stored and time.monotonic() < until:
        time.sleep(0.01)
    assert receiver.post(body(), uuid="next") == 202
    assert len(receiver.stored) == 2


def test_many_at_once_are_stored_each(receiver: Site) -> None:
    """Deliveries on many connections share transactions; each one that was answered is there."""
    statuses: list[int] = []

    def send(number: int) -> None:
        statuses.extend(receiver.post(body(number=number * 10 + turn), uuid=f"{number}-{turn}") for turn in range(5))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 80
    assert len(set(receiver.stored)) == 80


def test_what_cannot_be_written_is_not_accepted(ledger: Ledger, tmp_path: Path) -> None:
    """While the ledger cannot be written the answer is 503, and afterwards deliveries are taken in again."""
    with receiving(ledger) as receiver:
        with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as db:
            db.execute("ALTER TABLE deliveries RENAME TO elsewhere")
            assert receiver.post(body()) == 503
            db.execute("ALTER TABLE elsewhere RENAME TO deliveries")
        db.close()
        assert receiver.post(body()) == 202
        assert receiver.stored == [body()]


def test_a_ledger_that_somebody_holds_is_not_waited_for_long(ledger: Ledger, tmp_path: Path) -> None:
    """A forge hears 503 while it still listens, health says so meanwhile, and nothing is taken for stored that is not."""
    ledger.wait_at_most(0.2)
    with receiving(ledger) as receiver, closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert receiver.post(body()) == 503
        assert receiver.ask("GET", "/livez")[0] == 200
        status, answer = receiver.ask("GET", "/healthz")
        assert (status, json.loads(answer)["problems"]) == (503, ["the ledger cannot be written: database is locked"])
        other.execute("ROLLBACK")
        assert receiver.stored == []
        assert receiver.post(body()) == 202
        assert receiver.stored == [body()]
