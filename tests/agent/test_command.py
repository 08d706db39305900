"""Programs of others as engines: what they print, how they end, and what they are given; and an engine that plays a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hive.agent.engines.plain_journal import LAST_WORDS, PlainJournal
from hive.agent.engines.scripted import FILE, read
from hive.agent.errors import TurnEnded
from hive.agent.mcp_server import SCRIPT
from hive.agent.transcript import Transcript
from hive.demo.model import ModelReply
from hive.demo.model.faults import ApiError
from hive.gateway.transcript_lines import line_of
from tests.agent.engine_players import CommandPlayer

if TYPE_CHECKING:
    from tests.agent.conftest import World

BRANCH = "agent/iris/issue-1"


def hold(world: World, script: str, **more: Any) -> dict[str, Any]:
    """Let a shell script work on a turn."""
    return world.hold("Count from two.", engine="command", command=["sh", "-c", script], **more)


def test_a_program_without_a_model(world: World) -> None:
    """A program that asks nobody works too: what it changed is submitted with what it printed, without the colours."""
    end = hold(
        world, "cat >../seen; echo x = 2 >app.py; printf '\\033[1mCount\\033[0m from two\\r\\n\\nSo \\377 it is.'"
    )
    assert end["outcome"] == "pushed"
    assert world.pulls[BRANCH]["title"] == "Count from two"
    assert world.pulls[BRANCH]["body"].startswith("Count from two\n\nSo \ufffd it is.")
    assert end["steps"] == 1
    task = (world.place.state / "runs/7/seen").read_text()
    assert task.startswith("You are iris.")
    assert "Count from two." in task


def test_a_red_check_is_handed_back(world: World) -> None:
    """A program that has ended is started once more with what was wrong, and nothing leaves before."""
    script = "if grep -q 'was not submitted'; then echo x = 2 >app.py; else echo x = 5 >app.py; fi; echo Done."
    check = "grep 'x = 2' app.py"
    assert hold(world, script, checks=[check])["outcome"] == "pushed"
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"
    end = hold(world, "cat >/dev/null; echo x = 5 >app.py; echo I like five.", checks=[check])
    assert end["outcome"] == "blocked"
    assert "I like five." in end["message"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo no licence >&2; exit 4", "sh ended with exit status 4.\n\nno licence"),
        ("kill -9 $$", "signal 9"),
        ("exec /nonexistent", "exit status 127"),
    ],
)
def test_a_program_that_fails(world: World, script: str, words: str) -> None:
    """What a program did that ended with an error is a draft, and the thread is told what it complained."""
    end = hold(world, f"echo x = 7 >app.py; {script}")
    assert end["outcome"] == "failed"
    assert words in end["message"]
    assert [pull["draft"] for pull in world.pulls.values()] == [True]


def test_a_program_that_is_not_there(world: World) -> None:
    """Where the program is not installed, the thread is told what is missing."""
    for command in (["none-of-that-name"], []):
        end = world.hold(engine="command", command=command)
        assert end["outcome"] == "failed"
        assert "`packages`" in end["message"]


def test_a_model_that_cannot_be_reached(world: World) -> None:
    """A program that ends with an error because the model is overloaded puts the turn down."""
    player = CommandPlayer()
    player.play(world, ModelReply(fault=ApiError(529, "overloaded_error")))
    world.give(**player.turn)
    world.resume()
    assert (world.rested, world.ends) == (1, [])


def test_what_it_is_given(world: World) -> None:
    """It finds its model and the tools by the names that programs know, and no token of the run."""
    script = f"env; cat $HIVE_MCP_CONFIG; test -x $HIVE_MCP && test -w $HIVE_ENGINE_HOME; echo $?; {sys.executable} --version"
    end = hold(world, script)
    said = end["message"]
    assert f"HIVE_MCP={world.place.state}/runs/7/door/{SCRIPT}" in said
    for name in (
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_API_KEY",
        "ANTHROPIC_MODEL=scripted",
    ):
        assert name in said
    assert '{"mcpServers": {"hive": {"command":' in said
    assert "}}}0\nPython" in said
    assert "token-" not in said


def test_whatever_it_prints() -> None:
    """A program may print anything, as long as it likes: what is written down the host can read, and is not long."""
    lines: list[dict[str, Any]] = []
    journal = PlainJournal(Transcript([{"turn": 1, "mind": ""}], lambda _, line: lines.append(line)))
    journal.begin()
    for number in range(20_000):
        journal.heard(b"\x00\xff\x1b]0;title\x07 %d" % number)
    journal.calls("x" * 1000, {"a": {"b": ["c"]}, "d": "e" * 100_000}, {})
    journal.called("f" * 100_000, is_error=True, end=TurnEnded("answered", "g"))
    journal.heard(b"late")
    journal.over()
    assert all(line_of(1, line) for line in lines)
    assert len(lines) == 2
    assert len(json.dumps(lines)) < 200_000
    assert len(journal.words) <= LAST_WORDS
    assert journal.words.endswith("late")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting"),
        ("7", "it should be a list"),
        ("[7]", "it should be a list"),
        ('[{"replies": [{"calls": [{"name": "run"}]}]}]', "it should be a list"),
        ('[{"when": "(", "replies": []}]', "is no pattern"),
        ('[{"when": 7, "replies": []}]', "it should be a list"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_scripts_that_are_none(text: str, why: str) -> None:
    """A file of replies with a mistake is refused in words."""
    with pytest.raises(ValueError, match=why):
        read(text)


def test_scenes(world: World) -> None:
    """The newest message selects the scene, the number of replies since then the reply; a script has an end."""
    path: Path = world.place.config / FILE
    path.write_text(
        json.dumps(
            [
                {"when": "^second", "replies": [{"text": "Again."}]},
                {
                    "when": "first",
                    "replies": [{"text": "I look.", "calls": [{"name": "run", "input": {"command": "ls"}}]}],
                },
            ]
        )
    )
    said = [world.hold(message, engine="scripted")["message"] for message in ("The FIRST", "second", "third")]
    assert said == ["My script has no reply to this.", "Again.", "My script has no reply to this."]
    assert world.results() == ["app.py\nlib\n[exit status 0]"]
    path.unlink()
    assert world.hold(engine="scripted")["outcome"] == "failed"
