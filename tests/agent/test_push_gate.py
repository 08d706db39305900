"""What a change has to pass before it is pushed, and what becomes of work that does not get so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hive.agent.check_suggestions import KNOWN, suggested
from tests.agent.test_turn import commit_on, finish, play, run, submit, write

if TYPE_CHECKING:
    from tests.agent.conftest import World

BRANCH = "agent/iris/issue-1"
KEY = "ghp_" + "a1B2" * 9


def moved(world: World, path: str = "new.py", content: str = "z = 1\n") -> None:
    """Somebody else commits to the base."""
    world.git("acme/app", "update-ref", "refs/heads/main", commit_on(world, "main", path, content))


def log(world: World) -> list[str]:
    """The commits of the branch, newest first."""
    return world.git("acme/app", "log", "--format=%s", f"main..{BRANCH}").splitlines()


class TestCleanCopy:
    """The checks see what is pushed, and nothing else."""

    def test_leftovers_make_nothing_green(self, world: World) -> None:
        """A file that git ignores, and that a check needs, is not there when it runs; it is told why, and nothing is submitted."""
        world.responder = play(
            run("echo built/ >.gitignore; mkdir built; touch built/result"), submit(), run("rm .gitignore"), submit()
        )
        end = world.hold(checks=["test -e built/result", "git log -1 --format=%s"])
        assert end["outcome"] == "pushed", world.results()
        assert "on a clean copy of the commit, without what git ignores: test -e built/result" in world.results()[1]
        assert log(world) == ["Count from two"]

    def test_a_check_changes_nothing(self, world: World) -> None:
        """What a check writes, or commits, is gone afterwards."""
        world.responder = play(write("app.py", "x = 2\n"), submit())
        checks = [
            "echo x = 3 >app.py; touch more; git add more; git commit -qm 'By a check'",
            "test -e more",
            "test -d ../work && touch ../work/evil; true",
        ]
        assert world.hold(checks=checks)["outcome"] == "pushed", world.results()
        assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"
        assert log(world) == ["Count from two"]
        assert not (world.place.state / "runs/7/clean").exists()

    def test_what_failed_is_no_commit(self, world: World) -> None:
        """A change that did not pass is uncommitted again, and its files stay as they are."""
        world.responder = play(
            write("app.py", "x = 2\n"),
            submit("First"),
            run("git status --short; git log -1 --format=%s"),
            submit("Second"),
            finish("answered", "No."),
        )
        world.hold(checks=["test -e done || { touch done; false; }"])
        assert world.results()[2] == " M app.py\nbegin\n[exit status 0]"
        assert not world.pulls

    def test_a_commit_of_the_models_own_stays(self, world: World) -> None:
        """What the model committed itself is its own to change."""
        commit = "echo 'x = 2' >app.py; git commit -qam Mine"
        world.responder = play(run(commit), submit(), run("git log -1 --format=%s"), finish("answered", "No."))
        world.hold(checks=["false"])
        assert world.results()[2] == "Mine\n[exit status 0]"


class TestBase:
    """A base that moved is brought together with the change, and then checked."""

    def test_a_new_change_goes_on_top(self, world: World) -> None:
        """A change that is not pushed yet is put on top of the moved base, and its checks see both."""
        world.responder = play(write("app.py", "x = 2\n"), submit())
        world.watch = lambda word: moved(world) if word == "after transcript" and len(world.transcript()) == 3 else None
        assert world.hold(checks=["grep -q 'x = 2' app.py && test -e new.py"])["outcome"] == "pushed", world.results()
        assert log(world) == ["Count from two"]
        assert world.git("acme/app", "merge-base", "main", BRANCH) == world.git("acme/app", "rev-parse", "main")

    def test_a_pushed_one_is_merged_with_it(self, world: World) -> None:
        """Commits that are on the forge stay as they are: the base is merged into them."""
        world.responder = play(write("app.py", "x = 2\n"), submit())
        world.hold()
        moved(world)
        world.responder = play(write("app.py", "x = 3\n"), submit("Count from three"))
        assert world.hold("again", checks=["test -e new.py"])["outcome"] == "pushed", world.results()
        assert log(world) == ["Merge what others pushed to main", "Count from three", "Count from two"]

    def test_a_conflict_goes_to_the_model(self, world: World) -> None:
        """A conflict with the base is told with the names of the files, and the model merges it."""
        moving = iter([True])
        world.watch = lambda word: (
            moved(world, "app.py", "x = 9\n") if len(world.transcript()) == 3 and next(moving, False) else None
        )
        merge = "git merge -q origin/main; echo 'x = 2' >app.py; git commit -qam 'Bring both together'"
        world.responder = play(write("app.py", "x = 2\n"), submit(), run(merge), submit())
        assert world.hold()["outcome"] == "pushed", world.results()
        assert "touches the same lines in: app.py" in world.results()[1]
        assert "git merge origin/main" in world.results()[1]
        assert log(world) == ["Bring both together", "Count from two"]


class TestSizeAndKeys:
    """A change has a size, and holds no keys."""

    @pytest.mark.parametrize(
        ("limit", "words"), [({"max_files": 2}, "3 files, and 2"), ({"max_lines": 9}, "14 lines, and 9")]
    )
    def test_too_large(self, world: World, limit: dict[str, Any], words: str) -> None:
        """A change that is too large is refused in words, before any check runs, and a smaller one is pushed."""
        make = "seq 10 >a; seq 2 >b; echo 'x = 2' >app.py"
        world.responder = play(run(make), submit(), run("rm a b"), submit())
        assert world.hold("Do it.", checks=["test ! -e a"], **limit)["outcome"] == "pushed"
        assert words in world.results()[1]

    def test_a_key(self, world: World) -> None:
        """What looks like a key is refused with the name of its file and without itself, in a commit of the model's own too."""
        world.responder = play(
            run(f"echo {KEY} >secret.txt; git add secret.txt; git commit -qm With"),
            submit(),
            run("git reset -q --soft origin/main; git rm -q --cached secret.txt; rm secret.txt; echo 'x = 2' >app.py"),
            submit(),
        )
        assert world.hold()["outcome"] == "pushed", world.results()
        assert "what you add to secret.txt looks like a key" in world.results()[1]
        assert KEY not in world.results()[1]

    def test_a_key_that_was_there(self, world: World) -> None:
        """A key that stood in the file before is not the change's."""
        moved(world, "sample.txt", f"key: {KEY}\n")
        world.responder = play(run(f"echo 'the key: {KEY}' >sample.txt"), submit())
        assert world.hold()["outcome"] == "pushed", world.results()


class TestDraft:
    """Work that does not get to its end is not lost."""

    @pytest.mark.parametrize("commits", [True, False])
    def test_blocked(self, world: World, *, commits: bool) -> None:
        """A turn that ends without a pull request leaves its work as a draft, unchecked, and says so."""
        more = "; git commit -qam Mine" if commits else ""
        world.responder = play(run(f"echo 'x = 2' >app.py{more}"), finish("blocked", "I need to know more."))
        end = world.hold(checks=["false"])
        assert end["outcome"] == "blocked"
        assert end["message"] == "I need to know more.\n\nWhat there is of my work is a draft: acme/app#2."
        assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"
        (pull,) = world.pulls.values()
        assert pull["draft"]
        assert "checks" not in pull
        assert "the repository's checks were not run on it" in pull["body"]
        assert "I need to know more." in pull["body"]
        assert log(world) == (["Mine"] if commits else ["Work in progress"])

    def test_out_of_steps(self, world: World) -> None:
        """A turn that runs out of steps is one of them."""
        world.responder = play(write("app.py", "x = 2\n"), run("true"), run("false"))
        end = world.hold(max_steps=2)
        assert end["message"].endswith("is a draft: acme/app#2.")

    @pytest.mark.parametrize(
        ("command", "more"),
        [("true", {}), ("echo 'x = 2' >app.py", {"capabilities": ["comment"]}), ("touch a; rm a", {})],
    )
    def test_nothing_to_save(self, world: World, command: str, more: dict[str, Any]) -> None:
        """Without work, or without leave to open a pull request, a turn ends as it did."""
        world.responder = play(run(command), finish("blocked", "No."))
        assert world.hold(**more)["message"] == "No."
        assert not world.pulls

    def test_an_answer_leaves_none(self, world: World) -> None:
        """What an answer left behind is no work."""
        world.responder = play(run("touch notes"), finish("answered", "42"))
        assert world.hold()["message"] == "42"
        assert not world.pulls

    def test_what_may_not_be_pushed(self, world: World) -> None:
        """Work with a key in it stays in the container, and people are told."""
        world.responder = play(run(f"echo {KEY} >secret.txt"), finish("blocked", "No."))
        message = world.hold()["message"]
        assert "could not be pushed as a draft" in message
        assert "secret.txt" in message
        assert KEY not in message
        assert not world.pulls

    @pytest.mark.parametrize("word", ["git-receive-pack", "after git-receive-pack", "pull", "after pull"])
    def test_a_process_that_is_killed(self, world: World, word: str) -> None:
        """A harness that dies while it saves its work ends the turn once, and the work is on the forge."""
        world.responder = play(write("app.py", "x = 2\n"), finish("blocked", "No."))
        killed = iter([True])

        def kill(seen: str) -> None:
            if (
                seen.endswith(word.removeprefix("after "))
                and seen.startswith("after") == word.startswith("after")
                and next(killed, False)
            ):
                raise ConnectionError

        world.watch = kill
        world.give()
        world.start()
        world.wait_for(lambda: world.ends)
        assert [end["outcome"] for end in world.ends] == ["blocked"]
        assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"


class TestSuggestions:
    """Checks that a repository could have."""

    @pytest.mark.parametrize(
        ("files", "commands"),
        [
            ({}, []),
            ({"README.md": ""}, []),
            ({"Makefile": "all:\n\ntest: all\n\tpytest\n"}, ["make test"]),
            ({"Makefile": "all:\n"}, []),
            ({"package.json": '{"scripts": {"test": "vitest"}}'}, ["npm test"]),
            ({"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'}, []),
            ({"pyproject.toml": "[tool.pytest.ini_options]", "pytest.ini": ""}, ["python3 -m pytest -q"]),
            ({"app.py": "", "tests": ""}, ["python3 -m unittest discover -q tests"]),
            ({"go.mod": "", "Cargo.toml": ""}, ["cargo test --offline", "go test ./..."]),
        ],
    )
    def test_by_files(self, files: dict[str, str], commands: list[str]) -> None:
        """They are told by the files at the top, in words of ours only."""
        assert suggested(files, files.__getitem__) == commands
        assert KNOWN.issuperset(commands)

    def test_they_are_proposed(self, world: World) -> None:
        """A pull request in a repository without checks says which there could be."""
        moved(world, "Makefile", "test:\n\ttrue\n")
        world.responder = play(write("app.py", "x = 2\n"), submit())
        world.hold()
        assert world.pulls[BRANCH]["suggested"] == ["make test"]
