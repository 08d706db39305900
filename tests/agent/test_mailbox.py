"""What reaches a turn between two steps: once, in order, and whoever is killed on the way."""

from __future__ import annotations

import subprocess
import threading
import time
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hive.agent import shell
from hive.agent.broker_client import BrokerClient
from hive.agent.errors import TurnEnded
from hive.agent.git import FORGE
from hive.agent.git_env import settings
from hive.agent.mailbox import LOOK, Mailbox
from hive.agent.model_client import refusal
from hive.agent.transcript import Transcript
from hive.agent.unix_http import RetryPolicy, UnixHTTPClient
from hive.agent.worktree import WorkTree
from hive.demo.model import ModelConversation, ModelReply, ToolCall
from tests.agent.conftest import GIT
from tests.agent.test_turn import play

if TYPE_CHECKING:
    from tests.agent.conftest import World

WORDS = "There is a new comment on #1:\n\nCount from three."


class Attentive:
    """A model that works until it hears of three, and then ends."""

    def __init__(self, world: World, *, at: int = 2) -> None:
        self.world, self.at = world, at
        self.heard: list[ModelConversation] = []

    def reply(self, conversation: ModelConversation) -> ModelReply:
        self.heard.append(conversation)
        if any(WORDS in message.text for message in conversation.messages):
            return ModelReply("Three it is.")
        if len(self.heard) == self.at:
            self.world.mail = [(5, WORDS)]
        return ModelReply(calls=(ToolCall("run", {"command": f"echo {len(self.heard)}"}),))


def test_words_join_the_turn(world: World) -> None:
    """What a person says during a turn is heard with the next request, beside the results of its calls."""
    world.responder = model = Attentive(world)
    end = world.hold()
    assert (end["outcome"], end["message"], end["steps"]) == ("answered", "Three it is.", 3)
    assert not world.mail
    last = model.heard[-1].messages[-1]
    assert (last.text, last.results[0].text) == (WORDS, "2\n[exit status 0]")
    assert [line["joins"] for line in world.transcript() if "joins" in line] == [5]


@pytest.mark.parametrize("word", ["mail", "after mail", "transcript", "after transcript"])
def test_words_are_heard_once(world: World, word: str) -> None:
    """A process that is killed while it hears them leaves them to the next one, or has stored them: neither loses nor doubles them."""
    world.responder = model = Attentive(world)

    def kill(seen: str) -> None:
        if seen == word and (world.mail or word == "after transcript") and len(model.heard) >= 2:
            world.watch = lambda _: None
            raise ConnectionError

    world.watch = kill
    world.give()
    world.start()
    world.wait_for(lambda: world.ends)
    assert [line["joins"] for line in world.transcript() if "joins" in line] == [5]
    assert str(model.heard[-1].messages).count("Count from three") == 1


def test_words_that_do_not_wait_any_more(world: World) -> None:
    """What the host refuses to join is left out, and the turn goes on."""
    world.responder = play(ModelReply(calls=(ToolCall("run", {"command": "echo 1"}),)), ModelReply("Nobody said more."))

    def refuse(word: str) -> None:
        if word == "after transcript" and len(world.transcript()) == 2:
            world.mail = [(5, WORDS)]
        elif word == "mail":
            world.answers["transcript"] = [400]
        elif word == "after mail":
            world.mail = []

    world.watch = refuse
    assert world.hold()["message"] == "Nobody said more."
    assert not any("joins" in line for line in world.transcript())


def test_the_base_moves(tmp_path: Path) -> None:
    """A turn is told once that the base has moved, after a while, and its commands can look at it; a forge that does not answer is asked later."""
    origin = tmp_path / "forge/acme/app.git"
    git(tmp_path, "init", "-q", "-b", "main", "--bare", str(origin))
    git(tmp_path, "clone", "-q", str(origin), "ours")
    commit(tmp_path / "ours", "begin")
    env = {**GIT, **settings([(f"url.{tmp_path}/forge/.insteadOf", FORGE)])}
    tree = WorkTree(
        tmp_path / "work", env, RetryPolicy(tries=1), repo="acme/app", base="main", branch="agent/iris/issue-1"
    )
    tree.prepare()
    lines: list[dict[str, Any]] = []
    transcript = Transcript([], lambda _, line: lines.append(line))
    transcript.begin(1, "Do it.", fingerprint="a")
    now = [0.0]
    client = BrokerClient(UnixHTTPClient(tmp_path / "none"))
    mailbox = Mailbox(client, transcript, tree, threading.Event(), lambda: now[0])
    commit(tmp_path / "ours", "more")
    for moment in (0.0, LOOK + 1):
        assert len(lines) == 2
        now[0] = moment
        mailbox.empty()
    assert "main has moved since you began" in lines[-1]["content"][0]["text"]
    assert git(tree.path, "log", "--format=%s", "HEAD..origin/main") == "more"
    commit(tmp_path / "ours", "even more")
    origin.rename(tmp_path / "away")
    now[0] = 3 * LOOK
    mailbox.empty()
    assert len(lines) == 3


def git(folder: Path, *words: str) -> str:
    """Run git."""
    return subprocess.check_output(["git", *words], cwd=folder, env=GIT, text=True).strip()


def commit(clone: Path, message: str) -> None:
    """Commit and push."""
    git(clone, "commit", "-q", "--allow-empty", "-m", message)
    git(clone, "push", "-q", "origin", "HEAD:main")


def test_a_command_ends_when_its_turn_does(tmp_path: Path) -> None:
    """A command does not outlive its turn: as soon as that is over, the command is stopped."""
    until = time.monotonic() + 1
    done = shell.run("sleep 600", tmp_path, seconds=500, is_over=lambda: time.monotonic() > until)
    assert done.status is None


class Spending:
    """A model whose money runs out, step by step."""

    def __init__(self, world: World, *used: str) -> None:
        self.world, self.used = world, list(used)
        self.heard: list[ModelConversation] = []

    def reply(self, conversation: ModelConversation) -> ModelReply:
        self.heard.append(conversation)
        if not self.used:
            return ModelReply("That is all.")
        self.world.budget = self.used.pop(0)
        return ModelReply(calls=(ToolCall("run", {"command": f"echo {len(self.heard)}"}),))


def test_a_model_knows_when_its_money_runs_out(world: World) -> None:
    """At each mark once, beside the results of its calls, and what a gateway says otherwise is nothing."""
    world.responder = model = Spending(world, "74", "80", "x", "94", "96", "99", "1e9")
    assert world.hold()["outcome"] == "answered"
    assert [line["budget"] for line in world.transcript() if "budget" in line] == [75, 95]
    told = [conversation.messages[-1].text for conversation in model.heard]
    assert [text[:4] for text in told[1:]] == ["", "75 %", "", "", "95 %", "", ""]
    assert all(conversation.messages[-1].results for conversation in model.heard[1:])


def test_a_model_that_is_out_of_money_is_quoted_as_the_host_puts_it() -> None:
    """The host's words are for people: nothing is put before them."""
    headers = Message()
    headers["x-hive"], headers["x-should-retry"] = "stop", "false"
    error = {"type": "error", "error": {"type": "billing_error", "message": "The budget of this run is spent."}}
    found = refusal(429, headers, error)
    assert isinstance(found, TurnEnded)
    assert (found.outcome, found.message) == ("blocked", "The budget of this run is spent.")
