"""The contract of engines: whatever works on a turn, it ends in honest words, and nothing leaves unchecked."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hive.agent.errors import Shutdown
from hive.demo.model import ModelReply
from tests.agent.engine_players import PLAYERS, STAND_IN, Player, finish, run, submit, write
from tests.agent.process_tree import descendants
from tests.nightly import by_night

if TYPE_CHECKING:
    from tests.agent.conftest import World

BRANCH = "agent/iris/issue-1"
CHECK = "grep -q 'x = 2' app.py || { echo 'x is not two'; false; }"

pytestmark = pytest.mark.parametrize("player", PLAYERS, ids=str)


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH whose `claude` is a stand-in that takes its options and speaks its language."""
    program = tmp_path / "claude"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -ISs {STAND_IN} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_pull_request(world: World, player: Player) -> None:
    """A task becomes a pull request with what was checked, and a transcript that tells how."""
    player.play(world, run("cat app.py"), write("app.py", "x = 2\n"), submit())
    end = world.hold("Count from two.", checks=[CHECK], **player.turn)
    assert end["outcome"] == "pushed"
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"
    assert world.pulls[BRANCH]["title"] == "Count from two"
    assert world.pulls[BRANCH]["checks"] == [{"command": CHECK, "ok": True}]
    assert not world.comments
    assert "x = 1" in str(world.transcript())
    assert end["steps"] >= 1
    assert world.transcript()[-1]["end"]["outcome"] == "pushed"


def test_words(world: World, player: Player) -> None:
    """A turn without a change ends in words, which are said on the thread once."""
    player.play(world, ModelReply("It is 42."))
    assert world.hold(**player.turn)["outcome"] == "answered"
    player.play(world, finish("blocked", "Which number?"))
    assert world.hold(**player.turn)["outcome"] == "blocked"
    assert world.comments == {"end:1": "It is 42.", "end:2": "Which number?"}
    assert not world.pulls


def test_red_check(world: World, player: Player) -> None:
    """A red check is shown to the engine, and nothing leaves the container before it is green."""
    player.play(world, write("app.py", "x = 5\n"), submit(), write("app.py", "x = 2\n"), submit())
    end = world.hold(checks=["true", CHECK], **player.turn)
    assert end["outcome"] == "pushed"
    assert any("x is not two\n[exit status 1]" in said for said in world.results())
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}") == "Count from two"


def test_check_that_stays_red(world: World, player: Player) -> None:
    """What never becomes green is a draft at most, and the end says so."""
    player.play(world, write("app.py", "x = 5\n"), submit(), finish("blocked", "It should be five, I think."))
    end = world.hold(checks=[CHECK], **player.turn)
    message = "It should be five, I think.\n\nWhat there is of my work is a draft: acme/app#2."
    assert (end["outcome"], end["message"]) == ("blocked", message)
    assert [pull["draft"] for pull in world.pulls.values()] == [True]


def test_limit_of_steps(world: World, player: Player) -> None:
    """Who makes too many steps is stopped, in plain words."""
    player.play(world, *[run("true")] * 9)
    end = world.hold(max_steps=3, **player.turn)
    assert (end["outcome"], end["steps"]) == ("blocked", 3)
    assert world.comments["end:1"] == "I stopped after 3 steps without reaching an end."


def test_limit_of_time(world: World, player: Player) -> None:
    """Who takes too long is stopped in what it does, in plain words."""
    player.play(world, run("sleep 600"), run("true"))
    end = world.hold(minutes=0.02, **player.turn)
    assert end["outcome"] == "blocked"
    assert "0.02 minutes" in end["message"]


def test_cancelled(world: World, player: Player) -> None:
    """A turn that is cancelled stops after the step at the latest, and says so."""
    go = world.folder / "go"
    player.play(world, run(f"while [ ! -e {go} ]; do sleep 0.01; done"), ModelReply("Never said."))
    world.cancel = True
    world.watch = lambda word: go.touch() if word == "after beat" else None
    assert world.hold(lease=0.1, **player.turn)["outcome"] == "blocked"
    assert world.comments == {"end:1": "I was asked to stop, and did."}


def test_paused_and_taken_up(world: World, player: Player) -> None:
    """A turn that is put down between two steps comes again, and goes on to the same end."""
    go = world.folder / "go"
    player.play(world, run(f"while [ ! -e {go} ]; do sleep 0.01; done"), write("app.py", "x = 2\n"), submit())
    world.rest = True
    world.watch = lambda word: go.touch() if word == "after beat" else None
    world.give(lease=0.1, **player.turn)
    world.resume()
    assert (world.rested, world.ends) == (1, [])
    world.rest = False
    go.touch()
    world.resume()
    assert [end["outcome"] for end in world.ends] == ["pushed"]
    assert list(world.pulls) == [BRANCH]


def test_shutdown(world: World, player: Player) -> None:
    """A process that is asked to go leaves the turn to the next one, which comes to its end."""
    steps: list[str] = []

    def leave() -> None:
        if len(steps) >= 3:
            raise Shutdown

    player.play(world, write("app.py", "x = 2\n"), run("true"), submit())
    world.watch = lambda word: steps.append(word) if word == "transcript" else None
    world.give(**player.turn)
    with pytest.raises(Shutdown):
        world.resume(leaving=leave)
    assert not world.ends
    world.resume()
    assert [end["outcome"] for end in world.ends] == ["pushed"]
    assert list(world.pulls) == [BRANCH]


@pytest.mark.parametrize("line", [3, *by_night(1, 5)])
def test_killed(world: World, player: Player, line: int) -> None:
    """Killed as soon as a line of the transcript is kept, it comes to the same end."""
    lines: list[str] = []

    def kill_once(word: str) -> None:
        if word == "after transcript":
            lines.append(word)
            if len(lines) == line:
                world.kill()
                raise ConnectionResetError

    player.play(world, write("app.py", "x = 2\n"), run("true"), submit())
    world.watch = kill_once
    world.give(checks=["true", CHECK], **player.turn)
    world.start()
    world.wait_for(lambda: world.ends or not world.processes)
    if not world.ends:
        world.start()
    world.wait_for(lambda: world.ends)
    assert [end["outcome"] for end in world.ends] == ["pushed"]
    assert list(world.pulls) == [BRANCH]
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}") == "Count from two"
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"


def test_nothing_is_left_running(world: World, player: Player) -> None:
    """No process of a turn outlives it, nor does what it left in the background."""
    before = descendants(os.getpid())
    player.play(world, run("setsid sleep 600 >/dev/null 2>&1 &"), ModelReply("Done."))
    assert world.hold(**player.turn)["outcome"] == "answered"
    assert [pid for pid in descendants(os.getpid()) if pid not in before] == []
