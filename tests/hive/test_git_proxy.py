"""What a container may push is decided before a byte of it reaches the forge."""

from __future__ import annotations

import io
import socket
import threading
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.gateway.git_proxy import GitRequest, proxy
from hive.gateway.push_protocol import NotAllowed, read_head
from hive.git_mirror.mirror import Login

ZERO, OLD, NEW = "0" * 40, "1" * 40, "2" * 40
PREFIX = "agent/iris/"


def packet(text: str) -> bytes:
    """A line as git's protocol frames it."""
    data = text.encode()
    return f"{len(data) + 4:04x}".encode() + data


def commands(body: io.BytesIO, prefix: str) -> bytes:
    """The bytes of a push that were read and are allowed."""
    head = read_head(body)
    head.check(prefix)
    return head.raw


def push(*lines: str) -> io.BytesIO:
    """A push with these commands, and a pack behind them."""
    return io.BytesIO(b"".join(map(packet, lines)) + b"0000" + b"PACK...")


def test_own_branches_may_be_pushed() -> None:
    """New and moved branches below the agent's name pass, byte by byte; the pack is not read."""
    body = push(f"{ZERO} {NEW} refs/heads/agent/iris/issue-1\0 report-status", f"{OLD} {NEW} refs/heads/agent/iris/x")
    seen = commands(body, PREFIX)
    assert seen.endswith(b"0000")
    assert (
        seen + body.read()
        == push(
            f"{ZERO} {NEW} refs/heads/agent/iris/issue-1\0 report-status", f"{OLD} {NEW} refs/heads/agent/iris/x"
        ).getvalue()
    )


@pytest.mark.parametrize(
    "line",
    [
        f"{ZERO} {NEW} refs/heads/main",
        f"{ZERO} {NEW} refs/heads/agent/atlas/x",
        f"{ZERO} {NEW} refs/heads/agent/irish/x",
        f"{ZERO} {NEW} refs/tags/agent/iris/x",
        f"{ZERO} {NEW} refs/for/main",
        f"{ZERO} {NEW} refs/pull/1/head",
        f"{OLD} {ZERO} refs/heads/agent/iris/x",
        f"{OLD} {NEW}",
        "push-cert\0",
        f"{ZERO} {NEW} refs/heads/agent/iris/x\0 report-status push-options",
        "x" * 100,
    ],
)
def test_everything_else_is_refused(line: str) -> None:
    """Other branches, tags, pull references, deletions and nonsense."""
    with pytest.raises(NotAllowed):
        commands(push(line), PREFIX)
    with pytest.raises(NotAllowed):
        commands(push(f"{ZERO} {NEW} refs/heads/agent/iris/ok", line), PREFIX)


def test_names_by_sha256_are_names() -> None:
    """A repository of the longer names is pushed to as well, and a branch is not deleted there either."""
    zero, old, new = "0" * 64, "1" * 64, "2" * 64
    commands(push(f"{zero} {new} refs/heads/agent/iris/x\0 object-format=sha256", f"shallow {old}"), PREFIX)
    for wrong in (f"{old} {zero} refs/heads/agent/iris/x", f"{old} {'2' * 41} refs/heads/agent/iris/x"):
        with pytest.raises(NotAllowed):
            commands(push(wrong), PREFIX)


@pytest.mark.parametrize("length", [b"0001", b"0002", b"0003", b"0004", b"-001", b"+01f", b"0x1f", b"1_0f", b" 01f"])
def test_lengths_are_gits_own(length: bytes) -> None:
    """What git would not read as a length is none; one that is below its own size does not mean all that is left."""
    body = io.BytesIO(length + b"x" * 100_000)
    with pytest.raises(NotAllowed):
        commands(body, PREFIX)
    assert body.tell() <= len(length)


def test_a_shallow_clone_may_push() -> None:
    """The commits at which it ends come first; nothing else passes in their form."""
    pushed = f"{ZERO} {NEW} refs/heads/agent/iris/x\0 report-status"
    assert commands(push(f"shallow {OLD}", pushed), PREFIX).endswith(b"0000")
    with pytest.raises(NotAllowed):
        commands(push(f"shallow {ZERO} {NEW} refs/heads/main", pushed), PREFIX)


@pytest.mark.parametrize(
    "query", ["service=git-upload-archive", "service=git-upload-pack&x=1", "x\ufffd", "a=%00", "x y"]
)
def test_only_two_services_are_git(query: str) -> None:
    """A question that no git client asks is not passed on."""
    asked = GitRequest("GET", "acme/app", "info/refs", query, {}, io.BytesIO(), None)
    with pytest.raises(NotAllowed):
        proxy("http://127.0.0.1:1", Login("iris", "t"), asked)


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_empty(data: bytes) -> None:
    """No bytes get past with a command in them that was not checked."""
    try:
        seen = commands(io.BytesIO(data), PREFIX)
    except NotAllowed:
        return
    assert b"refs/" not in seen.replace(b"refs/heads/agent/iris/", b"")


@pytest.mark.parametrize(
    ("head", "body", "whole"),
    [
        ("Content-Length: 10", b"0123456789", True),
        ("Content-Length: 10", b"01234567", False),
        ("Content-Length: 10", b"", False),
        ("Content-Length: 0", b"", True),
        ("Transfer-Encoding: chunked", b"4\r\n0123\r\n0\r\n\r\n", True),
        ("Transfer-Encoding: chunked", b"4\r\n0123\r\n", False),
        ("Transfer-Encoding: chunked", b"4\r\n01", False),
        ("Connection: close", b"0123", True),
    ],
)
def test_half_an_answer_is_none(head: str, body: bytes, *, whole: bool) -> None:
    """A forge that dies in the middle of an answer is seen to: git would wait behind one that seems to have ended."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body)

        thread = threading.Thread(target=serve)
        thread.start()
        asked = GitRequest("GET", "acme/app", "info/refs", "", {}, io.BytesIO(), None)
        passed = proxy(f"http://127.0.0.1:{server.getsockname()[1]}", Login("iris", "t"), asked)
        with nullcontext() if whole else pytest.raises(OSError, match="broke off"):
            b"".join(passed.chunks)
        thread.join()


@pytest.mark.parametrize("path", ["HEAD", "objects/info/packs", "info/refs/../x", "git-upload-archive", ""])
def test_only_three_paths_are_git(path: str) -> None:
    """The dumb protocol and everything else is not passed on."""
    asked = GitRequest("GET", "acme/app", path, "", {}, io.BytesIO(), None)
    with pytest.raises(NotAllowed):
        proxy("http://127.0.0.1:1", Login("iris", "t"), asked)


def test_a_forge_that_is_away_is_said() -> None:
    """Not there is an error that can be tried again."""
    asked = GitRequest("GET", "acme/app", "info/refs", "service=git-upload-pack", {}, io.BytesIO(), None)
    with pytest.raises(OSError, match="does not answer"):
        proxy("http://127.0.0.1:1", Login("iris", "t"), asked)
