"""Turns from beginning to end, by the harness as a process."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hive.demo.model import DiffResponder, ModelReply, Scene, Script, ToolCall

if TYPE_CHECKING:
    from tests.agent.conftest import World

BRANCH = "agent/iris/issue-1"
CHECK = "grep -q 'x = 2' app.py || { echo 'x is not two'; false; }"
ISSUE = """You were assigned issue #1 of acme/app.
Title: <title 0123456789ab by rosa, an operator>
Count from two
</title 0123456789ab>

```diff
--- a/app.py
+++ b/app.py
@@ -1 +1 @@
-x = 1
+x = 2
```
"""
REVIEW = """Your pull request #2 was reviewed: request changes.

On app.py, line 1:
```diff
- x = 2
+ x = 3
```
"""


def run(command: str) -> ModelReply:
    return ModelReply("Let me see.", (ToolCall("run", {"command": command}),))


def write(path: str, content: str) -> ModelReply:
    return ModelReply(calls=(ToolCall("write", {"path": path, "content": content}),), thinking="Hm.")


def submit(title: str = "Count from two", summary: str = "As asked.") -> ModelReply:
    return ModelReply(calls=(ToolCall("submit", {"title": title, "summary": summary}),))


def finish(outcome: str, message: str) -> ModelReply:
    return ModelReply(calls=(ToolCall("finish", {"outcome": outcome, "message": message}),))


def play(*replies: ModelReply) -> Script:
    return Script([Scene("", replies)], otherwise=DiffResponder())


def test_pull_request(world: World) -> None:
    """An issue becomes a pushed branch, whose commit says what for and at what cost, and a pull request with what was checked."""
    world.spent = "0.3712"
    world.responder = play(run("cat app.py"), write("app.py", "x = 2\n"), submit())
    world.give("Count from two.", checks=[CHECK])
    world.start()
    world.wait_for(lambda: world.ends)

    assert world.results()[0] == "x = 1\n[exit status 0]"
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"
    assert world.git("acme/app", "log", "-1", "--format=%an <%ae> %B", BRANCH) == (
        "iris <iris@forge.invalid> Count from two\n\nAs asked.\n\nAgent: iris\nIssue: forgejo:acme/app#1\nRun: 7\nCost-USD: 0.3712"
    )
    told = {"checks": [{"command": CHECK, "ok": True}], "evidence": [], "left": "", "draft": False}
    assert world.pulls == {BRANCH: {"branch": BRANCH, "title": "Count from two", "body": "As asked.", **told}}
    (end,) = world.ends
    assert (end["outcome"], end["steps"]) == ("pushed", 3)
    assert end["tokens_in"] > end["tokens_out"] > 0
    assert not world.comments
    assert world.asked[0]["generation"] == "0a1b2c"


def test_commits_close_nothing(world: World) -> None:
    """A commit whose message would close another issue is not submitted, and the model is told how to say it."""
    commit = "git add -A && git commit -q -m 'Count, which fixes #9'"
    amend = "git commit -q --amend -m 'Count, as in #9'"
    world.responder = play(write("app.py", "x = 2\n"), run(commit), submit(), run(amend), submit())
    assert world.hold()["outcome"] == "pushed"
    assert "which fixes #9" in world.results()[2]
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}") == "Count, as in #9"


def test_red_check(world: World) -> None:
    """A red check is shown to the model, and nothing leaves the container before it is green."""
    world.responder = play(write("app.py", "x = 5\n"), submit(), write("app.py", "x = 2\n"), submit())
    end = world.hold(checks=["true", CHECK])
    assert end["outcome"] == "pushed"
    assert "x is not two\n[exit status 1]" in world.results()[1]
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}") == "Count from two"


def test_nothing_to_submit(world: World) -> None:
    """Without a difference there is no pull request, and the model is told."""
    world.responder = play(submit(), finish("blocked", "It is there already."))
    assert world.hold()["outcome"] == "blocked"
    assert "nothing differs from main" in world.results()[0]
    assert not world.pulls


def test_next_turn(world: World) -> None:
    """A later turn goes on in the same conversation, with what others pushed to the branch meanwhile."""
    world.responder = play(write("app.py", "x = 2\n"), submit())
    world.hold("first")
    tree = world.place.state / "runs" / "7" / "work"
    before = list(world.transcript())
    world.git("acme/app", "update-ref", f"refs/heads/{BRANCH}", commit_on(world, BRANCH, "z.py", "z = 1\n"))

    world.responder = play(run("cat z.py"), write("app.py", "x = 3\n"), submit("Count from three"))
    assert world.hold("second")["outcome"] == "pushed"
    assert world.transcript()[: len(before)] == before
    assert "z = 1\n[exit status 0]" in world.results()
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}").splitlines() == [
        *("Count from three", "by somebody else", "Count from two")
    ]
    assert len(world.pulls) == 1
    assert (tree / "z.py").exists()


def test_unsaved_work_is_kept(world: World) -> None:
    """A work tree with changes in it is not moved by what was pushed meanwhile."""
    world.responder = play(write("app.py", "x = 2\n"), finish("blocked", "Which number?"))
    world.hold("first")
    sha = commit_on(world, "main", "z.py", "z = 1\n")
    world.git("acme/app", "update-ref", "refs/heads/main", sha)
    world.responder = play(run("cat app.py; ls"), finish("answered", "Ah."))
    world.hold("Two.")
    assert "x = 2\napp.py\nlib\n[exit status 0]" in world.results()


def test_proposal(world: World) -> None:
    """A change of the own configuration is one file on a branch named after the issue, waiting for an operator."""
    wish = {"path": "agent.yaml", "content": "name: iris\npackages: [jq]\n", "title": "Add jq", "why": "To read JSON."}
    world.responder = play(ModelReply(calls=(ToolCall("propose", wish),)))
    world.give()
    world.start()
    world.wait_for(lambda: world.ends)
    branch = "agent/iris/acme-app-1"
    assert world.ends[0]["outcome"] == "proposed"
    assert world.proposals == {
        branch: {
            "branch": branch,
            "title": "Add jq",
            "body": "To read JSON.\n\nWanted while working on acme/app#1.\n\nrun: 7",
        }
    }
    assert world.git("agent-configs/iris", "show", f"{branch}:agent.yaml") == "name: iris\npackages: [jq]"
    assert not world.pulls

    world.kill()
    world.git("agent-configs/iris", "update-ref", "refs/heads/main", branch)
    world.responder = play(ModelReply(calls=(ToolCall("propose", wish),)), finish("answered", "It is there."))
    assert world.hold("Merged.")["outcome"] == "answered"
    assert "nothing differs from main" in world.results()[-2]


@pytest.mark.parametrize("outcome", ["answered", "blocked"])
def test_words(world: World, outcome: str) -> None:
    """A turn may end in words only, and they are said on the thread."""
    world.responder = play(finish(outcome, "Forty-two.\n"))
    world.give()
    world.start()
    world.wait_for(lambda: world.ends)
    assert (world.ends[0]["outcome"], world.ends[0]["message"]) == (outcome, "Forty-two.")
    assert world.comments == {"end:1": "Forty-two."}


def test_reply_without_calls(world: World) -> None:
    """A reply that calls no tool is the answer."""
    world.responder = play(ModelReply("It is 42.", thinking="Easy."))
    assert world.hold()["outcome"] == "answered"
    assert world.comments == {"end:1": "It is 42."}


def test_silent_reply(world: World) -> None:
    """A reply without a word is no answer, and the next turn can still be held."""
    world.responder = play(ModelReply())
    assert world.hold()["outcome"] == "blocked"
    assert "without a word" in world.comments["end:1"]
    world.responder = play(ModelReply("Now I know."))
    assert world.hold()["outcome"] == "answered"


def test_calls_after_the_end(world: World) -> None:
    """Calls that a reply makes behind the one that ends the turn are not made, and the next turn knows."""
    last = ModelReply(
        calls=(ToolCall("finish", {"outcome": "answered", "message": "Done."}), ToolCall("run", {"command": "date"}))
    )
    world.responder = play(last)
    world.hold()
    assert world.results() == ["Done.", "This was not done: the turn was over before."]
    world.responder = play(ModelReply("Hello again."))
    assert world.hold()["outcome"] == "answered"


def test_limit_of_steps(world: World) -> None:
    """Who makes too many steps is stopped, in plain words."""
    world.responder = play(*[run("true")] * 9)
    end = world.hold(max_steps=3)
    assert (end["outcome"], end["steps"]) == ("blocked", 3)
    assert world.comments["end:1"] == "I stopped after 3 steps without reaching an end."
    world.responder = play(ModelReply("Fresh again."))
    assert world.hold(max_steps=3)["outcome"] == "answered"


def test_limit_of_time(world: World) -> None:
    """Who takes too long is stopped, and so is the command that takes it."""
    for number, minutes in enumerate((0.05, 0.2, 1.0, 4.0)):  # on a busy machine the command begins late, or not at all
        world.responder = play(run("echo begun; sleep 600"), run("true"))
        end = world.hold(run=7 + number, minutes=minutes)
        assert end["outcome"] == "blocked"
        assert f"{minutes:g} minutes" in end["message"]
        if said := world.results(7 + number):
            assert end["steps"] == 1
            assert said[0] in {"begun\n[stopped: its time was up]", "[stopped: its time was up]"}
            if said[0].startswith("begun"):
                return
    pytest.fail("no command was begun")


def test_no_repository(world: World) -> None:
    """A work tree that cannot be had is a failure that is said."""
    end = world.hold(repo="acme/none")
    assert end["outcome"] == "failed"
    assert "git clone" in world.comments["end:1"]


def test_partly_done(world: World) -> None:
    """What an agent did not do it says: the turn is partial then, and how each criterion is shown goes with the change."""
    told = {"title": "Count", "summary": "As asked.", "evidence": ["1: `make` is green"], "not_done": "The cellar."}
    world.responder = play(write("app.py", "x = 2\n"), ModelReply(calls=(ToolCall("submit", told),)))
    end = world.hold()
    assert (end["outcome"], end["message"]) == (
        "partial",
        "acme/app#2 is up to date: Count\n\nNot done:\n\nThe cellar.",
    )
    assert world.pulls[BRANCH]["evidence"] == ["1: `make` is green"]
    assert world.pulls[BRANCH]["left"] == "The cellar."


def test_a_commit_of_the_agents_own(world: World) -> None:
    """A commit that the agent made itself gets the trailers too, and keeps its words; one that is pushed stays as it is."""
    commit = run("git add -A && git commit -q -m 'Count from two' -m 'Because.'")
    world.responder = play(write("app.py", "x = 2\n"), commit, submit(), submit())
    world.hold()
    said = world.git("acme/app", "log", "-1", "--format=%B", BRANCH)
    assert said == "Count from two\n\nBecause.\n\nAgent: iris\nIssue: forgejo:acme/app#1\nRun: 7"
    before = world.git("acme/app", "rev-parse", BRANCH)
    world.hold("again")
    assert world.git("acme/app", "rev-parse", BRANCH) == before


def test_without_a_model(world: World) -> None:
    """Without a key, a diff in the issue is applied, and a remark of a review is repaired."""
    world.give(ISSUE, checks=["grep 'x = 2' app.py"])
    world.start()
    world.wait_for(lambda: world.ends)
    assert world.ends[0]["outcome"] == "pushed"
    assert world.pulls[BRANCH]["title"] == "Count from two"
    assert world.git("acme/app", "show", "--stat", "--format=", BRANCH).splitlines()[0].split() == [
        "app.py",
        "|",
        "2",
        "+-",
    ]

    world.give(REVIEW)
    world.wait_for(lambda: len(world.ends) == 2)
    assert world.ends[1]["outcome"] == "pushed"
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 3"


def test_hostile_text_stays_text(world: World) -> None:
    """Neither the issue nor a title is read by a shell or by git."""
    hostile = "--exec=touch /tmp/x; $(touch pwned) `touch pwned`\n\nRun: 99"
    world.responder = play(write("app.py", "x = 2\n"), submit(hostile, hostile))
    assert world.hold(hostile)["outcome"] == "pushed"
    assert not (world.place.state / "runs" / "7" / "work" / "pwned").exists()
    log = world.git("acme/app", "log", "-1", "--format=%(trailers:key=Run,valueonly)", BRANCH)
    assert log == "7"


def test_token_is_nowhere(world: World) -> None:
    """The token is in no argument list, no file and no command's environment."""
    seen: list[str] = []

    def look(word: str) -> None:
        if word == "info/refs":
            seen.extend(path.read_bytes().decode() for path in Path("/proc").glob("[0-9]*/cmdline") if readable(path))

    world.watch = look
    world.responder = play(run("env"), write("app.py", "x = 2\n"), submit())
    world.hold()
    assert any("git-remote-http" in words for words in seen)
    assert not [words for words in seen if "token-" in words]
    files = [path for path in world.place.state.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"token-" in path.read_bytes()]
    assert "http://forge.hive/acme/app.git" in (world.place.state / "runs/7/work/.git/config").read_text()


def test_hooks_do_not_run(world: World) -> None:
    """What the model plants in git's own folder is not run by the harness' git."""
    plant = (
        "printf '#!/bin/sh\\ntouch hooked' > .git/hook; chmod +x .git/hook; mkdir -p .git/hooks;"
        " for name in pre-commit post-commit pre-push reference-transaction; do cp .git/hook .git/hooks/$name; done;"
        " git config core.fsmonitor .git/hook; ls .git/hooks"
    )
    world.responder = play(run(plant), write("app.py", "x = 2\n"), submit())
    assert world.hold()["outcome"] == "pushed"
    assert "pre-push" in world.results()[0]
    assert not (world.place.state / "runs/7/work/hooked").exists()


def test_other_owner(world: World) -> None:
    """A work tree whose owner has another number in the container is worked in all the same."""
    if os.geteuid():
        pytest.skip("only root can give files away")
    world.responder = play(write("app.py", "x = 2\n"), submit())
    world.hold("first")
    for path in (tree := world.place.state / "runs/7/work", tree / ".git"):
        os.chown(path, 65534, 65534)
    world.responder = play(write("app.py", "x = 3\n"), submit())
    assert world.hold("second")["outcome"] == "pushed"


def test_new_run_on_an_old_branch(world: World) -> None:
    """A new run goes on where an earlier one stopped, or from the base once that was merged."""
    world.responder = play(write("app.py", "x = 2\n"), submit())
    world.hold("first")
    world.responder = play(run("cat app.py"), finish("answered", "I see."))
    world.hold("go on", run=8)
    assert world.results(8)[0] == "x = 2\n[exit status 0]"

    world.git("acme/app", "update-ref", "refs/heads/main", commit_on(world, BRANCH, "z.py", "z = 1\n"))
    world.responder = play(run("cat app.py z.py"), finish("answered", "I see."))
    world.hold("begin anew", run=9)
    assert world.results(9)[0] == "x = 2\nz = 1\n[exit status 0]"


def test_droppings_are_not_committed(world: World) -> None:
    """What checks leave behind is not in the commit."""
    world.responder = play(write("app.py", "x = 2\n"), submit())
    world.hold(checks=["mkdir -p __pycache__ lib/__pycache__; touch __pycache__/a.pyc lib/__pycache__/b.pyc"])
    assert world.git("acme/app", "diff", "--name-only", f"main..{BRANCH}") == "app.py"


@pytest.mark.contained
def test_contained(world: World) -> None:
    """In a container without a network, the two sockets are enough."""
    bwrap = shutil.which("bwrap")
    tried = bwrap and subprocess.run([bwrap, "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True)
    if not tried or tried.returncode:
        pytest.skip("bubblewrap or user namespaces are missing")
    world.wrap = [
        *(str(bwrap), "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
        *("--bind", str(world.folder), str(world.folder), "--chdir", str(world.folder)),
    ]
    world.responder = play(run("cat /proc/net/dev | wc -l"), write("app.py", "x = 2\n"), submit())
    world.give(checks=[CHECK])
    world.start()
    world.wait_for(lambda: world.ends)
    assert world.ends[0]["outcome"] == "pushed"
    assert world.results()[0] == "3\n[exit status 0]"  # two lines of heading, and the loopback


def commit_on(world: World, branch: str, path: str, content: str) -> str:
    """A commit by somebody else on top of a branch, made in the bare repository."""
    env_index = str(world.folder / "index")
    blob = world.git("acme/app", "hash-object", "-w", "--stdin", stdin=content)
    world.git("acme/app", "read-tree", branch, index=env_index)
    world.git("acme/app", "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", index=env_index)
    tree = world.git("acme/app", "write-tree", index=env_index)
    return world.git("acme/app", "commit-tree", tree, "-p", branch, "-m", "by somebody else")


def readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True
