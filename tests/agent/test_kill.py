"""A harness that dies at any instruction, or is asked to go, and the one that comes after it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from hive.agent.errors import LeaseLost
from hive.demo.model import DiffResponder, ModelReply, Scene, Script, ToolCall

if TYPE_CHECKING:
    from tests.agent.conftest import World

BRANCH = "agent/iris/issue-1"
STORY = Script(
    [
        Scene(
            "",
            (
                ModelReply(calls=(ToolCall("write", {"path": "app.py", "content": "x = 1\nz = 1\n"}),)),
                ModelReply(
                    calls=(
                        ToolCall("edit", {"path": "app.py", "old": "x = 1", "new": "x = 1\ny = 2"}),
                        ToolCall("run", {"command": "test $(wc -l <app.py) = 3 && echo three"}),
                    )
                ),
                ModelReply(calls=(ToolCall("submit", {"title": "More letters", "summary": "As asked."}),)),
            ),
        )
    ],
    otherwise=DiffResponder(),
)


def assert_same_end(world: World) -> None:
    """The story's end, as if nothing had happened on the way."""
    assert [end["outcome"] for end in world.ends] == ["pushed"], world.ends
    assert list(world.pulls) == [BRANCH]
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 1\ny = 2\nz = 1"
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}") == "More letters"
    assert world.results()[2] == "three\n[exit status 0]"
    assert len(world.results()) == 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_request(world: World, when: str) -> None:
    """Killed before or after each thing that it asks of the host, it comes to the same end."""
    world.responder = STORY
    seen: set[str] = set()

    def kill_once(word: str) -> None:
        """Kill the process at the first request of each kind; those to the model differ by what went before."""
        place = f"{word} {len(world.transcript())}" if word.endswith("messages") else word
        if place.startswith("after") == (when == "after") and place not in seen:
            seen.add(place)
            world.kill()
            raise ConnectionResetError

    world.watch = kill_once
    world.give()
    for _ in range(30):
        world.start()
        world.wait_for(lambda: world.ends or not world.processes)
        if world.ends and not seen.isdisjoint({"end", "after end"}):
            break
    assert_same_end(world)
    assert len(seen) >= 8, seen


def test_killed_after_every_line(world: World) -> None:
    """Whatever of the transcript was written when it died, the story is told on from there, and only once."""
    world.responder = STORY
    world.hold()
    whole = world.transcript()
    for kept in range(len(whole)):
        world.lines[7] = whole[:kept]
        world.ends.clear()
        world.resume()
        assert world.transcript()[:kept] == whole[:kept]
        assert [end["outcome"] for end in world.ends] == ["pushed"]
        assert list(world.pulls) == [BRANCH]


def test_killed_in_a_command(world: World) -> None:
    """A command that did not come to its end is run again, and what it left running does not matter."""
    started = world.folder / "started"
    command = f"test -e {started} && echo again && exit; touch {started}; sleep 60"
    world.responder = Script(
        [Scene("", (ModelReply(calls=(ToolCall("run", {"command": command}),)), ModelReply("Done.")))], DiffResponder()
    )
    world.give()
    world.start()
    world.wait_for_file(started)
    world.kill()
    world.start()
    world.wait_for(lambda: world.ends)
    assert world.results() == ["again\n[exit status 0]"]
    assert world.ends[0]["steps"] == 2


@pytest.mark.parametrize(
    "damage",
    [
        "rm -rf ../../../runs; mkfifo ../../../runs",
        "rm -rf ../../7; ln -s /nonexistent/x ../../7",
        "rm -rf ../../7; touch ../../7",
        "rm -rf ../work; mkfifo ../work",
        "rm -rf ../work; ln -s / ../work",
        "rm -rf .git; mkfifo .git",
        "rm -rf .git; ln -s /etc .git",
        "rm -rf .git/HEAD .git/config; mkfifo .git/HEAD .git/config",
        "printf garbage >.git/config",
        "rm -rf .git/objects; ln -s / .git/objects",
        "echo garbage >.git/index",
        "mkfifo .git/index.lock",
        "mkfifo ../transcript.jsonl; ln -s /dev/zero ../../../home",
        "chmod 0 . .. .git",
    ],
)
def test_damaged_state(world: World, damage: str) -> None:
    """Whatever a command did to the harness' own files, the next turn knows all that was said, and can work."""
    world.responder = Script(
        [Scene("", (ModelReply(calls=(ToolCall("run", {"command": damage}),)), ModelReply("Done.")))], DiffResponder()
    )
    assert world.hold("first")["outcome"] == "answered"
    before = list(world.transcript())
    world.responder = STORY
    assert world.hold("second")["outcome"] == "pushed"
    assert world.transcript()[: len(before)] == before
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 1\ny = 2\nz = 1"


def test_stale_locks(world: World) -> None:
    """What a killed git locked is unlocked by the next process."""
    world.responder = STORY
    world.give()
    world.answers["pull"] = [503] * 3
    world.resume()
    assert world.left == 1
    for name in ("index.lock", "refs/heads/agent/iris/issue-1.lock"):
        (world.place.state / "runs/7/work/.git" / name).touch()
    world.resume()
    assert_same_end(world)


def test_half_a_clone(world: World) -> None:
    """A clone that was not finished is begun again."""
    part = world.place.state / "runs/7/work.part"
    (part / ".git").mkdir(parents=True)
    (part / ".git" / "config").write_text("half of it")
    world.responder = STORY
    world.hold()
    assert_same_end(world)
    assert not part.exists()


def test_end_is_only_reported(world: World) -> None:
    """A turn that has ended is not worked on again: its end is reported, and its words are said."""
    world.responder = Script([Scene("", (ModelReply("It is 42."),))], DiffResponder())
    world.give()
    world.answers["end"] = [503] * 3
    world.resume()
    assert world.left == 1
    lines = list(world.transcript())
    world.resume()
    assert world.transcript() == lines
    assert world.comments == {"end:1": "It is 42."}
    assert [end["message"] for end in world.ends] == ["It is 42."]


def test_open_calls(world: World) -> None:
    """Calls that nobody came to make are answered when the next turn begins: the API insists on it."""
    world.responder = STORY
    world.hold("first", max_steps=1)
    del world.lines[7][3:]
    world.responder = Script([Scene("second", (ModelReply("Well."),))], DiffResponder())
    assert world.hold("second")["outcome"] == "answered"
    assert world.results() == ["This was not done: the turn was over before."]


def test_sigterm_when_idle(world: World) -> None:
    """Without a turn, the process goes when it is asked to, and does not wait for the broker's answer."""
    words: list[str] = []
    world.watch = words.append
    process = world.start()
    world.wait_for(lambda: world.asked)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert words == ["turn"]


def test_sigterm_in_a_step(world: World) -> None:
    """With a turn, it finishes the step and goes; the next process takes the next step."""
    started, go = world.folder / "started", world.folder / "go"
    command = f"touch {started}; while [ ! -e {go} ]; do sleep 0.01; done; echo done"
    world.responder = Script(
        [Scene("", (ModelReply(calls=(ToolCall("run", {"command": command}),)), ModelReply("Good.")))], DiffResponder()
    )
    world.give()
    process = world.start()
    world.wait_for_file(started)
    process.send_signal(signal.SIGTERM)
    go.touch()
    assert process.wait(30) == 0
    assert world.results() == ["done\n[exit status 0]"]
    assert not world.ends
    world.start()
    world.wait_for(lambda: world.ends)
    assert world.comments == {"end:1": "Good."}


def test_lost_lease(world: World) -> None:
    """A turn that somebody else has by now is dropped without a word after the step."""
    go = world.folder / "go"
    world.responder = Script(
        [Scene("", (ModelReply(calls=(ToolCall("run", {"command": wait_for(str(go))}),)),))], DiffResponder()
    )
    world.answers["beat"] = [409]
    world.watch = lambda word: go.touch() if word == "after beat" else None
    world.give(lease=0.1)
    with pytest.raises(LeaseLost):
        world.resume()
    assert not world.ends
    assert not world.comments


def test_cancelled(world: World) -> None:
    """A turn that is cancelled stops after the step, and says so."""
    go = world.folder / "go"
    world.responder = Script(
        [Scene("", (ModelReply(calls=(ToolCall("run", {"command": wait_for(str(go))}),)),))], DiffResponder()
    )
    world.cancel = True
    world.watch = lambda word: go.touch() if word == "after beat" else None
    assert world.hold(lease=0.1)["outcome"] == "blocked"
    assert world.comments == {"end:1": "I was asked to stop, and did."}


def test_lease_is_kept(world: World) -> None:
    """The lease is renewed as long as a turn takes, and not after; a missed beat does no harm."""
    go = world.folder / "go"
    world.responder = Script(
        [Scene("", (ModelReply(calls=(ToolCall("run", {"command": wait_for(str(go))}),)), ModelReply("Ok.")))],
        DiffResponder(),
    )
    world.answers["beat"] = [503, 403]
    world.watch = lambda _: go.touch() if world.beats == 3 else None
    assert world.hold(lease=0.1)["outcome"] == "answered"
    assert world.beats >= 3


def wait_for(path: str) -> str:
    return f"while [ ! -e {path} ]; do sleep 0.01; done"
