"""Git on the host takes no orders from names, and writes nothing outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.workspace import Bounds, GitFailed, Login
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
    with pytest.raises(GitFailed, match="not a reference"):
        origin.mirror.fetch(ref, "head")


@pytest.mark.parametrize("sha", ["HEAD", "--help", "a" * 39, "", "A" * 40])
def test_a_commit_is_forty_digits(origin: Origin, sha: str) -> None:
    """Only full hashes name commits."""
    with pytest.raises(GitFailed, match="not a commit"):
        origin.mirror.tree(sha)


def test_failure_shows_no_token(origin: Origin) -> None:
    """What git says may be shown; the token is not in it, nor in the configuration."""
    with pytest.raises(GitFailed) as error:
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
    with pytest.raises(GitFailed):
        origin.mirror.is_ancestor("0" * 40, main)


def test_writes_out_files_only(origin: Origin, tmp_path: Path) -> None:
    """Links are not made, and only what was asked for is written."""
    sha = origin.commit({"a/b.txt": "x", "c.txt": "y"}, links={"link": "/etc/passwd"})
    origin.mirror.write_out(sha, tmp_path / "out", frozenset({"a/b.txt", "link"}), bounds=Bounds())
    assert [path.name for path in (tmp_path / "out").rglob("*") if not path.is_dir()] == ["b.txt"]
    with pytest.raises(GitFailed, match="too much"):
        origin.mirror.write_out(sha, tmp_path / "o2", frozenset({"a/b.txt"}), bounds=Bounds(total_bytes=0))


def test_diff_has_one_form(origin: Origin) -> None:
    """Whatever a user's configuration says, the diff is the one that `forge.diff` reads."""
    one = origin.commit({"a": "1\n"})
    two = origin.commit({"a": "2\n"})
    assert "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n" in origin.mirror.diff(one, two)
