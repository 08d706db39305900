"""What all have learned is read by every agent, with no more rights than an agent has."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from forge.models import Repo
from hive.agent.relay import relay
from hive.config import EVERYDAY
from hive.demo.setup import FORGE
from hive.gateway import broker
from hive.gateway.admission import Guard
from hive.gateway.agent_backoff import AgentBackoff
from hive.gateway.agent_session import AgentSession
from hive.gateway.outbound import Outbound
from hive.gateway.wsgi_server import Server
from hive.git_mirror.mirror import Login
from hive.unix_socket import listen_unix
from tests.hive.conftest import APP, CONFIG, HiveEnv


@dataclass
class Git:
    """Git in iris' container: all that it reaches is her broker."""

    url: str
    token: str

    def __call__(self, *words: str, where: Path) -> subprocess.CompletedProcess[str]:
        """Run a command of git."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(where),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Bearer {self.token}",
        }
        return subprocess.run(["git", *words], cwd=where, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture
def git(hive_env: HiveEnv, tmp_path: Path) -> Iterator[Git]:
    """Her way to the forge, while she has a turn."""
    instance, ledger = hive_env.instance, hive_env.instance.ledger
    ledger.runs.start("acme", "iris", f"{APP}#1", "k", "do it")
    turn = ledger.runs.claim("iris")
    assert turn is not None
    principal = AgentSession(
        agent="iris",
        team="acme",
        login=lambda: Login("iris", instance.secret_store.token(FORGE, "iris")),
        forge_url=hive_env.forge.url,
        config_repo=CONFIG,
        ledger=ledger,
        wake=lambda _: None,
        heard=lambda *_: None,
        epoch=lambda: 1,
        stop=threading.Event(),
        rest=AgentBackoff(ledger, "acme", "iris", "core", instance.ops("acme")),
        base=lambda _: "main",
        brief=lambda _: {},
        capabilities=lambda: frozenset(EVERYDAY),
        outbound=Outbound(ledger, "acme", "iris", "core", Repo("forgejo", "hive", "ops")),
        knowledge=instance.settings.knowledge_of(FORGE),
    )
    guard = Guard(ledger, "acme", "iris")
    with ExitStack() as stack:
        server = Server(broker.create(principal, guard), listen_unix(tmp_path / "forge.sock"), broker.gate(guard))
        server.start()
        stack.callback(server.stop)
        port = stack.enter_context(relay(tmp_path / "forge.sock"))
        yield Git(f"http://127.0.0.1:{port}/git", turn.token)


def test_every_agent_reads_what_all_have_learned(git: Git, tmp_path: Path) -> None:
    """A clone through the broker has what is on the forge."""
    done = git("clone", "--quiet", f"{git.url}/hive/knowledge.git", "k", where=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Every agent reads it" in (tmp_path / "k" / "README.md").read_text()


def test_no_agent_writes_it(git: Git, tmp_path: Path) -> None:
    """Not even to a branch of its own: what is learned comes by an operator's merge."""
    assert git("clone", "--quiet", f"{git.url}/hive/knowledge.git", "k", where=tmp_path).returncode == 0
    done = git("push", "origin", "HEAD:refs/heads/agent/iris/lore", where=tmp_path / "k")
    assert done.returncode != 0
    assert "403" in done.stderr


@pytest.mark.parametrize("repo", ["hive/meta", "hive/ops", "hive/knowledge.git/../meta", "hive/Knowledge"])
def test_nothing_else_of_the_hive_is_read(git: Git, repo: str, tmp_path: Path) -> None:
    """The rest of the hive's organisation stays the operators'."""
    assert git("clone", "--quiet", f"{git.url}/{repo}.git", "k", where=tmp_path).returncode != 0
