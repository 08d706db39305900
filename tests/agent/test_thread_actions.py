"""What an agent does on the forge beside its work goes on with the turn, and is done once."""

from __future__ import annotations

from hive.demo.model import ToolCall
from tests.agent.conftest import World
from tests.agent.test_tools import Calls

FINISH = ToolCall("finish", {"outcome": "answered", "message": "Done."})


def test_each_goes_on_with_the_turn(world: World) -> None:
    """A comment, a look at the work, and requests come back as words to go on with; the same words are said once."""
    world.responder = Calls(
        ToolCall("comment", {"body": "I found it."}),
        ToolCall("comment", {"body": "I found it."}),
        ToolCall("status", {}),
        ToolCall("logs", {"lines": 1}),
        ToolCall("update_pr", {"title": "Mend it"}),
        ToolCall("config_request", {"title": "librsvg", "what": "the package", "why": "icons"}),
        FINISH,
    )
    assert world.hold(capabilities=["comment", "config_request", "status", "update_pr"])["outcome"] == "answered"
    said = world.results()
    assert said[:2] == ["Posted."] * 2
    assert sorted(world.comments.values()) == ["Done.", "I found it."]
    assert '"run": 7' in said[2]
    assert said[3] == "last"
    assert (world.edits[0]["title"], "body" in world.edits[0]) == ("Mend it", False)
    assert said[5] == "Filed as forgejo:agent-configs/iris#9."


def test_what_the_host_refuses_is_told_to_the_model(world: World) -> None:
    """A call that is not granted is a result like any other: the turn goes on and ends in words."""
    world.answers["comment"] = [403]
    world.responder = Calls(ToolCall("comment", {"body": "b"}), ToolCall("update_pr", {}), FINISH)
    assert world.hold()["outcome"] == "answered"
    assert world.results()[:2] == ["comment: comment: scripted", "Give a title, or a body."]


def test_a_question_ends_the_turn(world: World) -> None:
    """What is asked goes to the host with its options and how long to wait, and nothing is called after it."""
    world.responder = Calls(
        ToolCall("ask", {"question": " "}),
        ToolCall("ask", {"question": "a or b?", "options": ["a", "b"], "hours": 4, "to": "author"}),
        FINISH,
    )
    end = world.hold(capabilities=["ask"])
    assert (end["outcome"], end["message"]) == ("asked", "a or b?")
    (asked,) = world.questions
    assert (asked["options"], asked["ttl"], asked["to"]) == (["a", "b"], 4 * 3600, "author")
    assert world.results()[:2] == ["The question is empty.", "a or b?"]


def test_giving_an_issue_back_ends_the_turn(world: World) -> None:
    """The reason and the owner go to the host, and no last word is said: the comment is one."""
    world.responder = Calls(
        ToolCall("not_my_lane", {"why": " "}),
        ToolCall("not_my_lane", {"why": "It is the flake's.", "owner": "noah"}),
        FINISH,
    )
    end = world.hold(capabilities=["comment"])
    assert (end["outcome"], end["message"]) == ("bounced", "It is the flake's.")
    (bounced,) = world.bounces
    assert (bounced["why"], bounced["owner"]) == ("It is the flake's.", "noah")
    assert world.results()[:2] == ["Say why it is not of your lane.", "It is the flake's."]
    assert "Done." not in world.comments.values()


def test_who_may_not_give_it_back_goes_on(world: World) -> None:
    """What the host refuses is told, and the turn ends as it would have."""
    world.answers["not_my_lane"] = [403]
    world.responder = Calls(ToolCall("not_my_lane", {"why": "Not mine."}), FINISH)
    assert world.hold(capabilities=["comment"])["outcome"] == "answered"
    assert world.results()[0] == "not_my_lane: not_my_lane: scripted"
