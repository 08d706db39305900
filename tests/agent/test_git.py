"""The harness' git: our configuration only, and others' work on our branch taken in, never over it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hive.agent import git
from hive.agent.errors import HostUnavailable
from hive.demo.model import DiffResponder, ModelReply, Scene, Script, ToolCall
from tests.agent.test_turn import commit_on
from tests.nightly import by_night

if TYPE_CHECKING:
    from tests.agent.conftest import World
    from tests.conftest import SmallDisk

BRANCH = "agent/iris/issue-1"
EVIL = "printf '#!/bin/sh\\ntouch %s/evil; cat' \"$PWD\" >../evil.sh; chmod +x ../evil.sh; E=$PWD/../evil.sh; W=$PWD; "
PLANTED = {
    "signing": "git config commit.gpgsign true; git config gpg.program $E; git config user.signingkey x",
    "filter": "git config filter.x.clean $E; git config filter.x.required true; echo '* filter=x' >.gitattributes",
    "filter by info": "git config filter.x.clean $E; echo '* filter=x' >.git/info/attributes",
    "process filter": "git config filter.x.process $E; echo '* filter=x' >.gitattributes",
    "instead": "git config url.http://127.0.0.1:1/.insteadOf http://forge.hive/",
    "push instead": "git config url.http://127.0.0.1:1/.pushInsteadOf http://forge.hive/",
    "remote": "git config remote.origin.url ext::$E; git config remote.origin.pushurl ext::$E; git config protocol.ext.allow always",
    "packs": "git config remote.origin.uploadpack $E; git config remote.origin.receivepack $E",
    "proxy": "git config http.proxy http://127.0.0.1:1; git config core.gitProxy $E",
    "helper": "git config credential.helper $E; git config core.askPass $E",
    "monitor": "git config core.fsmonitor $E; git config core.hooksPath ..; git config core.editor $E; git config core.pager $E",
    "alias": "git config alias.push !$E; git config alias.status !$E; git config diff.external $E",
    "merge driver": "git config merge.x.driver $E; git config merge.default x; echo '* merge=x' >.gitattributes",
    "include": "printf '[commit]\\n gpgsign = true\\n[gpg]\\n program = %s\\n' $E >.git/more; git config include.path more",
    "worktree": "git config core.worktree /; git config core.bare true",
    "own file": "git config extensions.worktreeConfig true; git config --worktree commit.gpgsign true; git config --worktree gpg.program $E",
    "broken": "echo '[core' >.git/config",
    "read only": "git config commit.gpgsign true; git config gpg.program $E; chmod 0444 .git/config",
    "nested": "git init -q in; cd in; git config filter.x.clean $E; git config core.fsmonitor $E; echo '* filter=x' >.gitattributes;"
    " echo a >a; git -c user.name=a -c user.email=a@b add a; git -c user.name=a -c user.email=a@b commit -qm x; echo b >a",
    "empty nested": "git init -q in",
    "elsewhere": "git clone -q . ../other; echo $PWD/../other/.git >.git/commondir; git -C ../other config commit.gpgsign true;"
    " git -C ../other config gpg.program $E",
}


def play(*replies: ModelReply) -> Script:
    """A model that says these things, one after another."""
    return Script([Scene("", replies)], DiffResponder())


def run(command: str) -> ModelReply:
    """Let a command run."""
    return ModelReply(calls=(ToolCall("run", {"command": command}),))


def write(path: str, content: str) -> ModelReply:
    """Write a file."""
    return ModelReply(calls=(ToolCall("write", {"path": path, "content": content}),))


def submit(title: str = "Count from two") -> ModelReply:
    """Submit."""
    return ModelReply(calls=(ToolCall("submit", {"title": title, "summary": "As asked."}),))


@pytest.mark.parametrize("kind", PLANTED)
def test_only_our_configuration_counts(world: World, kind: str) -> None:
    """Whatever a command wrote into git's files, the harness' git runs none of it, asks nobody else, and gets its work done."""
    again = [submit()] if kind == "nested" else []  # what is in it is left out: that is told first
    world.responder = play(run(f"{EVIL}{PLANTED[kind]}; rm -f $W/evil"), write("app.py", "x = 2\n"), submit(), *again)
    assert world.hold()["outcome"] == "pushed", world.results()
    world.git("acme/app", "update-ref", f"refs/heads/{BRANCH}", commit_on(world, BRANCH, "z.py", "z = 1\n"))
    world.responder = play(
        write("app.py", "x = 3\n"), submit("Count from three"), *[submit("Count from three")] * len(again)
    )
    assert world.hold("again")["outcome"] == "pushed", world.results()
    assert not (world.place.state / "runs/7/work/evil").exists()
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}").splitlines() == [
        *("Count from three", "by somebody else", "Count from two")
    ]
    assert "in" not in world.git("acme/app", "ls-tree", "--name-only", BRANCH).splitlines()


def pushed_meanwhile(world: World, path: str, content: str, *, times: int = 1) -> None:
    """Somebody pushes to our branch in the moment in which we do."""
    left = [times]

    def push(word: str) -> None:
        if word == "app.git/git-receive-pack" and left[0]:
            left[0] -= 1
            sha = commit_on(world, BRANCH, f"{left[0]}{path}", content)
            world.git("acme/app", "update-ref", f"refs/heads/{BRANCH}", sha)

    world.watch = push


def begun(world: World) -> None:
    """A first turn, which has pushed."""
    world.responder = play(write("app.py", "x = 2\n"), submit())
    assert world.hold("first")["outcome"] == "pushed"


def test_what_is_pushed_during_a_turn_is_taken_in(world: World) -> None:
    """Ours goes behind theirs, each commit of ours by itself, and the checks are made with both."""
    begun(world)
    theirs = "git -C ../../../../git/acme/app.git"
    sha = commit_on(world, BRANCH, "z.py", "z = 1\n")
    commit = "git -c user.name=a -c user.email=a@b commit -qam"
    world.responder = play(
        run(f"{theirs} update-ref refs/heads/{BRANCH} {sha}; echo a >a; git add a; {commit} 'Add a'; cat z.py"),
        write("app.py", "x = 3\n"),
        submit("Count from three"),
    )
    end = world.hold("second", checks=["test -e app.py && { test ! -e z.py || echo both >>../checked; }"])
    assert end["outcome"] == "pushed", world.results()
    assert "No such file" in world.results()[2], world.results()[2]
    assert (world.place.state / "runs/7/checked").exists()
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}").splitlines() == [
        *("Count from three", "Add a", "by somebody else", "Count from two")
    ]
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 3"
    assert world.git("acme/app", "show", f"{BRANCH}:z.py") == "z = 1"


def test_a_push_that_came_second_is_made_again(world: World) -> None:
    """Somebody who is faster in the very moment costs a second look, not the turn."""
    begun(world)
    pushed_meanwhile(world, "z.py", "z = 1\n", times=2)
    world.responder = play(write("app.py", "x = 3\n"), submit("Count from three"))
    assert world.hold("second")["outcome"] == "pushed", world.results()
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}").splitlines() == [
        *("Count from three", "by somebody else", "by somebody else", "Count from two")
    ]


@pytest.mark.parametrize("saved", [True, False])
def test_a_branch_that_was_rebased_on_the_forge_is_followed(world: World, *, saved: bool) -> None:
    """An update by rebase gives our commits other names: they are recognised, and what comes next goes behind them."""
    begun(world)
    world.git("acme/app", "update-ref", "refs/heads/main", commit_on(world, "main", "z.py", "z = 1\n"))
    index = str(world.folder / "index")
    world.git("acme/app", "read-tree", "main", index=index)
    blob = world.git("acme/app", "rev-parse", f"{BRANCH}:app.py")
    world.git("acme/app", "update-index", "--add", "--cacheinfo", f"100644,{blob},app.py", index=index)
    tree = world.git("acme/app", "write-tree", index=index)
    said = world.git("acme/app", "log", "-1", "--format=%B", BRANCH)
    rebased = world.git("acme/app", "commit-tree", tree, "-p", "main", "-m", said)
    world.git("acme/app", "update-ref", f"refs/heads/{BRANCH}", rebased)
    if not saved:
        (world.place.state / "runs/7/work/lib/deep.py").write_text("y = 2\n")
    world.responder = play(
        run("git log --format=%s main..; cat z.py"), write("app.py", "x = 3\n"), submit("Count from three")
    )
    assert world.hold("second")["outcome"] == "pushed", world.results()
    assert world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}").splitlines() == [
        *("Count from three", "Count from two")
    ]
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 3"
    assert world.git("acme/app", "merge-base", "--is-ancestor", rebased, BRANCH) == ""


def test_a_conflict_goes_to_the_model(world: World) -> None:
    """What touches the same lines is told with the names of the files; when the model has repaired it, it is submitted."""
    begun(world)
    sha = commit_on(world, BRANCH, "app.py", "x = 'theirs'\n")
    world.git("acme/app", "update-ref", f"refs/heads/{BRANCH}", sha)
    moved = f"git update-ref refs/heads/{BRANCH} HEAD"
    merge = f"git -c user.name=a -c user.email=a@b merge -q origin/{BRANCH}"
    settle = "printf 'x = 4\\n' >app.py; git -c user.name=a -c user.email=a@b commit -qam 'Bring both together'"
    world.ends.pop()
    world.turns.pop()
    world.lines.clear()
    world.responder = play(
        run(f"git reset -q --hard HEAD~1; {moved}"),
        write("app.py", "x = 3\n"),
        submit("Count from three"),
        run(f"git status --short; git log -1 --format=%s; {merge}; {settle}"),
        submit("Count from four"),
    )
    assert world.hold("second")["outcome"] == "pushed", world.results()
    told = world.results()[2]
    assert "your work touches the same lines in: app.py" in told
    assert f"origin/{BRANCH}" in told
    assert world.results()[3].startswith("Count from three")  # nothing was left half done
    assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 4"
    assert "by somebody else" in world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}")


def test_a_merge_of_ours_stays_one(world: World) -> None:
    """Where ours holds a merge it is not taken apart: theirs is merged."""
    begun(world)
    sha = commit_on(world, BRANCH, "z.py", "z = 1\n")
    theirs = f"git -C ../../../../git/acme/app.git update-ref refs/heads/{BRANCH} {sha}"
    side = "git checkout -q -b side HEAD~1; echo b >b; git add b; git commit -qm 'Add b'; git checkout -q -"
    who = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b"
    world.responder = play(
        run(f"{theirs}; {who}; {side}; git merge -q --no-edit side"),
        write("app.py", "x = 3\n"),
        submit("Count from three"),
    )
    assert world.hold("second")["outcome"] == "pushed", world.results()
    for path, content in (("app.py", "x = 3"), ("z.py", "z = 1"), ("b", "b")):
        assert world.git("acme/app", "show", f"{BRANCH}:{path}") == content
    assert len(world.git("acme/app", "rev-list", "--merges", f"main..{BRANCH}").split()) == 2


def test_unsaved_work_does_not_keep_theirs_out(world: World) -> None:
    """What others pushed comes in beside unsaved work, and where it is in the way it comes in when that is committed."""
    begun(world)
    world.responder = play(write("app.py", "x = 3\n"), ModelReply("Wait."))
    assert world.hold("second")["outcome"] == "answered"
    world.git("acme/app", "update-ref", f"refs/heads/{BRANCH}", commit_on(world, BRANCH, "z.py", "z = 1\n"))
    world.responder = play(run("cat app.py z.py"), submit("Count from three"))
    assert world.hold("third")["outcome"] == "pushed", world.results()
    assert "x = 3\nz = 1\n[exit status 0]" in world.results()


def test_the_configuration_is_ours_word_for_word(world: World) -> None:
    """Nothing of what a clone says by itself is kept."""
    begun(world)
    config = world.place.state / "runs/7/work/.git/config"
    before = config.read_text()
    with config.open("a") as file:
        file.write('[alias]\n\tco = "!touch evil"\n')
    world.responder = play(ModelReply("Well."))
    world.hold("second")
    assert config.read_text() == before
    assert Path(config).stat().st_size < 400


DEEP = (
    "python3 -c \"import os; os.chdir('{place}'); [os.chdir('d') for _ in range({levels}) if os.mkdir('d') is None]\""
)


@pytest.mark.parametrize(
    "planted",
    [
        *(DEEP.format(place=place, levels=3000) for place in (".", ".git/refs")),
        *by_night(*(DEEP.format(place=place, levels=1200) for place in (".", ".git", ".git/refs"))),
        *by_night(DEEP.format(place=".git", levels=3000)),
        "truncate -s 1T .git/config || truncate -s 4G .git/config",
        "mkdir -p .git/info/attributes; cd .git/info/attributes; " + DEEP.format(place=".", levels=3000),
    ],
)
def test_what_is_too_deep_or_too_long_is_no_end(world: World, planted: str) -> None:
    """A harness that looks into what a command left neither dies of it nor reads it to its end: the next turn works."""
    world.responder = play(run(planted), ModelReply("Done."))
    assert world.hold("first")["outcome"] == "answered", world.results()
    world.responder = play(write("app.py", "x = 2\n"), submit())
    assert world.hold("again")["outcome"] == "pushed", world.results()


def test_a_command_has_a_home_of_its_own(world: World) -> None:
    """Whoever started the harness has another: what a command tells git for all its repositories stays with the agent."""
    world.responder = play(
        run('git config --global commit.gpgsign true; echo "$HOME"; git config --global commit.gpgsign')
    )
    world.hold()
    home = world.place.state / "home"
    assert world.results()[0].startswith(f"{home}\ntrue\n")
    assert "gpgsign" in (home / ".gitconfig").read_text()
    assert not (Path(os.environ["HOME"]) / ".gitconfig").exists()


def test_a_full_disk_ends_no_turn(world: World, small_disk: SmallDisk) -> None:
    """Where there is no room the turn is left, and comes again; when there is room it goes on."""
    state = small_disk.place / "state"
    state.mkdir()
    world.place = replace(world.place, state=state)
    world.place.prepare()
    small_disk.fill()
    world.responder = play(write("app.py", "x = 2\n"), submit())
    world.give()
    world.resume()
    assert (world.left, world.ends) == (1, [])
    small_disk.free()
    world.resume()
    assert [end["outcome"] for end in world.ends] == ["pushed"]


@pytest.mark.parametrize("said", git._NO_ROOM)
def test_what_a_machine_lacks_for_a_while_is_no_answer(said: str) -> None:
    """Git that finds no room has not said no."""
    assert isinstance(git._failure("clone", f"fatal: write error: {said}"), HostUnavailable)


@pytest.mark.parametrize(
    ("status", "kind"), [(408, HostUnavailable), (425, HostUnavailable), (429, HostUnavailable), (403, git.Forbidden)]
)
def test_a_busy_forge_is_no_refusal(status: int, kind: type[Exception]) -> None:
    """What a forge answers because it is slow or busy is asked again; what it does not let us do is not."""
    said = f"fatal: unable to access 'http://127.0.0.1/git/acme/app.git/': The requested URL returned error: {status}"
    assert type(git._failure("fetch", said)) is kind


def test_a_busy_forge_is_asked_again(world: World) -> None:
    """It lets in at the third time, at the clone and at the push."""
    world.answers["app.git/info"] = [429, 408]
    world.answers["info/refs"] = [429, 408]
    world.responder = play(write("app.py", "x = 2\n"), submit())
    assert world.hold()["outcome"] == "pushed", world.results()
    assert not world.answers["info/refs"]
