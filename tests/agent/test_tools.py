"""The tools, one by one, in a work tree of their own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hive.agent import files, shell
from hive.agent.engines.native import TOOLS
from hive.agent.errors import ToolError
from hive.agent.tool_declarations import Tool
from hive.demo.model import ModelConversation, ModelReply, ToolCall

if TYPE_CHECKING:
    from tests.agent.conftest import World


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / ".git").mkdir(parents=True)
    (tree / "a.py").write_text("one\ntwo\none\n")
    return tree


class TestInside:
    """inside: no path leads out."""

    @pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "a/../b", "out/x", "out", "loop", ".."])
    def test_escapes(self, tree: Path, path: str) -> None:
        """Neither dots, nor an absolute path, nor a symbolic link leads out of the work tree."""
        (tree / "out").symlink_to(tree.parent)
        (tree / "loop").symlink_to("/etc/hostname")
        with pytest.raises(ToolError, match="outside"):
            files.inside(tree, path)

    @pytest.mark.parametrize("path", [".git/config", ".git", "sub/.git/hooks/x", "link/config"])
    def test_git(self, tree: Path, path: str) -> None:
        """Git's own files are not for these tools."""
        (tree / "link").symlink_to(".git")
        with pytest.raises(ToolError, match="git"):
            files.inside(tree, path)

    def test_links_inside(self, tree: Path) -> None:
        """A symbolic link that stays inside is followed."""
        (tree / "b.py").symlink_to("a.py")
        assert files.inside(tree, "b.py") == tree / "a.py"


class TestEdit:
    """edit: one place, or none."""

    def test_once(self, tree: Path) -> None:
        """The one place is replaced, and nothing else changes."""
        (tree / "a.py").write_bytes(b"one\r\ntwo\r\n\xc3\xbc")
        files.edit(tree, "a.py", "two", "2\n3")
        assert (tree / "a.py").read_bytes() == b"one\r\n2\r\n3\r\n\xc3\xbc"

    @pytest.mark.parametrize(("old", "times"), [("one", 2), ("three", 0), ("", 0)])
    def test_not_once(self, tree: Path, old: str, times: int) -> None:
        """Text that stands there more than once, or not at all, is left as it is."""
        with pytest.raises(ToolError, match=f"{times} times"):
            files.edit(tree, "a.py", old, "x")
        assert (tree / "a.py").read_text() == "one\ntwo\none\n"

    @pytest.mark.parametrize("new", ["TWO", "two\nand a half", "before two"])
    def test_again(self, tree: Path, new: str) -> None:
        """Made twice is made once, also when the new text holds the old."""
        files.edit(tree, "a.py", "two", new)
        once = (tree / "a.py").read_text()
        assert "already" in files.edit(tree, "a.py", "two", new)
        assert (tree / "a.py").read_text() == once

    def test_deletion(self, tree: Path) -> None:
        """Nothing may be put in the place of something."""
        files.edit(tree, "a.py", "two\n", "")
        assert (tree / "a.py").read_text() == "one\none\n"

    def test_no_file(self, tree: Path) -> None:
        """What is not there cannot be edited."""
        with pytest.raises(ToolError, match="no file"):
            files.edit(tree, "b.py", "a", "b")


class TestRun:
    """run: by the clock, in short, and nothing left behind."""

    def test_status_and_output(self, tree: Path) -> None:
        """Both outputs are seen in their order, in the top folder, without input."""
        outcome = shell.run("pwd; echo err >&2; cat; exit 3", tree, seconds=20)
        assert str(outcome) == f"{tree}\nerr\n[exit status 3]"
        assert str(shell.run("true", tree, seconds=20)) == "[exit status 0]"

    def test_long_output(self, tree: Path) -> None:
        """Long output keeps its head and its tail, and says how much is missing."""
        outcome = shell.run("echo begin; yes | head -c 3000000; echo; echo end", tree, seconds=20)
        assert outcome.output.startswith("begin\ny\n")
        assert outcome.output.endswith("y\n\nend")
        assert f"… {3_000_000 + 11 - shell.HEAD - shell.TAIL} bytes left out …" in outcome.output
        assert len(outcome.output) < 10_100

    def test_just_short_enough(self, tree: Path) -> None:
        """Output that fits is whole, wide characters too."""
        outcome = shell.run("printf 'ü%.0s' $(seq 5000)", tree, seconds=20)
        assert outcome.output == "ü" * 5000

    def test_bytes_that_are_no_text(self, tree: Path) -> None:
        """Whatever is written becomes text."""
        assert shell.run(r"printf '\377a'", tree, seconds=20).output == "\ufffda"

    @pytest.mark.parametrize(
        "command", ["sleep 60", "sleep 60 & wait", "yes >/dev/null", "exec sleep 60", "exec >&- 2>&-; sleep 60"]
    )
    def test_time_is_up(self, tree: Path, command: str) -> None:
        """What takes too long is stopped with all that it started."""
        for seconds in (0.2, 2, 20):
            outcome = shell.run(f"echo $$ > pid; {command}", tree, seconds=seconds)
            assert outcome.status is None
            if (tree / "pid").exists() and (written := (tree / "pid").read_text()):
                break  # a busy machine may need longer until the command has begun
        assert group_is_gone(int(written))

    def test_left_running(self, tree: Path) -> None:
        """What a command leaves running is stopped, and does not hold it up."""
        outcome = shell.run("echo $$ > pid; sleep 60 & echo begun", tree, seconds=30)
        assert str(outcome) == "begun\n[exit status 0]"
        assert group_is_gone(int((tree / "pid").read_text()))

    @pytest.mark.parametrize(
        "leave",
        [
            "setsid sleep 60 & echo $! >left",
            "(setsid setsid sh -c 'echo $$ >left; exec sleep 60' &); while [ ! -s left ]; do sleep 0.01; done",
            "sh -c 'trap \"\" TERM HUP INT; echo $$ >left; while :; do sleep 1; done' & while [ ! -s left ]; do :; done",
        ],
    )
    @pytest.mark.parametrize("end", ["exit 3", "sleep 60"])
    def test_nothing_leaves(self, tree: Path, leave: str, end: str) -> None:
        """What leaves its session, its parent or its signals behind is ended with its command all the same."""
        outcome = shell.run(f"{leave}\n{end}", tree, seconds=20 if end == "exit 3" else 3)
        assert outcome.status == (3 if end == "exit 3" else None)
        assert is_gone(int((tree / "left").read_text()))

    def test_no_word_of_the_harness(self, tree: Path) -> None:
        """A command is not told what the harness is told, and ends by its own signal."""
        outcome = shell.run("env; kill -9 $$", tree, seconds=20)
        assert "HIVE_" not in outcome.output
        assert "PYTHONPATH" not in outcome.output
        assert outcome.status == -9


class Calls:
    """A brain that makes calls, and then is done."""

    def __init__(self, *calls: ToolCall) -> None:
        self.calls = calls

    def reply(self, conversation: ModelConversation) -> ModelReply:
        return ModelReply("Done.") if conversation.round else ModelReply(calls=self.calls)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (ToolCall("fly", {}), "There is no tool fly; there are run, read"),
        (ToolCall("run", {}), "run takes command; given were none"),
        (ToolCall("run", {"command": "a", "x": "b"}), "given were command, x"),
        (ToolCall("run", {"command": ["a"]}), "command must be a text"),
        (ToolCall("run", {"command": "a\0b"}), "command must be a text"),
        (ToolCall("run", {"command": "x" * 300_000}), "Argument list too long"),
        (ToolCall("write", {"path": "../x", "content": ""}), "outside"),
        (ToolCall("write", {"path": "x" * 300, "content": ""}), "File name too long"),
        (ToolCall("write", {"path": "loop", "content": ""}), "Too many levels of symbolic links"),
        (ToolCall("write", {"path": "loop/x", "content": ""}), "loop"),
        (ToolCall("edit", {"path": "loop", "old": "a", "new": "b"}), "There is no file loop"),
        (ToolCall("edit", {"path": "huge", "old": "a", "new": "b"}), "huge is larger than 8 MiB"),
        (ToolCall("write", {"path": "lib", "content": ""}), "Is a directory"),
        (ToolCall("write", {"path": "x", "content": "\ud800"}), "surrogates not allowed"),
        (ToolCall("edit", {"path": "binary", "old": "a", "new": "b"}), "can't decode"),
        (ToolCall("submit", {"title": " \n ", "summary": "x"}), "title is empty"),
        (ToolCall("finish", {"outcome": "pushed", "message": "x"}), "outcome must be one of answered, blocked"),
        (ToolCall("finish", {"outcome": "answered", "message": " "}), "message is empty"),
        (ToolCall("propose", {"path": "/x", "content": "", "title": "t", "why": "w"}), "outside"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_mistakes(world: World, call: ToolCall, words: str) -> None:
    """A call that cannot be made is told to the model as an error, and the turn goes on."""
    world.responder = Calls(
        ToolCall(
            "run", {"command": "printf '\\377' > binary; ln -s loop loop; truncate -s 1T huge || truncate -s 4G huge"}
        ),
        call,
    )
    assert world.hold()["outcome"] == "answered"
    result = world.transcript()[3]["content"][1]
    assert result["is_error"]
    assert words in result["content"]


def test_refused_by_the_broker(world: World) -> None:
    """What the broker does not grant is told to the model."""
    world.answers["pull"] = [403]
    world.responder = Calls(
        ToolCall("write", {"path": "app.py", "content": "x = 2\n"}), ToolCall("submit", {"title": "t", "summary": "s"})
    )
    assert world.hold()["outcome"] == "answered"
    assert world.results()[1] == "submit: pull: scripted"


def test_refused_push(world: World) -> None:
    """A push that the forge refuses is told to the model in git's words."""
    hook = world.folder / "git/acme/app.git/hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on a Sunday >&2; exit 1\n")
    hook.chmod(0o755)
    world.responder = Calls(
        ToolCall("write", {"path": "app.py", "content": "x = 2\n"}), ToolCall("submit", {"title": "t", "summary": "s"})
    )
    assert world.hold()["outcome"] == "answered"
    assert "not on a Sunday" in world.results()[1]
    assert not world.pulls


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_schemas(tool: Tool) -> None:
    """Each tool says what it does, and what it needs."""
    schema = tool.offer["input_schema"]
    assert tool.description.endswith(".")
    assert set(schema["required"]) == set(schema["properties"]) - tool.optional
    assert not schema["additionalProperties"]


def is_gone(pid: int) -> bool:
    """Whether there is no such process, or only what is left to be reaped of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def group_is_gone(group: int) -> bool:
    """Whether no process of a group is left that runs: those that were killed may wait for their parent."""
    until = time.monotonic() + 240
    while time.monotonic() < until:
        if group not in groups():
            return True
    return False


def groups() -> set[int]:
    """The groups of all processes that are not dead."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # gone meanwhile
            continue
        if state != "Z":
            found.add(int(group))
    return found
