"""The health check of a new configuration, as the harness makes it."""

from __future__ import annotations

import json

import pytest

from tests.agent.conftest import World


@pytest.fixture
def check(world: World) -> str:
    """A check that succeeds when a file is there, and leaves a mark of having run."""
    command = "echo ran >> ran; test -e healthy || { echo 'no pytest' >&2; exit 3; }"
    (world.place.config / "agent.json").write_text(json.dumps({"generation": "0a1b2c", "health": command}))
    return command


def test_a_new_configuration_that_is_well_takes_turns(world: World, check: str) -> None:
    """The check comes before the first heartbeat, in the home of the agent's commands."""
    home = world.place.state / "home"
    home.mkdir(parents=True)
    (home / "healthy").touch()
    world.start(HIVE_NEW="1")
    world.wait_for(lambda: world.asked)
    assert "trouble" not in world.asked[0]
    assert (home / "ran").read_text() == "ran\n"


def test_a_new_configuration_that_is_not_says_so_and_works_on_nothing(world: World, check: str) -> None:
    """Its words are command, output and status; it takes no turn that waits, and leaves when it is told to."""
    world.give("Do it.")
    process = world.start(HIVE_NEW="1")
    world.wait_for(lambda: world.asked)
    assert world.asked[0]["trouble"] == f"its health check failed: {check}\nno pytest\n[exit status 3]"
    process.terminate()
    assert process.wait(60) == 0
    assert [asked.get("trouble", "a heartbeat") for asked in world.asked] == [world.asked[0]["trouble"]]


def test_what_ran_before_is_not_checked(world: World, check: str) -> None:
    """A container that starts again, for another run or after a crash, loses no time."""
    world.start()
    world.wait_for(lambda: world.asked)
    assert "trouble" not in world.asked[0]
    assert not (world.place.state / "home" / "ran").exists()
