"""What gateway and harness add to one request to a model, beside a client that asks the same server itself."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.row import Row, at_most
from forge.models import Repo
from hive.agent.model_client import ModelClient
from hive.agent.unix_http import UnixHTTPClient
from hive.demo.model import ModelConversation, ModelReply
from hive.demo.model.server import serve
from hive.gateway import model_proxy
from hive.gateway.admission import Guard
from hive.gateway.agent_backoff import AgentBackoff
from hive.gateway.budget import Budget
from hive.gateway.llm import Model
from hive.gateway.model_route import ModelRoute
from hive.gateway.pricing import price_list
from hive.gateway.wsgi_server import Server
from hive.ledger import Ledger
from hive.unix_socket import listen_unix

REQUESTS = 200
WARM = 20
MODEL = "claude-sonnet-5-5"
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "x" * 20_000}]}]
BODY = {"model": MODEL, "max_tokens": 16_000, "system": "", "tools": [], "messages": MESSAGES, "stream": True}


class Brief:
    """A model that says little, at once."""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The reply."""
        return ModelReply("Done.")


def gateway() -> Iterator[Row]:
    """The rows."""
    with tempfile.TemporaryDirectory(prefix="hive-bench-") as folder, scripted() as url:
        socket = Path(folder) / "m.sock"
        with served(url, Path(folder) / "hive.db", socket) as token:
            client = ModelClient(UnixHTTPClient(socket), token, MODEL, "", ())
            bare = measured(lambda: asked(url))
            ours = measured(lambda: client.reply(MESSAGES))
            first = first_byte(lambda: asked(url)), first_byte(lambda: through(socket, token))
    name = "gateway and harness add to one request"
    yield Row(f"{name}, median", ours[49] - bare[49], "ms", "the request itself", bare[49], at_most(5))
    yield Row(f"{name}, p99", ours[98] - bare[98], "ms", "the request itself", bare[98], at_most(15))
    yield Row("the gateway adds to the first byte", first[1] - first[0], "ms", "the bare client", first[0], at_most(3))


def measured(ask: Callable[[], object]) -> list[float]:
    """The percentiles of how long it takes, in milliseconds."""
    times = []
    for _ in range(WARM + REQUESTS):
        start = time.perf_counter()
        ask()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.quantiles(times[WARM:], n=100)


def first_byte(ask: Callable[[], float]) -> float:
    """The median of the milliseconds to the first byte of an answer."""
    return statistics.median([ask() for _ in range(WARM + REQUESTS)][WARM:]) * 1000


def asked(url: str) -> float:
    """Ask the server itself and read the answer; returns the seconds to its first byte."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"Content-Type": "application/json", "x-api-key": "k"}
    start = time.perf_counter()
    connection.request("POST", "/v1/messages", json.dumps(BODY).encode(), headers)
    answer = connection.getresponse()
    answer.read(1)
    first = time.perf_counter() - start
    answer.read()
    connection.close()
    return first


def through(socket: Path, token: str) -> float:
    """Ask the gateway and read the answer; returns the seconds to its first byte."""
    start = time.perf_counter()
    with UnixHTTPClient(socket).post("/v1/messages", BODY, token=token) as answer:
        answer.read(1)
        first = time.perf_counter() - start
        answer.read()
    return first


@contextmanager
def scripted() -> Iterator[str]:
    """The address of a scripted server, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(Brief(), "127.0.0.1", 0, theirs.send), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


@contextmanager
def served(url: str, database: Path, socket: Path) -> Iterator[str]:
    """The gateway of an agent with a budget, on a socket; yields the token of a turn."""
    ledger, model = Ledger(database), Model(url=url)
    ledger.runs.start("acme", "iris", "forgejo:acme/app#1", "k", "do it")
    turn = ledger.runs.claim("iris")
    assert turn is not None
    guard = Guard(ledger, "acme", "iris", calls_a_minute=1_000_000)
    upstream = model_proxy.Upstream(
        lambda _: ModelRoute(model, MODEL, MODEL, lambda: "k"),
        lambda: (MODEL,),
        AgentBackoff(ledger, "acme", "iris", "core", Repo("forgejo", "hive", "ops")),
        spending=Budget(ledger, "acme", price_list(), "bench"),
    )
    server = Server(model_proxy.create(upstream, guard), listen_unix(socket), model_proxy.gate(guard), threads=6)
    server.start()
    try:
        yield turn.token
    finally:
        server.stop()
        model.close()
        ledger.close()
