"""Going round in circles: a model is warned once, and its turn ends with what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hive.agent.repetition import Exchange, verdict_on, warning_of
from hive.demo.model import ModelConversation, ModelReply, ToolCall

if TYPE_CHECKING:
    from tests.agent.conftest import World

LOOK = Exchange("run", '{"command": "ls"}', "a.py")
READ = Exchange("read", '{"path": "a.py"}', "x = 1")
EDIT = Exchange("edit", '{"path": "a.py"}', "Edited a.py.")
WRONG = Exchange("fly", "{}", "There is no tool fly.", is_sound=False)


@pytest.mark.parametrize("circle", [[LOOK], [LOOK, READ], [LOOK, READ, EDIT]])
def test_circles(circle: list[Exchange]) -> None:
    """A circle of up to three calls is noticed the third time it is closed, and ends the turn the fourth time."""
    for before in ([], [EDIT, READ]):
        assert not warning_of(before + circle * 2)
        assert "third time in a row" in warning_of(before + circle * 3)
        assert not verdict_on(before + circle * 3)
        assert verdict_on(before + circle * 4).startswith("I am stuck: 4 times in a row")


def test_what_is_no_circle() -> None:
    """The same call with another result, or with other work in between, is none."""
    for made in (
        [],
        [LOOK] * 2,
        [LOOK, Exchange("run", LOOK.given, "b.py")] * 1 + [LOOK],
        [LOOK, READ, EDIT, WRONG] * 2,
    ):
        assert not warning_of(made)
        assert not verdict_on(made)
    changing = [Exchange("run", LOOK.given, f"{number} failed") for number in range(20)]
    assert not verdict_on(changing)
    fixing = [each for number in range(9) for each in (Exchange("edit", f"{number}", "Edited."), LOOK)]
    assert not verdict_on(fixing)


def test_a_warning_is_no_other_result() -> None:
    """The warning that stands beside a result does not make it another one."""
    warned = Exchange(LOOK.name, LOOK.given, LOOK.result + warning_of([LOOK] * 3))
    assert verdict_on([LOOK, LOOK, warned, LOOK])
    assert "third time" not in verdict_on([LOOK, LOOK, LOOK, warned])


def test_calls_that_no_tool_takes() -> None:
    """Three malformed calls in a row are warned of, and one more ends the turn, however different they are."""
    wrong = [Exchange("fly", f"{number}", f"no {number}", is_sound=False) for number in range(4)]
    assert warning_of(wrong[:3])
    assert not verdict_on([*wrong[:3], LOOK, *wrong[:3]])
    assert "a call that no tool takes" in verdict_on([LOOK, *wrong])


def test_no_block_is_closed_from_within() -> None:
    """What people are shown of a call stays in its block of code, and is short."""
    said = verdict_on([Exchange("run", "````\n@mara", "`" * 10 + "x" * 5000)] * 4)
    assert "\n`````\nrun ````\n@mara\n`````\n" in said
    assert len(said) < 1500


class Stubborn:
    """A model that makes one call again and again."""

    def __init__(self, call: ToolCall) -> None:
        self.call = call

    def reply(self, conversation: ModelConversation) -> ModelReply:
        return ModelReply(calls=(self.call,))


@pytest.mark.parametrize(
    ("call", "words"),
    [(ToolCall("read", {"path": "app.py"}), 'read {"path": "app.py"}'), (ToolCall("fly", {}), "There is no tool fly")],
)
def test_a_turn_ends(world: World, call: ToolCall, words: str) -> None:
    """A model that does not heed the warning is stopped, and people read what it did."""
    world.responder = Stubborn(call)
    end = world.hold()
    assert (end["outcome"], end["steps"]) == ("blocked", 4)
    assert end["message"].startswith("I am stuck: 4 times in a row")
    assert words in end["message"]
    assert [("third time" in text) for text in world.results()] == [False, False, True, False]
    assert world.comments["end:1"] == end["message"]
