"""Objects that a forge writes itself are git's own, and what it remembers of them is true."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge.embedded.git import EMPTY_TREE, Git, GitFailed, environment
from forge.embedded.objects import LONGEST, ObjectMemory

NAMES = st.sampled_from(["a", "a.b", "a-b", "ab", "ü", "z"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CHANGES = st.lists(st.dictionaries(PATHS, st.sampled_from([None, b"", b"one\n", b"\0two"]), max_size=5), max_size=4)


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Git:
    """An empty repository."""
    made = Git(tmp_path_factory.mktemp("objects") / "a.git")
    made.init("main")
    return made


def by_git(git: Git, base: str, changes: dict[str, str | None], index: Path) -> str:
    """The tree that git's own index makes of the same."""
    lines = [f"100644 {sha}\t{path}\0" if sha else f"0 {'0' * 40}\t{path}\0" for path, sha in changes.items()]
    env = {"GIT_INDEX_FILE": str(index)}
    index.unlink(missing_ok=True)
    git.text("read-tree", base, env=env)
    git.text("update-index", "-z", "--index-info", stdin="".join(lines), env=env)
    return git.text("write-tree", env=env)


@settings(max_examples=25, deadline=None)
@given(CHANGES)
def test_a_tree_is_the_one_that_git_writes(git: Git, tries: list[dict[str, bytes | None]]) -> None:
    """Files come, go, and take the place of directories; names are sorted as git sorts them."""
    base = EMPTY_TREE
    for contents in tries:
        changes = {path: None if content is None else git.store(content) for path, content in contents.items()}
        made = git.write_tree(base, changes)
        assert made == by_git(git, base, changes, git.path / "index")
        base = made
    git.text("fsck", "--strict", "--no-dangling")


def test_other_modes_are_kept(git: Git) -> None:
    """What a change does not name stays as it was: programs, links, and directories of others' history."""
    blob = git.store(b"x\n")
    rows = {"run": "100755", "link": "120000", "plain": "100644"}
    base = git.text("mktree", stdin="".join(f"{mode} blob {blob}\t{name}\n" for name, mode in rows.items()))
    tree = git.write_tree(base, {"new/file": blob})
    assert {entry.path: entry.mode for entry in git.tree(tree)} == {**rows, "new": "040000"}


def test_no_tree_is_made_of_one_that_is_not_there(git: Git) -> None:
    """A base that cannot be read is an error, and not an empty directory: all files would be gone."""
    with pytest.raises(GitFailed):
        git.write_tree("1" * 40, {"a": git.store(b"x")})


def test_a_branch_is_read_as_git_reads_it(git: Git) -> None:
    """Moved by another process, packed, deleted, or of a name that is a path: the answer is git's."""
    who = {f"GIT_{part}_{what}": "a@b.invalid" for part in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    first, second = (git.text("commit-tree", "-m", word, EMPTY_TREE, env=who) for word in ("one", "two"))
    outside = {"cwd": git.path, "env": environment(GIT_DIR=str(git.path)), "check": True}
    subprocess.run(["git", "update-ref", "refs/heads/x/y", first], **outside)  # type: ignore[call-overload]
    assert (git.resolve("x/y"), git.resolve("x"), git.resolve("x/y/z")) == (first, "", "")
    assert git.resolve("x/y", "tree") == EMPTY_TREE
    subprocess.run(["git", "pack-refs", "--all"], **outside)  # type: ignore[call-overload]
    assert git.resolve("refs/heads/x/y") == first
    subprocess.run(["git", "update-ref", "refs/heads/x/y", second], **outside)  # type: ignore[call-overload]
    assert git.resolve("x/y") == second
    subprocess.run(["git", "symbolic-ref", "refs/heads/other", "refs/heads/x/y"], **outside)  # type: ignore[call-overload]
    assert git.resolve("other") == second
    subprocess.run(["git", "update-ref", "-d", "refs/heads/x/y"], **outside)  # type: ignore[call-overload]
    assert (git.resolve("x/y"), git.resolve("../HEAD"), git.resolve("../../config")) == ("", "", "")


def test_only_what_lasts_is_remembered(tmp_path: Path) -> None:
    """An object that is not there yet is asked for again; one of a push that is not accepted yet is nobody else's."""
    git = Git(tmp_path / "b.git")
    git.init("main")
    sha = "ce013625030ba8dba906f756967f9e9ca394464a"  # of "hello\n"
    with pytest.raises(GitFailed):
        git.blob(sha)
    aside = tmp_path / "aside"
    (aside / "pack").mkdir(parents=True)
    where = {"GIT_OBJECT_DIRECTORY": str(aside), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(git.path / "objects")}
    pushed = Git(git.path, where)
    pushed.raw("hash-object", "-w", "--stdin", stdin=b"hello\n")
    assert pushed.blob(sha) == b"hello\n"
    with pytest.raises(GitFailed):
        git.blob(sha)
    assert git.store(b"hello\n") == sha
    assert git.blob(sha) == b"hello\n"


def test_memory_is_bounded() -> None:
    """The oldest answers go first, long ones are not kept, and those of a repository that begins again are gone."""
    memory, asked = ObjectMemory(2), []

    def ask(name: str, size: int = 1) -> bytes:
        asked.append(name)
        return name.encode() * size

    here, there = Path("here"), Path("there")
    for sha in ("a", "b", "a", "c", "b"):
        memory.recall(here, "blob", sha, partial(ask, sha))
    assert asked == ["a", "b", "c", "b"]
    for _ in range(2):
        memory.recall(here, "blob", "d", lambda: ask("d", LONGEST + 1))
    memory.recall(there, "blob", "b", lambda: ask("there"))
    memory.forget(here)
    assert asked[4:] == ["d", "d", "there"]
    memory.recall(there, "blob", "b", lambda: ask("again"))
    memory.recall(here, "blob", "b", lambda: ask("forgotten"))
    assert asked[7:] == ["forgotten"]
