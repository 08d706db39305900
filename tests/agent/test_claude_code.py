"""What is special about Claude Code as an engine: its conversation, its ends, and what it must not be given."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hive.agent.engines.claude_events import MAX_DEPTH, ClaudeJournal
from hive.agent.engines.claude_session import FILE, ClaudeSession
from hive.agent.engines.conclusion import title_of
from hive.agent.transcript import Transcript
from hive.demo.model import DiffResponder, ModelConversation, ModelReply, Scene, Script
from hive.demo.model.faults import ApiError, Fault
from hive.gateway.transcript_lines import line_of
from tests.agent.engine_players import STAND_IN, ClaudePlayer, finish, run, write

if TYPE_CHECKING:
    from tests.agent.conftest import World

BRANCH = "agent/iris/issue-1"
CHECK = "grep -q 'x = 2' app.py || { echo 'x is not two'; false; }"
PLAYER = ClaudePlayer()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `claude` on the PATH: at first a stand-in that takes its options and speaks its language."""
    path = tmp_path / "claude"
    replace(path, f'exec {sys.executable} -ISs {STAND_IN} "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return path


def replace(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def hold(world: World, *replies: ModelReply, message: str = "Do it.", **more: Any) -> dict[str, Any]:
    PLAYER.play(world, *replies)
    return world.hold(message, **PLAYER.turn, **more)


@pytest.mark.usefixtures("program")
def test_change_without_a_submit(world: World) -> None:
    """What was changed when the program ends is submitted with its last words, and a red check is handed back to it."""
    PLAYER.play(world, write("app.py", "x = 5\n"), ModelReply("Done."))
    second = PLAYER.told(world, write("app.py", "x = 2\n"))
    world.responder = Script(
        [
            Scene("was not submitted", (second, ModelReply("## Count from two.\n\nIt was *one*."))),
            Scene("", (PLAYER.told(world, write("app.py", "x = 5\n")), ModelReply("Done."))),
        ],
        otherwise=DiffResponder(),
    )
    assert world.hold(checks=[CHECK], **PLAYER.turn)["outcome"] == "pushed"
    assert world.pulls[BRANCH]["title"] == "Count from two"
    assert world.pulls[BRANCH]["body"].startswith("## Count from two.\n\nIt was *one*.")
    assert any("x is not two" in str(line) for line in world.transcript() if line.get("role") == "user")


@pytest.mark.usefixtures("program")
def test_change_that_stays_red(world: World) -> None:
    """A change that is handed back in vain is not pushed, and the thread is told why."""
    world.responder = Script(
        [
            Scene("was not submitted", (ModelReply("I like five."),)),
            Scene("", (PLAYER.told(world, write("app.py", "x = 5\n")), ModelReply("Done."))),
        ],
        otherwise=DiffResponder(),
    )
    end = world.hold(checks=[CHECK], **PLAYER.turn)
    assert end["outcome"] == "blocked"
    assert "x is not two" in end["message"]
    assert "I like five." in end["message"]
    assert end["steps"] == 4, "two replies, and one for each time that it was handed back"
    assert [pull["draft"] for pull in world.pulls.values()] == [True]


@pytest.mark.usefixtures("program")
def test_one_conversation(world: World) -> None:
    """The turns of a run are one conversation of the program, unless its memory is to be new."""
    heard: list[ModelConversation] = []

    class Ear:
        def reply(self, conversation: ModelConversation) -> ModelReply:
            heard.append(conversation)
            return ModelReply(f"Answer {len(heard)}.")

    world.responder = Ear()
    for message, memory in (("/first", ""), ("second", ""), ("third", "new")):
        world.hold(message, **PLAYER.turn, memory=memory)
    assert [len(conversation.messages) for conversation in heard] == [1, 3, 1]
    assert heard[0].messages[0].text == "Your task:\n\n/first", "no issue is a command of the program"
    assert "Answer" not in heard[2].messages[0].text
    assert heard[0].system.startswith("You are iris.")
    assert "mcp__hive__submit" in heard[0].system


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("damage", ["gone", "damaged"])
def test_lost_conversation(world: World, damage: str) -> None:
    """A conversation that the program cannot go on in is begun again, with what the hive knows of it."""
    hold(world, ModelReply("It was a tuesday."), message="first")
    home = world.place.state / "runs/7/engine"
    if damage == "gone":
        shutil.rmtree(home)
    else:
        (home.parent / FILE).write_text('{"id": "../../etc/passwd", "turn": 1}')
    heard: list[str] = []

    class Ear:
        def reply(self, conversation: ModelConversation) -> ModelReply:
            heard.append(conversation.messages[0].text)
            return ModelReply("Yes.")

    world.responder = Ear()
    assert world.hold("second", **PLAYER.turn)["message"] == "Yes."
    (text,) = heard
    assert "You: It was a tuesday." in text
    assert text.index("first") < text.index("tuesday") < text.index("second")


@pytest.mark.usefixtures("program")
def test_another_engine_goes_on(world: World) -> None:
    """A run whose agent gets another engine goes on with the words of the first, and without calls of tools that it lacks."""
    hold(world, run("true"), finish("blocked", "Which number?"), message="first")
    del world.lines[7][-1]["content"]
    world.lines[7][-1].pop("role")
    heard: list[ModelConversation] = []

    class Ear:
        def reply(self, conversation: ModelConversation) -> ModelReply:
            heard.append(conversation)
            return ModelReply("Two.")

    world.responder = Ear()
    assert world.hold("second")["message"] == "Two."
    said = heard[0].messages
    assert not [message for message in said if message.calls or message.results]
    assert "Let me see." in " ".join(message.text for message in said)


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (ApiError(529, "overloaded_error"), ""),
        (ApiError(429, "billing_error", should_retry="false"), "blocked"),
        (ApiError(400, "invalid_request_error", "prompt is too long: 1 > 0"), "blocked"),
        (ApiError(400, "invalid_request_error"), "failed"),
    ],
)
def test_refused_by_the_gateway(world: World, fault: Fault, outcome: str) -> None:
    """A model that cannot be reached pauses the turn; what asking again cannot change ends it in words."""
    PLAYER.play(world, ModelReply(fault=fault))
    world.give(**PLAYER.turn)
    world.resume()
    assert world.rested == (not outcome)
    assert [end["outcome"] for end in world.ends] == ([outcome] if outcome else [])


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 0", "without a result (exit status 0)"),
        ("echo 'no licence' >&2; exit 4", "no licence"),
        ("kill -9 $$", "without a result (signal 9)"),
        ("head -c 9000000 /dev/zero; echo; echo '[]'; echo '{\"type\": \"result\"'", "exit status 0"),
        (
            'echo \'{"type": "result", "subtype": "success", "is_error": false}\'; exit 3',
            "ended with an error: success",
        ),
        (
            'echo \'{"type": "result", "subtype": "error_max_turns", "is_error": true, "errors": ["Enough"]}\'; exit 1',
            '["Enough"]',
        ),
        (
            'echo \'{"type": "result", "subtype": "success", "is_error": true, "result": "API Error: x"}\'',
            "API Error: x",
        ),
    ],
)
def test_ends_that_are_none(world: World, program: Path, script: str, words: str) -> None:
    """A program that ends without having done its work fails the turn in plain words, whatever its exit status."""
    replace(program, script)
    end = world.hold(**PLAYER.turn)
    assert end["outcome"] == "failed"
    assert words in end["message"]


def test_no_program(world: World, program: Path) -> None:
    """Where the program is not installed, the thread is told what is missing."""
    program.unlink()
    if shutil.which("claude"):
        pytest.skip("this machine has the program itself")
    end = world.hold(**PLAYER.turn)
    assert end["outcome"] == "failed"
    assert "`packages: [claude]`" in end["message"]


@pytest.mark.usefixtures("program")
def test_the_run_token_is_kept_from_it(world: World) -> None:
    """Neither the program nor its commands get the token of the run, nor a key that is worth anything afterwards."""
    look = "env; cat /proc/$PPID/cmdline /proc/$PPID/environ | tr '\\0' '\\n'; cat ../*.json ../door/* ../engine/* 2>/dev/null"
    hold(world, run(look), finish("answered", "I saw it."))
    (said, _) = world.results()
    assert "ANTHROPIC_AUTH_TOKEN" in said
    assert "token-" not in said
    assert not [path for path in (world.place.state / "runs/7/door").iterdir() if path.suffix == ".sock"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"{",
        b"[" * 50_000,
        b'{"type": "assistant"}',
        b'{"type": "assistant", "message": {"id": 7, "content": [{"type": "text", "text": "x"}]}}',
        b'{"type": "assistant", "message": {"id": "a", "content": {"type": "text"}}}',
        b'{"type": "assistant", "message": {"id": "a", "content": [7, {"type": "text", "text": 7}, {"type": "tool_use"}]}}',
        b'{"type": "assistant", "message": {"id": "b", "content": [{"type": "tool_use", "id": "c", "name": "d", "input": []}]}}',
        b'{"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "z", "content": 7}]}}',
        b'{"type": "system", "subtype": "init", "mcp_servers": [7, {"name": ["x"]}]}',
        json.dumps(
            {
                "type": "assistant",
                "message": {
                    "id": "deep",
                    "content": [
                        {"type": "tool_use", "id": "e", "name": "f", "input": {"a": json.loads("[" * 40 + "]" * 40)}},
                        {"type": "thinking", "thinking": "\ud800"},
                        {"type": "text", "text": "x" * 1_000_000},
                    ],
                },
            }
        ).encode(),
    ],
)
def test_whatever_it_says(line: bytes) -> None:
    """What the program prints may be anything: what is written down of it, the host can read."""
    lines: list[dict[str, Any]] = []
    journal = ClaudeJournal(Transcript([], lambda _, line: lines.append(line)))
    journal.heard(line)
    journal.looked()
    journal.over()
    assert all(line_of(1, line) for line in lines)
    assert sum(len(json.dumps(line)) for line in lines) < 300_000
    assert MAX_DEPTH < 16


@pytest.mark.parametrize("told", ["", "7", "[]", "{}", '{"id": "x", "turn": 1}', '{"id": 1, "turn": 1}', "x" * 2000])
def test_damaged_session(tmp_path: Path, told: str) -> None:
    """A note about the conversation that is none is no conversation; the next one replaces it."""
    (tmp_path / FILE).write_text(told)
    assert ClaudeSession.of(tmp_path) == ClaudeSession()
    new = ClaudeSession.new(3)
    new.keep(tmp_path)
    assert ClaudeSession.of(tmp_path) == new
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    assert ClaudeSession.of(tmp_path) == ClaudeSession()
    new.keep(tmp_path)
    assert ClaudeSession.of(tmp_path) == new


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("", ""),
        ("---\n\n***", ""),
        ("# Count from two.\nMore.", "Count from two"),
        ("**Done:** I counted. And more.", "Done: I counted"),
        ("I made it so:\n- well", "I made it so"),
        ("a" * 300, "a" * 100 + " …"),
        ("word " * 60, "word " * 19 + "word …"),
    ],
)
def test_titles(words: str, title: str) -> None:
    """The title of a change is the first sentence of the last words."""
    assert title_of(words) == title
