"""What comes to a container's sockets is bounded before it is read, and what is refused is on record."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge.models import Repo
from hive.agent.broker_client import BrokerClient
from hive.agent.errors import HostUnavailable, LeaseLost
from hive.agent.model_client import ModelClient as Asking
from hive.agent.unix_http import UnixHTTPClient
from hive.config import EVERYDAY
from hive.gateway import broker, model_proxy
from hive.gateway.admission import MAX_VALUES, NOT_THE_HARNESS, Bucket, CallRule, Denied, Gate, Guard, json_object
from hive.gateway.agent_backoff import AgentBackoff
from hive.gateway.agent_session import AgentSession
from hive.gateway.broker import MAX_ASKING
from hive.gateway.calls import MAX_CALL
from hive.gateway.git_calls import MAX_FETCH
from hive.gateway.llm import Model
from hive.gateway.model_proxy import MAX_REQUEST
from hive.gateway.outbound import Outbound
from hive.gateway.wsgi_server import MAX_CONNECTIONS, Server
from hive.git_mirror.mirror import Login
from hive.ledger import AuditRow, Ledger
from hive.ledger.rejection_log import MAX_KINDS, OTHERS
from hive.unix_socket import listen_unix
from tests.conftest import Clock
from tests.hive.test_broker import routed

DEAD = "a-token-that-is-over"
LARGE = 40_000_000
KEY = "the-key-of-the-container"
CALLS = [("forge", "/v1/comment"), ("forge", "/git/acme/app.git/git-receive-pack"), ("model", "/v1/messages")]


@dataclass
class Cell:
    """The two sockets of one agent, as programs in its container see them."""

    agent: str
    folder: Path
    ledger: Ledger

    def connect(self, name: str) -> socket.socket:
        """A connection to one of them."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(60)
        sock.connect(str(self.folder / f"{name}.sock"))
        return sock

    def say(self, name: str, *pieces: bytes) -> bytes:
        """Send bytes as they are; returns what is said until the end, or until nobody listens to more."""
        with self.connect(name) as sock:
            try:
                for piece in pieces:
                    sock.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass
            said = b""
            while data := sock.recv(65536):
                said += data
            return said

    def post(self, name: str, path: str, token: str = "", body: bytes = b"{}") -> bytes:
        """One whole call."""
        return self.say(name, head(path, token, len(body)) + body)

    def token(self) -> str:
        """The token of a turn."""
        self.ledger.runs.start("acme", self.agent, "forgejo:acme/app#1", self.agent, "do it")
        turn = self.ledger.runs.claim(self.agent)
        assert turn is not None
        return turn.token

    @property
    def refusals(self) -> list[AuditRow]:
        """What was recorded of refused calls."""
        return [row for row in self.ledger.audit.after(0, 5000) if row.action == "request_rejected"]


def head(path: str, token: str = "", length: int | None = None, *more: str, close: bool = True) -> bytes:
    """The head of a call; without a length its body comes in chunks."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", *more]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += ["Transfer-Encoding: chunked"] if length is None else [f"Content-Length: {length}"]
    lines += ["Connection: close"] if close else []
    return "\r\n".join([*lines, "", ""]).encode()


def status(said: bytes) -> int:
    """The status of an answer."""
    found = re.match(rb"HTTP/1\.[01] (\d+) ", said)
    return int(found[1]) if found else 0


def fields(said: bytes) -> dict[str, str]:
    """The headers of an answer."""
    lines = said.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@contextmanager
def dirs(
    ledger: Ledger, folder: Path, agent: str, *, calls_a_minute: int = 100_000, grace: float = 60
) -> Iterator[Cell]:
    """An agent's sockets, with the host's side of them."""
    folder.mkdir()
    stop = threading.Event()
    guard = Guard(ledger, "acme", agent, calls_a_minute=calls_a_minute, opens=lambda key: key == KEY)
    rest = AgentBackoff(ledger, "acme", agent, "core", Repo("forgejo", "hive", "ops"))
    principal = AgentSession(
        agent=agent,
        team="acme",
        login=lambda: Login(agent, "t"),
        forge_url="http://127.0.0.1:1",
        config_repo=Repo("forgejo", "agent-configs", agent),
        ledger=ledger,
        wake=lambda _: None,
        heard=lambda *_: None,
        epoch=lambda: 1,
        stop=stop,
        rest=rest,
        base=lambda _: "main",
        brief=lambda turn: {"message": turn.message},
        capabilities=lambda: frozenset(EVERYDAY),
        outbound=Outbound(ledger, "acme", "iris", "core", Repo("forgejo", "hive", "ops")),
    )
    upstream = model_proxy.Upstream(routed(Model(url="http://127.0.0.1:1")), lambda: ("m",), rest)
    apps: dict[str, Any] = {
        "forge": (broker.create(principal, guard), broker.gate(guard)),
        "model": (model_proxy.create(upstream, guard), model_proxy.gate(guard)),
    }
    with ExitStack() as stack:
        for name, (app, gate) in apps.items():
            server = Server(app, listen_unix(folder / f"{name}.sock"), gate, threads=2, grace=grace)
            server.start()
            stack.callback(server.stop)
        stack.callback(stop.set)
        yield Cell(agent, folder, ledger)


@pytest.fixture
def iris(ledger: Ledger, tmp_path: Path) -> Iterator[Cell]:
    """The sockets of iris."""
    with dirs(ledger, tmp_path / "iris", "iris") as made:
        yield made


@pytest.mark.parametrize("length", [LARGE, None], ids=["announced", "chunked"])
@pytest.mark.parametrize("token", ["", DEAD])
@pytest.mark.parametrize(("name", "path"), CALLS)
def test_nothing_is_read_without_a_token(iris: Cell, name: str, path: str, token: str, length: int | None) -> None:
    """The answer comes when the head is there: not one byte of the body was sent."""
    assert status(iris.say(name, head(path, token, length))) == 401


@pytest.mark.parametrize(("name", "path"), CALLS)
def test_who_sends_on_still_hears_the_answer(iris: Cell, name: str, path: str) -> None:
    """A client that sends its whole body before it listens learns why it was refused, as far as it could have been a call."""
    said = iris.say(name, head(path, DEAD, MAX_REQUEST), b"[" * MAX_REQUEST)
    assert status(said) == 401
    assert b"this run is over" in said


def test_a_run_learns_that_it_sent_too_much(iris: Cell) -> None:
    """Whoever has a run's token and sends far too much hears so, and can make it shorter."""
    assert status(iris.say("model", head("/v1/messages", iris.token(), LARGE), b"[" * LARGE)) == 413


@pytest.mark.parametrize(
    ("name", "path", "limit"), [("forge", "/v1/comment", MAX_CALL), ("model", "/v1/messages", MAX_REQUEST)]
)
def test_bodies_are_bounded_with_a_token(iris: Cell, name: str, path: str, limit: int) -> None:
    """What announces too much is refused by its head, what brings too much in chunks where it is too much."""
    token = iris.token()
    assert status(iris.say(name, head(path, token, limit + 1))) == 413
    chunk = b"10000\r\n" + b"[" * 0x10000 + b"\r\n"
    assert status(iris.say(name, head(path, token), *[chunk] * (limit // 0x10000 + 2))) == 413
    assert {row.detail["status"] for row in iris.refusals} == {413}


def test_the_call_without_a_run_is_tiny(iris: Cell) -> None:
    """Asking for a turn needs the container's key only, and brings next to nothing."""
    asked = json.dumps({"generation": "g", "wait": 0}).encode()
    assert status(iris.post("forge", "/v1/turn", KEY, asked)) == 204
    assert status(iris.say("forge", head("/v1/turn", KEY, MAX_ASKING + 1))) == 413


def test_a_turn_is_given_to_the_harness_only(iris: Cell, ledger: Ledger) -> None:
    """Commands find the way to the broker too: without the container's key they get no turn, and take none away."""
    token = iris.token()
    asked = json.dumps({"generation": "g", "wait": 0}).encode()
    for key in ("", token, KEY[:-1], f"{KEY}x", "\u00e9"):
        said = iris.post("forge", "/v1/turn", key, asked)
        assert (status(said), NOT_THE_HARNESS in said.decode()) == (403, True)
    assert status(iris.post("forge", "/v1/beat", token)) == 200, "it holds its turn as before"
    assert ledger.runs.due_run("iris") is None
    assert {row.detail["status"] for row in iris.refusals} == {403}
    assert status(iris.post("forge", "/v1/beat", KEY)) == 401, "a key is no run's token"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *(("forge", "/v1/merge"), ("forge", "/v1/messages"), ("forge", "/"), ("model", "/v1/complete")),
        *(("model", "/v1/files"), ("model", "/v1/messages/batches"), ("model", "/v1/turn")),
    ],
)
def test_what_is_no_call_is_not_read(iris: Cell, name: str, path: str) -> None:
    """A path that is not served, on this socket, is refused by its head."""
    assert status(iris.say(name, head(path, iris.token(), LARGE))) == 404


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /v1/beat HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
        b"POST /v1/beat HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET /v1/beat HTTP/1.1\r\nX: " + b"x" * 20_000,
    ],
)
def test_what_is_no_request_is_answered(iris: Cell, raw: bytes) -> None:
    """Nonsense is refused in the socket's own form, and recorded."""
    said = iris.say("forge", raw)
    assert status(said) in (400, 431, 501)
    assert "error" in json.loads(said.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[" * 100_000, 400),
        (b'{"a":' * 100_000, 400),
        (b"[" + b"[]," * (MAX_VALUES // 2) + b"[]]", 413),
        (b'{"n": ' + b"9" * 5000 + b"}", 400),
        (b'{"n": NaN}', 400),
        (b'{"n": "\xed\xa0\x80"}', 400),
        (b"\xff\xfe{\x00}\x00", 400),
        (b"[]", 400),
        (b"", 400),
        (b'{"n": 1}', 0),
    ],
    ids=lambda value: str(value)[:20],
)
def test_json_is_an_object_of_bounded_size(body: bytes, expected: int) -> None:
    """Whatever is nested, long or no JSON is refused in words, and never a fault of ours."""
    if not expected:
        assert json_object(body) == {"n": 1}
        return
    with pytest.raises(Denied) as caught:
        json_object(body)
    assert caught.value.status == expected


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\ud8001dc0e', max_size=200).map(str.encode))
def test_any_body_is_an_object_or_denied(body: bytes) -> None:
    """No body makes anything else of it, and what it becomes can be sent on."""
    try:
        found = json_object(body)
    except Denied:
        return
    json.dumps(found, ensure_ascii=False).encode()


def test_half_a_surrogate_pair_is_fixed() -> None:
    """A text that was cut in the middle of a sign can be sent on; a whole pair stays what it is."""
    assert json_object(b'{"cut": "a\\ud83d", "whole": "\\ud83d\\ude00", "\\uDC00": 1}') == {
        "cut": "a\ufffd",
        "whole": "\U0001f600",
        "\ufffd": 1,
    }


@pytest.mark.parametrize("body", [b'{"generation": "g", "wait": 1e999}', b'{"generation": "g", "wait": "1"}'])
def test_numbers_are_numbers(iris: Cell, body: bytes) -> None:
    """What is no number, or none of this world, is a bad request."""
    assert status(iris.post("forge", "/v1/turn", KEY, body)) == 400


def test_a_flood_stays_with_its_agent(ledger: Ledger, tmp_path: Path) -> None:
    """An agent whose sockets are full of half-sent bodies keeps no other waiting, nor its own next call."""
    with dirs(ledger, tmp_path / "iris", "iris") as iris, dirs(ledger, tmp_path / "atlas", "atlas") as atlas:
        token, other = iris.token(), atlas.token()
        with ExitStack() as stack:
            for number in range(3 * MAX_CONNECTIONS):
                name, path = CALLS[number % len(CALLS)]
                sock = stack.enter_context(iris.connect(name))
                sock.sendall(head(path, token, 1_000_000) + b"[" * 100_000)
            assert status(atlas.post("forge", "/v1/beat", other)) == 200
            assert status(atlas.post("model", "/v1/messages", other)) == 400
            assert status(iris.post("forge", "/v1/beat", token)) == 200


def test_threads_of_one_agent_are_its_own(ledger: Ledger, tmp_path: Path) -> None:
    """While all threads of an agent's socket wait for a turn, another agent is answered."""
    asked = json.dumps({"generation": "g", "wait": 20}).encode()
    with ExitStack() as stack:
        iris = stack.enter_context(dirs(ledger, tmp_path / "iris", "iris"))
        atlas = stack.enter_context(dirs(ledger, tmp_path / "atlas", "atlas"))
        for _ in range(8):
            sock = stack.enter_context(iris.connect("forge"))
            sock.sendall(head("/v1/turn", KEY, len(asked)) + asked)
        assert status(atlas.post("forge", "/v1/beat", atlas.token())) == 200


def test_what_comes_too_slowly_is_closed(ledger: Ledger, tmp_path: Path) -> None:
    """Neither a head nor a body may take for ever."""
    with dirs(ledger, tmp_path / "iris", "iris", grace=0.5) as iris:
        whole = head("/v1/comment", iris.token(), 1000)
        for piece in (b"POST /v1/beat HT", whole[:40], whole + b"{"):
            with iris.connect("forge") as sock:
                sock.sendall(piece)
                assert sock.recv(1000) == b""


def test_a_refused_call_is_one_row(iris: Cell) -> None:
    """Reuse of a dead token, a wrong path, a foreign repository and a bad form: each one row, with the call's id."""
    token = iris.token()
    said = [
        iris.post("forge", "/v1/comment", DEAD),
        iris.post("model", "/v1/messages", DEAD),
        iris.post("forge", "/v1/merge", token),
        iris.post("forge", "/git/acme/other.git/git-upload-pack", token),
        iris.post("forge", "/v1/comment", token),
    ]
    assert [status(answer) for answer in said] == [401, 401, 404, 403, 400]
    rows = {row.detail["request"]: row for row in iris.refusals}
    ids = [fields(answer)["x-request-id"] for answer in said]
    assert len(set(ids)) == 5
    assert [rows[name].detail["status"] for name in ids if name in rows] == [401, 404, 403, 400]
    assert (rows[ids[0]].actor, rows[ids[0]].team, rows[ids[0]].detail["call"]) == ("iris", "acme", "POST /v1/comment")
    assert not any(DEAD in str(dict(row.detail)) for row in iris.refusals)


def test_repeated_refusals_are_counted(iris: Cell, clock: Clock) -> None:
    """The same refusal again is one more row for the minute, with how often it was."""
    for _ in range(20):
        iris.post("forge", "/v1/comment", DEAD)
    assert len(iris.refusals) == 1
    clock.pass_(61)
    iris.post("forge", "/v1/comment", DEAD)
    assert [row.detail.get("times") for row in iris.refusals] == [None, 19, None]


def test_kinds_of_refusal_are_bounded(ledger: Ledger, clock: Clock) -> None:
    """Who varies what is refused cannot fill the audit log."""
    guard = Guard(ledger, "acme", "iris")
    for number in range(1000):
        guard.refuse("GET /", "r", Denied(403, f"{number} is not a repository of this run"))
    clock.pass_(61)
    guard.refusals.flush()
    rows = ledger.audit.after(0, 5000)
    assert len(rows) == MAX_KINDS + 2
    assert (rows[-1].detail["why"], rows[-1].detail["times"]) == (OTHERS, 1000 - MAX_KINDS - 1)


def test_the_harness_knows_what_it_lost(iris: Cell) -> None:
    """A token that is over is no fault of the model's and no end of the turn: whoever has it now will tell that."""
    with pytest.raises(LeaseLost):
        Asking(UnixHTTPClient(iris.folder / "model.sock"), DEAD, "m", "s", ()).reply(
            [{"role": "user", "content": "hi"}]
        )
    with pytest.raises(LeaseLost):
        BrokerClient(UnixHTTPClient(iris.folder / "forge.sock"), DEAD).beat()


def test_the_harness_waits_where_it_is_too_fast(ledger: Ledger, tmp_path: Path) -> None:
    """429 is not for ever: the call is made again when the host says."""
    with dirs(ledger, tmp_path / "iris", "iris", calls_a_minute=60) as iris:
        broker_ = BrokerClient(UnixHTTPClient(iris.folder / "forge.sock"), iris.token())
        for _ in range(60):
            broker_.beat()
        with pytest.raises(HostUnavailable) as caught:
            broker_.beat()
        assert caught.value.retry_after >= 1


def test_a_fetch_brings_little(iris: Cell) -> None:
    """What git asks for by GET has no body, and what it says of what it has is no push."""
    token = iris.token()
    get = head("/git/acme/app.git/info/refs?service=git-upload-pack", token, 1).replace(b"POST", b"GET", 1)
    assert status(iris.say("forge", get)) == 413
    assert status(iris.say("forge", head("/git/acme/app.git/git-upload-pack", token, MAX_FETCH + 1))) == 413


def test_an_agent_has_a_rate(ledger: Ledger, tmp_path: Path, clock: Clock) -> None:
    """Beyond it calls on both sockets are 429 and say when to come again; another agent has its own."""
    with (
        dirs(ledger, tmp_path / "iris", "iris", calls_a_minute=60) as iris,
        dirs(ledger, tmp_path / "atlas", "atlas", calls_a_minute=60) as atlas,
    ):
        token = iris.token()
        assert [status(iris.post("forge", "/v1/beat", token)) for _ in range(60)] == [200] * 60
        for name, path in (("forge", "/v1/beat"), ("model", "/v1/messages")):
            said = iris.post(name, path, token)
            assert (status(said), int(fields(said)["retry-after"]) > 0) == (429, True)
        assert status(atlas.post("forge", "/v1/beat", atlas.token())) == 200
        clock.pass_(60)
        assert status(iris.post("forge", "/v1/beat", token)) == 200
        assert [row.detail["status"] for row in iris.refusals] == [429]


def test_a_bucket_fills_up_and_goes_into_debt(clock: Clock) -> None:
    """It holds a minute's worth, gives it back at its rate, and a clock that is set back takes nothing."""
    bucket = Bucket(60, clock)
    assert [bucket.take() for _ in range(61)][-1] > 0
    for _ in range(200):
        bucket.take()
    assert bucket.is_overdrawn
    clock.pass_(-1000)
    assert bucket.is_overdrawn
    clock.pass_(100)
    assert bucket.take() > 0
    clock.pass_(1000)
    assert [bucket.take() for _ in range(60)] == [0.0] * 60


@pytest.mark.parametrize("call", [lambda c: c.post("forge", "/v1/beat", DEAD), lambda c: c.post("model", "/", DEAD)])
def test_a_ledger_in_use_keeps_nobody_from_being_refused(
    ledger: Ledger, tmp_path: Path, call: Callable[[Cell], bytes]
) -> None:
    """What cannot be recorded is refused all the same, and what cannot be done is said to be worth another try."""
    ledger.wait_at_most(0.1)
    with (
        dirs(ledger, tmp_path / "iris", "iris") as iris,
        closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other,
    ):
        token = iris.token()
        other.execute("BEGIN IMMEDIATE")
        assert status(call(iris)) in (401, 404)
        assert status(iris.post("forge", "/v1/beat", token)) == 503
        other.execute("ROLLBACK")
        assert status(iris.post("forge", "/v1/beat", token)) == 200


def test_who_asks_whether_to_send_is_told(iris: Cell) -> None:
    """Git asks before it sends a large push: with a good token it may go on, without one it hears the refusal and nothing else."""
    whole = head("/v1/beat", iris.token(), 2, "Expect: 100-continue")
    with iris.connect("forge") as sock:
        sock.sendall(whole)
        assert sock.recv(25).startswith(b"HTTP/1.1 100 Continue")
        sock.sendall(b"{}")
        assert status(sock.recv(65536)) == 200
    assert status(iris.say("forge", head("/v1/beat", DEAD, 2, "Expect: 100-continue"))) == 401


def test_each_answer_bears_an_id_of_ours(iris: Cell) -> None:
    """Whatever a client says about it: an id cannot be forged into the log."""
    body = b"{}"
    said = iris.say("forge", head("/v1/beat", iris.token(), 2, "X-Request-Id: mine\tand more") + body)
    assert re.fullmatch(r"[0-9a-f]{16}", fields(said)["x-request-id"])


def test_many_calls_on_one_connection(iris: Cell) -> None:
    """A connection is kept for the next call, whose token is looked at anew."""
    token = iris.token()
    first, second = head("/v1/beat", token, 2, close=False) + b"{}", head("/v1/beat", DEAD, LARGE)
    until = time.monotonic() + 60
    with iris.connect("forge") as sock:
        sock.sendall(first + first)
        said = b""
        while said.count(b'"rest":false}') < 2 and time.monotonic() < until:
            said += sock.recv(65536)
        sock.sendall(second)
        assert status(sock.recv(65536)) == 401


def test_a_connection_survives_an_answer_in_chunks(ledger: Ledger, tmp_path: Path) -> None:
    """Its last chunk is its end: a client that loses what it has not read of a closed socket loses nothing."""

    def app(environ: dict[str, Any], start: Callable[..., object]) -> Iterator[bytes]:
        start("200 OK", [("Content-Type", "text/event-stream")])
        yield from (b"data: 1\n\n", b"data: 2\n\n")

    gate = Gate(Guard(ledger, "acme", "iris"), lambda *_: CallRule(9, is_open=True), model_proxy.form)
    server = Server(app, listen_unix(tmp_path / "a.sock"), gate, threads=1)
    server.start()
    try:
        with Cell("iris", tmp_path, ledger).connect("a") as sock:
            for _ in range(2):
                sock.sendall(head("/", "", 0, close=False))
                said = b""
                while not said.endswith(b"0\r\n\r\n"):
                    said += sock.recv(65536)
                assert fields(said).get("connection") is None
                assert said.count(b"data: ") == 2
            sock.sendall(head("/", "", 0))
            while data := sock.recv(65536):
                said = data
        assert said.endswith(b"0\r\n\r\n")
    finally:
        server.stop()
