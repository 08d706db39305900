"""Ingest: signature, decoding, delivery and jobs in one synced transaction, then 202; beside a WSGI no-op."""

from __future__ import annotations

import json
import multiprocessing
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from wsgiref.types import StartResponse, WSGIEnvironment

from bench.load import Load, load
from bench.row import Row
from forge.webhook import sign
from hive.app.house import House
from hive.demo.stage import write_config
from hive.processes import Tree
from hive.serve import Server, tcp
from hive.settings import load as load_settings

SECONDS = 5.0
BODY_BYTES = 16_600
WARM = 1.0


def ingest() -> Iterator[Row]:
    """Rates and latencies at 8 and at 64 connections."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="hive-bench-")))
        port, secret = stack.enter_context(receiver(directory))
        peer_port = stack.enter_context(no_op())
        for connections in (8, 64):
            peer = measure(peer_port, secret, connections)
            ours = measure(port, secret, connections)
            where = f"{connections} connections"
            yield Row(f"ingest, {where}", ours.rate, "/s", "WSGI no-op", peer.rate)
            for share, name in ((0.5, "p50"), (0.99, "p99")):
                value, other = ours.percentile(share), peer.percentile(share)
                yield Row(f"ingest {name}, {where}", value, "ms", "WSGI no-op", other)


def measure(port: int, secret: bytes, connections: int) -> Load:
    """One load, after a short one that warms the server."""
    for seconds in (WARM, SECONDS):
        made = load(port, requests(secret, f"{connections}-{seconds}"), connections=connections, seconds=seconds)
    if made.refused:
        raise SystemExit(f"bench: {made.refused} requests were not answered by 202")
    return made


def requests(secret: bytes, series: str) -> Callable[[int, int], bytes]:
    """Deliveries of issues, each of its own, as Forgejo sends them."""
    user = {"id": 1, "login": "mara", "full_name": "", "email": "", "avatar_url": "", "username": "mara"}
    issue = {
        "id": 1, "number": 1, "user": user, "title": "Every hive shows 0", "body": "x" * (BODY_BYTES - 1200),
        "labels": [], "assignees": None, "state": "open", "created_at": "2026-05-04T12:00:00Z",
        "updated_at": "2026-05-04T12:00:00Z", "pull_request": None,
    }  # fmt: skip
    repository = {"id": 1, "name": "app", "full_name": "acme/app", "owner": {**user, "login": "acme"}}

    def make(connection: int, number: int) -> bytes:
        unique = f"{series}-{connection}-{number}"
        numbered = {**issue, "number": connection * 1_000_000 + number + 1, "title": unique}
        payload = {"action": "opened", "number": 1, "issue": numbered, "repository": repository, "sender": user}
        body = json.dumps(payload, indent=2).encode()
        head = (
            "POST /hook/forgejo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"X-Forgejo-Event-Type: issues\r\nX-Forgejo-Delivery: {unique}\r\n"
            f"X-Forgejo-Signature: {sign(secret, body)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    return make


@contextmanager
def receiver(state: Path) -> Iterator[tuple[int, bytes]]:
    """`hive web` as a process of its own."""
    with tcp("127.0.0.1", 0) as probe:
        port = int(probe.getsockname()[1])
    config = write_config(state, forge_port=1, web_port=port, model_url="http://127.0.0.1:1")
    house = House(load_settings(config))
    secret = house.vault.hook_secret("forgejo")
    tree = Tree(state / "logs", lambda name, status: None)
    tree.add("web", "web", str(config))
    try:
        _wait(f"http://127.0.0.1:{port}/healthz")
        yield port, secret
    finally:
        tree.stop()
        house.close()


@contextmanager
def no_op() -> Iterator[int]:
    """The least that a WSGI server can do, on the same server with the same threads, in a process of its own."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve_no_op, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve_no_op(out: Connection) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("202 Accepted", [("Content-Length", "0")])
        return [b""]

    sock = tcp("127.0.0.1", 0)
    server = Server(app, sock, threads=8)
    server.start()
    out.send(sock.getsockname()[1])
    time.sleep(3600)


def _wait(url: str) -> None:
    for _ in range(400):
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310  our own process
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"bench: {url} does not answer")
