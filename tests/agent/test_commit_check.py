"""What a commit would lose or keep by accident is told to the model before anything is pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hive.agent.commit_check import has_marks
from hive.agent.large_files import POINTER
from tests.agent.test_turn import commit_on, finish, play, run, submit, write

if TYPE_CHECKING:
    from tests.agent.conftest import World

BRANCH = "agent/iris/issue-1"
MARKS = "<<<<<<< ours\\nx = 2\\n=======\\nx = 3\\n>>>>>>> theirs\\n"
MINE = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; "
CONFLICT = (
    "echo x = 2 >app.py; git commit -qam two; git checkout -q -b side HEAD~1; echo x = 3 >app.py; git commit -qam side; "
    "git checkout -q -; "
)


def with_link(world: World, path: str = "part") -> None:
    """The base has a submodule, which is not checked out anywhere."""
    index = str(world.folder / "index")
    world.git("acme/app", "read-tree", "main", index=index)
    world.git("acme/app", "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{path}", index=index)
    tree = world.git("acme/app", "write-tree", index=index)
    commit = world.git("acme/app", "commit-tree", tree, "-p", "main", "-m", "a submodule")
    world.git("acme/app", "update-ref", "refs/heads/main", commit)


def names(world: World) -> set[str]:
    """The files of the branch on the forge."""
    return set(world.git("acme/app", "ls-tree", "-r", "--name-only", BRANCH).splitlines())


class TestSubmodules:
    """Git is silent about what lies in them."""

    def test_files_below_an_empty_one(self, world: World) -> None:
        """They would be in no commit: that is said with their names, and with them gone the rest is submitted."""
        with_link(world)
        world.responder = play(
            *(write("part/new.py", "x\n"), write("app.py", "x = 2\n"), submit(), submit()),
            *(run("rm part/new.py"), submit()),
        )
        assert world.hold()["outcome"] == "pushed", world.results()
        for told in (world.results()[2], world.results()[3]):
            assert "part/new.py is below a submodule that is not checked out here" in told
        assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"
        assert world.git("acme/app", "ls-tree", BRANCH, "part").split()[2] == "1" * 40

    def test_nothing_but_files_below_one(self, world: World) -> None:
        """It is no riddle that there is nothing to submit."""
        with_link(world)
        world.responder = play(write("part/new.py", "x\n"), submit(), finish("blocked", "It is in a submodule."))
        assert world.hold()["outcome"] == "blocked"
        assert "below a submodule" in world.results()[1]

    @pytest.mark.parametrize("link", [True, False])
    def test_a_repository_within(self, world: World, *, link: bool) -> None:
        """A submodule that was checked out, or a forgotten `git init`: told once; it is no part of the commit."""
        if link:
            with_link(world)
        world.responder = play(
            run("git init -q part; cd part; echo a >a; git add a; git -c user.name=a -c user.email=a@b commit -qm x"),
            *(write("app.py", "x = 2\n"), submit(), submit()),
        )
        assert world.hold()["outcome"] == "pushed", world.results()
        assert "part has a `.git` of its own, so nothing in it is a part of your commit" in world.results()[2]
        assert ("part" in names(world)) is link
        if link:
            assert world.git("acme/app", "ls-tree", BRANCH, "part").split()[2] == "1" * 40

    def test_an_empty_one_is_nothing(self, world: World) -> None:
        """A submodule that nobody touched, and a repository without a file, are not worth a word."""
        with_link(world)
        world.responder = play(run("git init -q other; mkdir -p part"), write("app.py", "x = 2\n"), submit())
        assert world.hold()["outcome"] == "pushed", world.results()


class TestConflicts:
    """Nothing half done is committed by accident."""

    def test_a_merge_that_is_not_done(self, world: World) -> None:
        """Marks are said with the file; when it is put right the merge is submitted as one."""
        world.responder = play(
            *(run(f"{MINE}{CONFLICT}git merge side"), submit(), submit()),
            *(write("app.py", "x = 4\n"), submit(), submit()),
        )
        assert world.hold()["outcome"] == "pushed", world.results()
        for told in world.results()[1:3]:
            assert "app.py still has the marks of a conflict" in told
        assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 4"
        assert len(world.git("acme/app", "rev-list", "--merges", f"main..{BRANCH}").split()) == 1

    def test_one_side_without_marks(self, world: World) -> None:
        """Where git leaves one side in the work tree, as of what is deleted on the other, that is told once."""
        begin = (
            "git checkout -q -b side; git rm -q app.py; git commit -qm side; git checkout -q -; echo x = 2 >app.py; "
        )
        world.responder = play(run(f"{MINE}{begin}git commit -qam two; git merge side"), submit(), submit())
        assert world.hold()["outcome"] == "pushed", world.results()
        assert "app.py was in conflict, and git left one side of it" in world.results()[1]
        assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"

    @pytest.mark.parametrize("verb", ["rebase", "cherry-pick"])
    def test_what_is_half_done(self, world: World, verb: str) -> None:
        """Half of it would be pushed: the words name the way on and the way back."""
        world.responder = play(
            *(run(f"{MINE}{CONFLICT}git {verb} side"), write("app.py", "x = 4\n"), submit()),
            *(run(f"git {verb} --abort"), submit()),
        )
        assert world.hold()["outcome"] == "pushed", world.results()
        assert f"`git {verb} --abort`" in world.results()[2]
        assert world.git("acme/app", "show", f"{BRANCH}:app.py") == "x = 2"

    def test_marks_that_the_model_committed(self, world: World) -> None:
        """They are found in commits as well, which were made without us."""
        world.responder = play(
            *(run(f"{MINE}printf '{MARKS}' >app.py; git commit -qam two"), submit()),
            *(write("app.py", "x = 4\n"), submit()),
        )
        assert world.hold()["outcome"] == "pushed", world.results()
        assert "app.py still has the marks of a conflict" in world.results()[1]

    @pytest.mark.parametrize(
        ("text", "marked"),
        [
            (b"<<<<<<< a\n1\n=======\n2\n>>>>>>> b\n", True),
            (b"<<<<<<< a\r\n1\r\n||||||| c\r\n0\r\n=======\r\n2\r\n>>>>>>> b", True),
            (b"0\n<<<<<<<\n=======\n>>>>>>>\n", True),
            (b"Title\n=======\n", False),
            (b"<<<<<<< a\n1\n=======\n", False),
            (b"  <<<<<<< a\n  =======\n  >>>>>>> b\n", False),
            (b">>>>>>> quoted\n=======\n<<<<<<< a\n", False),
        ],
    )
    def test_what_marks_are(self, text: bytes, *, marked: bool) -> None:
        """All three at the beginning of lines, in their order: a headline in Markdown is none."""
        assert has_marks(text) is marked

    @pytest.mark.parametrize("text", [b"<<<<<<< a\n=======\n" * 50_000, b"<<<<<<< a\n" + b"=======\n" * 200_000])
    def test_marks_are_looked_for_once(self, text: bytes) -> None:
        """A text that almost has them a hundred thousand times ends: each line is read once."""
        assert not has_marks(text)


class TestLargeFiles:
    """What a repository keeps in Git LFS cannot be uploaded from a container."""

    def test_content_is_not_pushed_in_the_place_of_a_pointer(self, world: World) -> None:
        """It is said with its name; a new pointer passes, and so does what no rule concerns."""
        pointer = POINTER.decode() + f"oid sha256:{'a' * 64}\nsize 5\n"
        for path, content in ((".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n"), ("one.bin", pointer)):
            world.git("acme/app", "update-ref", "refs/heads/main", commit_on(world, "main", path, content))
        world.responder = play(
            *(run("printf raw >one.bin; printf raw >'two é.bin'"), write("app.py", "x = 2\n"), submit()),
            *(run("git checkout -q one.bin; rm two*.bin; cp one.bin four.bin; : >empty.bin"), submit()),
        )
        assert world.hold()["outcome"] == "pushed", world.results()
        told = world.results()[2]
        assert "one.bin, two é.bin in Git LFS, and what it holds cannot be uploaded from here" in told
        assert names(world) == {".gitattributes", "app.py", "empty.bin", "four.bin", "lib/deep.py", "one.bin"}

    def test_what_the_base_has_so_already_is_no_fault_of_ours(self, world: World) -> None:
        """A repository whose attributes say LFS and whose files are whole is worked on as it is."""
        for path, content in ((".gitattributes", "*.bin filter=lfs\n"), ("one.bin", "raw\n")):
            world.git("acme/app", "update-ref", "refs/heads/main", commit_on(world, "main", path, content))
        world.responder = play(run("printf more >one.bin"), submit())
        assert world.hold()["outcome"] == "pushed", world.results()
