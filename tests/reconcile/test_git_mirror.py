"""Git on the host takes no orders from names, and writes nothing outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hive.git_mirror.mirror import SHARE, GitError, Login, Mirror, TooLarge, TreeLimits
from hive.reconcile.evidence import bad_entries
from tests.reconcile.conftest import Origin


@pytest.mark.parametrize(
    "ref",
    [
        "--upload-pack=touch pwned",
        "-x",
        "main",
        "refs/heads/../../x",
        "refs/heads/-x",
        "refs/heads/a b",
        "refs/heads/a.lock",
        "",
    ],
)
def test_a_name_is_never_an_option(origin: Origin, ref: str) -> None:
    """What is no full, plain reference is refused before git sees it."""
    with pytest.raises(GitError, match="not a reference"):
        origin.mirror.fetch(ref, "head")


@pytest.mark.parametrize("sha", ["HEAD", "--help", "a" * 39, "", "A" * 40])
def test_a_commit_is_forty_digits(origin: Origin, sha: str) -> None:
    """Only full hashes name commits."""
    with pytest.raises(GitError, match="not a commit"):
        origin.mirror.tree(sha)


def test_failure_shows_no_token(origin: Origin) -> None:
    """What git says may be shown; the token is not in it, nor in the configuration."""
    with pytest.raises(GitError) as error:
        origin.mirror.fetch("refs/heads/main", "head")
    assert "secret-token" not in str(error.value)
    assert "secret-token" not in (origin.mirror.path / "config").read_text()
    assert "secret-token" not in repr(Login("core", "secret-token"))


def test_merges_without_a_work_tree(origin: Origin) -> None:
    """The tree of a merge is git's own; a conflict has none."""
    base = origin.commit({"a": "1\n"})
    origin.git("checkout", "-q", "-b", "side")
    side = origin.commit({"b": "2\n"})
    clash = origin.commit({"a": "3\n"})
    origin.git("checkout", "-q", "main")
    main = origin.commit({"a": "2\n"})
    tree = origin.mirror.merged_tree(main, side)
    assert tree is not None
    assert {entry.path for entry in origin.mirror.entries(tree)} == {"a", "b"}
    assert origin.mirror.merged_tree(main, clash) is None
    assert origin.mirror.is_ancestor(base, main)
    assert not origin.mirror.is_ancestor(side, main)
    assert origin.mirror.count(base, main) == 1
    with pytest.raises(GitError):
        origin.mirror.is_ancestor("0" * 40, main)


def test_writes_out_files_only(origin: Origin, tmp_path: Path) -> None:
    """Links are not made, and only what was asked for is written."""
    sha = origin.commit({"a/b.txt": "x", "c.txt": "y"}, links={"link": "/etc/passwd"})
    origin.mirror.write_out(sha, tmp_path / "out", frozenset({"a/b.txt", "link"}), bounds=TreeLimits())
    assert [path.name for path in (tmp_path / "out").rglob("*") if not path.is_dir()] == ["b.txt"]
    with pytest.raises(GitError, match="too much"):
        origin.mirror.write_out(sha, tmp_path / "o2", frozenset({"a/b.txt"}), bounds=TreeLimits(total_bytes=0))


def test_diff_has_one_form(origin: Origin) -> None:
    """Whatever a user's configuration says, the diff is the one that `forge.diff` reads."""
    one = origin.commit({"a": "1\n"})
    two = origin.commit({"a": "2\n"})
    assert "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n" in origin.mirror.diff(one, two)


def small(origin: Origin, **bounds: int) -> Mirror:
    """The mirror with less of the machine."""
    return Mirror(origin.mirror.path, "http://127.0.0.1:1/none.git", Login("core", ""), share=replace(SHARE, **bounds))


def test_what_lists_without_end_is_refused(origin: Origin) -> None:
    """A few small trees that hold one another can stand for more files than anybody has: that is said, not listed."""
    blob = origin.git("hash-object", "-w", "--stdin")
    tree = origin.make_tree([f"100644 blob {blob}\tf{n}" for n in range(10)])
    for _ in range(3):
        tree = origin.make_tree([f"040000 tree {tree}\td{n}" for n in range(10)])
    sha = origin.keep(origin.git("commit-tree", "-m", "x", tree))
    assert len(origin.mirror.entries(sha)) == 10_000
    bounded = small(origin, output=100_000)
    with pytest.raises(TooLarge, match="said more than 100000 bytes"):
        bounded.entries(sha)
    with pytest.raises(TooLarge):
        bounded.diff(origin.commit({"a": "1\n"}), sha)
    assert bad_entries(bounded, sha, TreeLimits()) == ("a tree that lists without end",)
    assert bad_entries(origin.mirror, sha, TreeLimits(files=100)) == ("10000 files, 0 bytes",)


def test_git_has_a_share_of_the_memory(origin: Origin) -> None:
    """What needs more memory than git may have is refused as too large, and a later try would not help."""
    one = origin.commit({"a": "x\n" * 400_000})
    two = origin.commit({"a": "y\n" * 400_000})
    bounded = small(origin, memory=6 << 20)
    with pytest.raises(TooLarge, match="more memory"):
        bounded.diff(one, two)
    assert origin.mirror.diff(one, two)
    assert bounded.has(one)


def test_git_has_a_share_of_the_processor(origin: Origin) -> None:
    """What computes without end is ended as too large; being killed by somebody else is weather."""
    one = origin.commit({"a": "".join(f"{n}\n" for n in range(600_000))})
    two = origin.commit({"a": "".join(f"{n * 7919 % 600_011}\n" for n in range(600_000))})
    with pytest.raises(TooLarge, match="SIGXCPU"):
        small(origin, cpu=1, memory=4 << 30, output=1 << 30).diff(one, two)
