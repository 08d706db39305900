"""The hive's tools by the Model Context Protocol: what clients ask, what models get wrong, and the way there."""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hive.agent.errors import LeaseLost, ToolError, TurnEnded
from hive.agent.mcp_protocol import UNSOUND, VERSIONS, McpSession
from hive.agent.mcp_server import MAX_LINE, ToolServer
from hive.agent.mcp_shim import connected
from hive.agent.tool_declarations import HIVE_TOOLS, Tool
from hive.agent.tools import Handler, Toolbox

COUNT = Tool("count", "Count something.", {"what": {"type": "string", "description": "What."}})


class Desk:
    """A toolbox of three tools, and the calls that were made."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = []
        box: dict[str, Handler] = {"count": self._count, "finish": self._finish}
        self.toolbox = Toolbox([COUNT, *(tool for tool in HIVE_TOOLS if tool.name == "finish")], box)

    def call(self, name: str, given: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
        self.calls.append((name, given, meta))
        return self.toolbox.call(name, given)

    @property
    def session(self) -> McpSession:
        return McpSession(self.toolbox.tools, self.call)

    @staticmethod
    def _count(what: str) -> str:
        if what == "lease":
            raise LeaseLost("gone")
        if what == "nothing":
            raise ToolError("There is nothing to count.")
        return f"3 {what}"

    @staticmethod
    def _finish(outcome: str, message: str) -> str:
        raise TurnEnded(outcome, message)


def request(method: str, params: object = None, *, number: object = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, **({} if params is None else {"params": params})}


def call(name: object, arguments: object = None) -> dict[str, Any]:
    return request("tools/call", {"name": name, **({} if arguments is None else {"arguments": arguments})})


def ask(session: McpSession, message: object) -> Any:
    """The answer to a message, as a value."""
    answer = session.answer(message if isinstance(message, bytes) else json.dumps(message).encode())
    return None if answer is None else json.loads(answer)


@pytest.mark.parametrize(
    ("wanted", "got"),
    [(version, version) for version in VERSIONS] + [("2099-01-01", VERSIONS[0]), (7, VERSIONS[0]), (None, VERSIONS[0])],
)
def test_version_is_negotiated(wanted: object, got: str) -> None:
    """A known version of the protocol is spoken as asked for, and otherwise the newest."""
    params = {"protocolVersion": wanted, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    told = ask(Desk().session, request("initialize", params))["result"]
    assert told["protocolVersion"] == got
    assert told["capabilities"] == {"tools": {"listChanged": False}}


def test_tools_are_listed_and_called() -> None:
    """A client sees each tool with the schema of its input, and the text that a call came to."""
    desk = Desk()
    session = desk.session
    assert ask(session, request("ping")) == {"jsonrpc": "2.0", "id": 1, "result": {}}
    listed = ask(session, request("tools/list", number="a"))
    assert listed["id"] == "a"
    assert [tool["name"] for tool in listed["result"]["tools"]] == ["count", "finish"]
    assert listed["result"]["tools"][0]["inputSchema"] == COUNT.schema
    asked = request("tools/call", {"name": "count", "arguments": {"what": "bees"}, "_meta": {"progressToken": 2}})
    assert ask(session, asked)["result"] == {"content": [{"type": "text", "text": "3 bees"}], "isError": False}
    assert desk.calls == [("count", {"what": "bees"}, {"progressToken": 2})]


@pytest.mark.parametrize(
    ("message", "learns"),
    [
        (call("dance"), "There is no tool dance; there are count, finish."),
        (call("count"), "count takes what; given were none."),
        (call("count", {"what": 3}), "what must be a text."),
        (call("count", {"what": "a", "why": "b"}), "count takes what; given were what, why."),
        (call("finish", {"outcome": "done", "message": "x"}), "outcome must be one of answered, blocked, no-op."),
        (call("count", {"what": "nothing"}), "There is nothing to count."),
        (call("count", {"what": "a\0b"}), UNSOUND.format(what="what")),
        (call("count", {"what": "a\ud800b"}), UNSOUND.format(what="what")),
    ],
)
def test_models_learn_what_was_wrong(message: dict[str, Any], learns: str) -> None:
    """A tool that does not exist, an input that does not fit and a tool that fails are results that a model reads."""
    result = ask(Desk().session, message)["result"]
    assert result["content"][0]["text"] == learns
    assert result["isError"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[" * 100 + b"]" * 100, -32600),
        (b"[]", -32600),
        (b"7", -32600),
        (request("dance"), -32601),
        ({"id": 1, "method": 7}, -32600),
        ({"id": 1}, -32600),
        (request("ping", number=None), -32600),
        (request("ping", number=[1]), -32600),
        (request("ping", params=[1]), -32602),
        (request("tools/list", {"cursor": "next"}), -32602),
        (call(7), -32602),
        (call("count", [1]), -32602),
    ],
)
def test_clients_learn_what_was_wrong(message: object, code: int) -> None:
    """What breaks the protocol is an error of the protocol, and no call is made."""
    desk = Desk()
    assert ask(desk.session, message)["error"]["code"] == code
    assert desk.calls == []


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        {"jsonrpc": "2.0", "id": 4, "result": {}},
        {"jsonrpc": "2.0", "id": 4, "error": {"code": 1, "message": "x"}},
    ],
)
def test_notifications_are_not_answered(message: object) -> None:
    """What is no request gets no answer."""
    assert ask(Desk().session, message) is None


def test_batches() -> None:
    """The requests of a batch are answered together, as 2025-03-26 wants it."""
    batch = [request("ping", number=1), {"method": "notifications/initialized"}, request("dance", number=2)]
    first, second = ask(Desk().session, batch)
    assert (first["result"], second["error"]["code"]) == ({}, -32601)
    assert ask(Desk().session, [{"method": "notifications/initialized"}]) is None


def test_the_end_is_answered_and_nothing_after_it() -> None:
    """A call that ends the turn is answered before it ends, and no other call is made behind it."""
    desk = Desk()
    session = desk.session
    told = ask(session, call("finish", {"outcome": "answered", "message": "It is 42."}))
    assert told["result"] == {"content": [{"type": "text", "text": "It is 42."}], "isError": False}
    assert session.end is not None
    assert (session.end.outcome, session.end.message) == ("answered", "It is 42.")
    assert ask(session, call("count", {"what": "bees"}))["result"]["isError"]
    assert len(desk.calls) == 1


def test_what_is_not_about_a_tool_passes_through() -> None:
    """A lease that was lost is no mistake of the model's: it reaches who works on the turn."""
    with pytest.raises(LeaseLost):
        ask(Desk().session, call("count", {"what": "lease"}))


@contextmanager
def served(folder: Path) -> Iterator[tuple[ToolServer, selectors.DefaultSelector]]:
    """A server below a path that is longer than the address of a socket."""
    place = folder / ("long" * 30)
    place.mkdir()
    with selectors.DefaultSelector() as selector, ToolServer(place, Desk().session, selector) as server:
        yield server, selector


def handle(selector: selectors.DefaultSelector) -> None:
    """Handle what is ready, and wait for something to be."""
    for key, _ in selector.select(30):
        key.data()


def test_by_standard_input_and_output(tmp_path: Path) -> None:
    """A client that knows nothing but a program to start gets the tools, and sees the end of the server."""
    with served(tmp_path) as (server, selector):
        shim = subprocess.Popen([server.script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert shim.stdin is not None
        assert shim.stdout is not None
        for number in range(3):
            shim.stdin.write(json.dumps(request("ping", number=number)).encode() + b"\n")
        shim.stdin.flush()
        handle(selector)
        handle(selector)
        assert [json.loads(shim.stdout.readline())["id"] for _ in range(3)] == [0, 1, 2]
    with shim:
        assert shim.stdout.read() == b""
        assert shim.wait(30) == 0


def test_without_a_server(tmp_path: Path) -> None:
    """A client that comes too late is told in a sentence."""
    with pytest.raises(SystemExit, match="cannot be reached"):
        connected(tmp_path / "none.sock")


def test_clients_are_bounded(tmp_path: Path) -> None:
    """A line without an end is not kept for ever, and a client that goes in the middle of one harms nobody."""
    with served(tmp_path) as (server, selector):
        with connected(server.path) as first:
            handle(selector)
            first.settimeout(0.01)
            assert flood(first, selector) <= 2 * MAX_LINE
        with connected(server.path) as second:
            second.sendall(b'{"id": 1, ')
        with connected(server.path) as third:
            third.sendall(json.dumps(request("ping")).encode() + b"\n")
            third.settimeout(0.01)
            while True:
                try:
                    assert json.loads(third.recv(1 << 16))["result"] == {}
                    return
                except TimeoutError:
                    handle(selector)


def flood(client: socket.socket, selector: selectors.DefaultSelector) -> int:
    """Send until the server has enough; returns how many bytes that took."""
    sent = 0
    while sent <= 2 * MAX_LINE:
        try:
            sent += client.send(b"x" * (1 << 20))
        except TimeoutError:
            handle(selector)
        except OSError:
            break
    return sent
