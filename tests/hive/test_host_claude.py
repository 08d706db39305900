"""Claude Code itself as an engine: installed on this host, in a container of the hive, with a scripted model behind the gateway."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bots.models import AgentSpec
from forge.gitea.writer import GiteaForge
from forge.models import Repo
from hive.app import work
from hive.app.host import Host
from hive.config.agent_yaml import EVERYDAY
from hive.demo.model import ModelConversation, ModelReply, ToolCall
from hive.demo.setup import FORGE
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends import look_for
from hive.reconcile.build import BASE, Plan, build, resolve
from tests.hive.test_host import instance_with_two_agents

if TYPE_CHECKING:
    from hive.instance.instance import Instance

SANDBOX, WHY_NOT = look_for("bubblewrap")
pytestmark = [
    pytest.mark.contained,
    pytest.mark.skipif(SANDBOX is None, reason=f"no containers here: {WHY_NOT}"),
    pytest.mark.skipif(not resolve("claude"), reason="Claude Code is not installed where containers see it"),
]
SECONDS = 120.0
LOOK = "id -u; echo --; ls /run/hive ../..; echo --; env | grep -c '^ANTHROPIC_.*TOKEN'; echo --; wc -l </proc/net/dev"
CHANGE = "printf '\\nBees dance.\\n' >> README.md"


class Responder:
    """Looks around, changes a file, and submits it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.tools: tuple[str, ...] = ()
        self.task = ""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next step."""
        self.tools, self.task = conversation.tools, conversation.task
        self.seen = made = [result.text for _, result in conversation.made]
        match len(made):
            case 0:
                return ModelReply("I look.", (ToolCall("Bash", {"command": LOOK}),))
            case 1:
                return ModelReply(calls=(ToolCall("Bash", {"command": CHANGE}),))
            case _:
                said = {"title": "Say that bees dance", "summary": "They do."}
                return ModelReply(calls=(ToolCall("mcp__hive__submit", said),))


def deploy(instance: Instance, agent: str) -> None:
    """Build the agent's container with Claude Code as its engine, in place of what its configuration says."""
    baseline = instance.ledger.deployments.baseline(agent)
    assert baseline is not None
    commands = {name: file for package in (*BASE, "claude") for name, file in resolve(package).items()}
    spec = AgentSpec(name=agent, lane="general", engine="claude-code", packages=("claude",), capabilities=EVERYDAY)
    dirs = AgentDirs(agent, instance.agents / agent)
    dirs.prepare()
    build(Plan(spec, tuple(sorted(commands.items()))), baseline.sha, dirs.gens)


@contextmanager
def running(instance: Instance) -> Iterator[None]:
    """The host and the worker of an instance, in this process."""
    stop = threading.Event()
    served = (Host(instance, stop).serve, partial(work.serve, instance, stop))
    threads = [threading.Thread(target=target) for target in served]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def test_claude_code_makes_a_pull_request(tmp_path: Path) -> None:
    """Without a network, a key or a way to the sockets, it works on a run until its change is a pull request."""
    responder = Responder()
    with instance_with_two_agents(tmp_path, responder) as instance:
        deploy(instance, "iris")
        runs = instance.ledger.runs
        token = instance.secret_store.token(FORGE, instance.settings.account("core"))
        with GiteaForge(name=FORGE, url=instance.url(FORGE), token=token) as forge:
            issue = forge.open_issue(Repo(FORGE, "acme", "app"), "Say that bees dance", "They do.", marker="They").ref
        run = runs.start("acme", "iris", str(issue), "k1", "/compact Say that @README.md bees dance.")
        with running(instance):
            end = time.monotonic() + SECONDS
            while is_open(instance, run) and time.monotonic() < end:
                time.sleep(0.05)
        record = runs.record(run)
        log = instance.agents / "iris" / "log"
        assert record is not None
        assert record.turns == {1: "pushed"}, log.read_text() if log.exists() else record
        assert record.pull == f"{FORGE}:acme/app#{issue.number + 1}"
        assert record.steps == 3
        assert record.tokens_in > 0
        lines = instance.ledger.transcripts.of(run)
        assert [line["usage"]["output_tokens"] > 0 for line in lines if line.get("role") == "assistant"] == [True] * 3
    uid, folders, keys, links = responder.seen[0].split("--\n")
    assert uid.strip() not in {"0", str(os.getuid())}
    assert folders.split() == ["../..:", "1", "/run/hive:"]
    assert keys.strip() == "1"
    assert links.strip() == "3"
    assert "README.md" not in responder.task.replace("@README.md", ""), "a file that an issue names is not read for it"
    assert {"Bash", "Edit", "mcp__hive__submit", "mcp__hive__finish"} <= set(responder.tools)
    assert not {"WebFetch", "WebSearch", "Task"} & set(responder.tools)


def is_open(instance: Instance, run: int) -> bool:
    """Whether the run's first turn has no end."""
    record = instance.ledger.runs.record(run)
    return record is None or record.turns[1] in {"pending", "running"}
