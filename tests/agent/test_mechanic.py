"""The mechanic does what is written, says what it did and did not, and refuses the rest once."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hive.agent.errors import Shutdown
from tests.agent.process_tree import descendants

if TYPE_CHECKING:
    from tests.agent.conftest import World

BRANCH = "agent/iris/issue-1"
PATCH = "--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
LINK = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n"
BINARY = "diff --git a/b.bin b/b.bin\nnew file mode 100644\nGIT binary patch\nliteral 1\nIcmZPo000310RR91\n\n"


def asked(title: str = "", body: str = "", **more: Any) -> dict[str, Any]:
    """A turn for the mechanic."""
    request = {"title": title, "body": body, "author": "mara", "is_trusted": True, "is_cut": False, "remarks": []}
    return {"engine": "mechanic", "request": {**request, **more}}


def shown(world: World, path: str) -> str:
    """A file of the branch that was pushed."""
    return world.git("acme/app", "show", f"{BRANCH}:{path}")


def test_a_patch_becomes_a_pull_request(world: World) -> None:
    """What is pasted is applied, checked and pushed; the body says what was done, and how large it is."""
    end = world.hold(checks=["grep -q 'x = 2' app.py"], **asked("Count from two", f"```diff\n{PATCH}```"))
    assert end["outcome"] == "pushed"
    assert shown(world, "app.py") == "x = 2"
    pull = world.pulls[BRANCH]
    assert pull["title"] == "Count from two"
    assert "- applied the patch to `app.py`" in pull["body"]
    assert "1 file changed, 1 insertion(+), 1 deletion(-)" in pull["body"]
    assert pull["checks"] == [{"command": "grep -q 'x = 2' app.py", "ok": True}]
    assert not world.comments
    assert [line["role"] for line in world.transcript() if "role" in line] == ["user", "assistant", "user"]


def test_a_patch_by_hand(world: World) -> None:
    """A hunk without context behind it, with wrong counts or with a moved line fits where its lines stand, if they stand there once."""
    world.hold(**asked(body="Overwrite `app.py` with:\n```\na = 1\nb = 2\n\nx = 1\ny = 2\nz = 3\n```"))
    text = "--- app.py\n+++ app.py\n@@ -1,9 +1,2 @@\n b = 2\n \n-x = 1\n+x = 2\n"
    end = world.hold(**asked(body=f"Here:\n\n{text}"))
    assert end["outcome"] == "pushed"
    assert shown(world, "app.py") == "a = 1\nb = 2\n\nx = 2\ny = 2\nz = 3"


def test_a_patch_that_does_not_fit(world: World) -> None:
    """It is said which hunk does not fit and why, and nothing is pushed, not even what would have fit."""
    text = PATCH.replace("x = 1", "x = 7") + "--- a/lib/deep.py\n+++ b/lib/deep.py\n@@ -1 +1 @@\n-y = 1\n+y = 2\n"
    end = world.hold(**asked("Count", f"```diff\n{text}```\n\nRename `y` to `z`."))
    assert end["outcome"] == "blocked"
    assert "hunk 1 of `app.py` (`@@ -1 +1 @@`) does not fit: the file does not have the line `x = 7`" in end["message"]
    assert not world.pulls
    assert not world.git("acme/app", "branch", "--list", BRANCH)


def test_many_wishes(world: World) -> None:
    """Each is done by itself, and what cannot be done is in the body, with what was not understood."""
    body = "- rename `y` to `why`\n- rename `nope` to `yep`\n- create `NOTES.md` with:\n\n```\nHello\n```\n\nAlso add retry logic."
    end = world.hold(**asked("replace `x = 1` with `x = 3` in `app.py`", body))
    assert end["outcome"] == "partial"
    assert [shown(world, path) for path in ("app.py", "lib/deep.py", "NOTES.md")] == ["x = 3", "why = 1", "Hello"]
    pull = world.pulls[BRANCH]
    assert "- renamed `y` to `why` on 1 line of `lib/deep.py`" in pull["body"]
    assert "- Rename nope to yep: there is no `nope` in the code" in pull["left"]
    assert "- not understood, so left to a person: `Also add retry logic`" in pull["left"]
    assert "there is no `nope`" in end["message"]
    assert end["steps"] == 4
    assert world.shown == [(1, 3), (2, 2), (3, 1), (4, 0)]


def test_a_refusal_is_said_once(world: World) -> None:
    """What needs thinking is refused in words that list what can be done; on the same run they are not said again."""
    first = world.hold(**asked("Add a page for one hive", "It would help."))
    assert first["outcome"] == "blocked"
    assert "there is no model behind me" in first["message"]
    assert "s/teh/the/" in first["message"]
    second = world.hold(**asked("", "Are you sure?"))
    assert (second["outcome"], second["message"]) == ("blocked", "")
    third = world.hold(**asked("", "Rename `x` to `ex`, please."))
    assert third["outcome"] == "pushed"


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"title": "Rename projects to teams"}, "put both names between backticks"),
        ({"title": "Replace `x` with `y`"}, "say where"),
        (
            {"title": "Add dark mode", "body": "Plan:\n- rename `x` to `ex`\n- add a toggle"},
            "asked for alone:\n- Rename x to ex",
        ),
        ({"title": "Look", "body": PATCH, "is_cut": True}, "put it between ```diff and ```"),
    ],
)
def test_what_is_nearly_asked(world: World, request_: Mapping[str, Any], says: str) -> None:
    """Nothing is changed on a guess; what is missing is said."""
    end = world.hold(**asked(**request_))
    assert end["outcome"] == "blocked"
    assert says in end["message"]
    assert not world.pulls


def test_a_check_that_fails(world: World) -> None:
    """What a check refuses is a draft at most; its output is on the thread."""
    end = world.hold(
        checks=["grep -q 'x = 1' app.py || { echo 'not one'; false; }"], **asked(body=f"```diff\n{PATCH}```")
    )
    assert end["outcome"] == "blocked"
    assert "not one\n[exit status 1]" in end["message"]
    assert [pull["draft"] for pull in world.pulls.values()] == [True]


def test_nothing_to_do(world: World) -> None:
    """What is so already is said, and is no change."""
    end = world.hold(**asked("replace `x = 0` with `x = 1` in `app.py`"))
    assert (end["outcome"], end["message"]) == ("answered", "There is nothing to do:\n- `app.py` reads so already")


def test_a_finding_is_fixed(world: World) -> None:
    """What a review suggests on a line becomes a commit on the pull request's branch, wherever the line is by now."""
    world.hold(**asked(body=f"```diff\n{PATCH}```"))
    finding = {"path": "app.py", "line": 9, "text": "Say three", "was": "x = 2", "suggestion": "x = 3"}
    end = world.hold(**asked(remarks=[finding]))
    assert end["outcome"] == "pushed"
    assert shown(world, "app.py") == "x = 3"
    assert (
        world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}")
        == "Change app.py as suggested\nApply the given patch"
    )
    gone = world.hold(**asked(remarks=[{**finding, "was": "import os", "suggestion": ""}]))
    assert gone["outcome"] == "blocked"
    assert "`import os`" in gone["message"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PATCH.replace("app.py", "../app.py"), "is no path within the repository"),
        (PATCH.replace("a/app.py", "a/.git/config").replace("b/app.py", "b/.git/config"), "is no path within"),
        (PATCH.replace("a/app.py", "/etc/passwd").replace("b/app.py", "/etc/passwd"), "is no path within"),
        (LINK, "a link or a repository within"),
        (BINARY, "binary parts"),
        ("--- a/no.py\n+++ b/no.py\n@@ -1 +1 @@\n-x\n+y\n", "changes `no.py`, which is not there"),
        ("--- /dev/null\n+++ b/app.py\n@@ -0,0 +1 @@\n+x\n", "creates `app.py`, which is there already"),
    ],
)  # fmt: skip
def test_hostile_patches(world: World, text: str, says: str) -> None:
    """A patch changes text files of the repository and nothing else."""
    end = world.hold(**asked(body=f"```diff\n{text}```"))
    assert end["outcome"] == "blocked"
    assert says in end["message"]
    assert not world.pulls


@pytest.mark.parametrize(
    "path", ["../x", ".git/hooks/pre-commit", "/etc/x", ".GIT/config", "a/../../x", "x" * 300, "lib"]
)
def test_hostile_paths(world: World, path: str) -> None:
    """No file is written outside of the tree, or where git keeps its own."""
    end = world.hold(**asked(body=f"Create `{path}` with:\n```\nx\n```"))
    assert end["outcome"] == "blocked"
    assert not world.pulls


def test_killed(world: World) -> None:
    """Killed at any line of the transcript, it comes to the same end, with one commit."""
    lines: list[str] = []

    def kill_at(word: str) -> None:
        if word == "after transcript":
            lines.append(word)
            if len(lines) in {2, 5, 7, 9, 11}:
                world.kill()
                raise ConnectionResetError

    world.watch = kill_at
    world.give(**asked("rename `x` to `ex`", "replace `y = 1` with `y = 2` in `lib/deep.py`"))
    while not world.ends:
        world.start()
        world.wait_for(lambda: world.ends or not world.processes)
    assert [end["outcome"] for end in world.ends] == ["pushed"]
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}") == "rename `x` to `ex`"
    assert [shown(world, path) for path in ("app.py", "lib/deep.py")] == ["ex = 1", "y = 2"]


def test_killed_after_the_commit(world: World) -> None:
    """A process that died between its commit and the push does not take its own commit for the state before."""

    def kill_once(word: str) -> None:
        if word == "app.git/git-receive-pack" and not world.ends:
            world.watch = lambda _: None
            world.kill()
            raise ConnectionResetError

    world.watch = kill_once
    world.give(**asked("rename `x` to `ex`"))
    world.start()
    world.wait_for(lambda: world.ends or not world.processes)
    world.start()
    world.wait_for(lambda: world.ends)
    assert [end["outcome"] for end in world.ends] == ["pushed"]
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}") == "rename `x` to `ex`"


def beaten(world: World) -> None:
    """After its second line the turn waits until the host has answered a heartbeat of it."""
    lines: list[str] = []

    def wait(word: str) -> None:
        lines.append(word)
        if lines.count("after transcript") == 2:
            while "after beat" not in lines:
                time.sleep(0.01)

    world.watch = wait


WISHES = asked("rename `x` to `ex`", "- rename `y` to `why`\n- create `a.md` with:\n```\na\n```")


def test_cancelled(world: World) -> None:
    """A turn that is cancelled stops between two steps, says so, and nothing of it leaves."""
    world.cancel = True
    beaten(world)
    end = world.hold(lease=0.1, **WISHES)
    assert (end["outcome"], end["message"]) == ("blocked", "I was asked to stop, and did.")
    assert not world.pulls


def test_paused_and_taken_up(world: World) -> None:
    """A turn that is put down between two steps comes again, and comes to the same end with one commit."""
    world.rest = True
    beaten(world)
    world.give(lease=0.1, **WISHES)
    world.resume()
    assert (world.rested, world.ends) == (1, [])
    world.rest = False
    world.resume()
    assert [end["outcome"] for end in world.ends] == ["pushed"]
    assert [shown(world, path) for path in ("app.py", "lib/deep.py", "a.md")] == ["ex = 1", "why = 1", "a"]
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}") == "rename `x` to `ex`"


def test_shutdown(world: World) -> None:
    """A process that is asked to go leaves the turn to the next one."""
    lines: list[str] = []

    def leave() -> None:
        if len(lines) >= 4:
            raise Shutdown

    world.watch = lambda word: lines.append(word) if word == "after transcript" else None
    world.give(**WISHES)
    with pytest.raises(Shutdown):
        world.resume(leaving=leave)
    assert not world.ends
    world.resume()
    assert [end["outcome"] for end in world.ends] == ["pushed"]


def test_out_of_time(world: World) -> None:
    """Who takes too long is stopped, in plain words."""
    end = world.hold(minutes=0.0001, **WISHES)
    assert (end["outcome"], end["message"]) == ("blocked", "I stopped after 0.0001 minutes without reaching an end.")


def test_nothing_is_left_running(world: World) -> None:
    """No process of a turn outlives it, nor what a check of the repository left in the background."""
    before = descendants(os.getpid())
    assert world.hold(checks=["setsid sleep 600 >/dev/null 2>&1 & true"], **WISHES)["outcome"] == "pushed"
    assert [pid for pid in descendants(os.getpid()) if pid not in before] == []


def test_a_formatter(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the base branch configures is run; one that is asked for and not configured is named, and not run."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if shutil.which("ruff") is None:
        pytest.skip("no ruff on this machine")
    assert "configures no formatter" in world.hold(**asked("Format the code"))["message"]
    world.hold(**asked(body="Create `ruff.toml` with:\n```\nline-length = 80\n```"))
    assert "configures no formatter" in world.hold(**asked("", "format the code"))["message"]  # the base has none yet
    world.git("acme/app", "update-ref", "refs/heads/main", f"refs/heads/{BRANCH}")
    world.hold(**asked(body="Overwrite `app.py` with:\n```\nimport os\nx   =  1\n```"))
    end = world.hold(**asked("", "Fix lint, and run black."))
    assert (end["outcome"], shown(world, "app.py")) == ("partial", "x = 1")
    assert "`black` is not configured in this repository" in end["message"]


def test_a_missing_program_is_proposed_once(world: World) -> None:
    """A program that the container lacks is asked for in its configuration; when that did not bring it, it is said."""
    wish = asked("add `nosuchprogram` to your container") | {"capabilities": ["config_request"]}
    end = world.hold(**wish)
    assert end["outcome"] == "proposed"
    branch = next(iter(world.proposals))
    text = world.git("agent-configs/iris", "show", f"{branch}:agent.yaml")
    assert text == "name: iris\npackages: [nosuchprogram]"
    again = world.hold(**wish)
    assert again["outcome"] == "blocked"
    assert "still lacks `nosuchprogram`" in again["message"]
    here = world.hold(**asked("Does your container have git?"))
    assert (here["outcome"], here["message"]) == ("answered", "`git` is in my container.")


def test_limits(world: World) -> None:
    """Each wish is a step, and steps are limited; what was done by then is a draft."""
    end = world.hold(max_steps=1, **asked("rename `x` to `ex`", "rename `y` to `why`"))
    assert (end["outcome"], end["steps"]) == ("blocked", 1)
    stopped = "I stopped after 1 steps without reaching an end."
    assert end["message"] == f"{stopped}\n\nWhat there is of my work is a draft: acme/app#2."
