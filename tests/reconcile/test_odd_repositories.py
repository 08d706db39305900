"""A repository that is old, imported or unusual is mirrored like any other, or is refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hive.git_mirror.errors import OtherHash, Unrelated
from hive.git_mirror.mirror import GitError, Login, Mirror, TreeLimits
from hive.git_mirror.quarantine import EMPTY_TREES, quarantine
from tests.reconcile.odd_repositories import MAIN, WHEN, OddRepository, odd_forge

HARMLESS = {
    "bad time zone": "a <a@b.invalid> 1 +051800",
    "missing space before an address": f"a<a@b.invalid> {WHEN}",
    "no name before an address": f"<a@b.invalid> {WHEN}",
    "missing space before a date": f"a <a@b.invalid>{WHEN}",
    "missing address": f"a {WHEN}",
    "bad address": f"a <a@b.invalid {WHEN}",
    "bad name": f"a> <a@b.invalid> {WHEN}",
    "bad date": "a <a@b.invalid> yesterday +0000",
    "zero-padded date": "a <a@b.invalid> 01 +0000",
    "a date beyond all calendars": "a <a@b.invalid> 18446744073709551615 +0000",
}


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[OddRepository]:
    """An empty repository on a forge."""
    with odd_forge(tmp_path) as made:
        yield made


def test_what_old_tools_wrote_is_mirrored(odd: OddRepository) -> None:
    """Each commit that git would not write so now is fetched, named, compared and merged."""
    heads = {}
    begin = odd.commit()
    for number, (what, author) in enumerate(HARMLESS.items()):
        blob = odd.blob(f"{what}\n".encode())
        tree = odd.tree(("100644", "a", odd.blob()), ("100644", "b", blob))
        heads[what] = odd.commit(tree, begin, author=author, ref=f"refs/heads/odd{number}")
    for number, (what, sha) in enumerate(heads.items()):
        assert odd.mirror.fetch(f"refs/heads/odd{number}", "odd") == sha, what
        assert what in odd.mirror.diff(begin, sha)
        assert odd.mirror.merged_tree(begin, sha) == odd.mirror.tree(sha)
        assert odd.mirror.commits(begin, sha), what


def test_modes_of_old_tools_are_mirrored(odd: OddRepository) -> None:
    """A folder whose mode has a zero before it, and a file that its group may write."""
    inner = odd.tree(("100644", "b", odd.blob()))
    sha = odd.commit(odd.tree(("100664", "a", odd.blob()), ("040000", "d", inner)))
    assert odd.mirror.fetch(MAIN, "head") == sha
    assert {entry.path for entry in odd.mirror.entries(sha)} == {"a", "d/b"}


@pytest.mark.parametrize("name", ["../out", "d/../../out", "d/.GIT/config", "/out"])
def test_a_whole_path_as_a_name_leads_nowhere(odd: OddRepository, tmp_path: Path, name: str) -> None:
    """Old imports wrote them, so a history that has one is mirrored; what would lead elsewhere is written out nowhere."""
    sha = odd.commit(odd.tree(("100644", name, odd.blob())))
    assert odd.mirror.fetch(MAIN, "head") == sha
    (tmp_path / "in").mkdir()
    with pytest.raises(GitError, match="leaves the tree"):
        odd.mirror.write_out(sha, tmp_path / "in", frozenset({name}), bounds=TreeLimits())
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "in").rglob("*"))


@pytest.mark.parametrize("name", ["..", ".git", ".", ".git/config"])
def test_names_that_lead_elsewhere_are_refused(odd: OddRepository, name: str) -> None:
    """What is dangerous is refused as ever, in words, and a later try would not help."""
    odd.commit(odd.tree(("100644", name, odd.blob())))
    with pytest.raises(GitError, match="hasDot") as refused:
        odd.mirror.fetch(MAIN, "head")
    assert type(refused.value) is GitError


def test_hostile_submodules_are_refused(odd: OddRepository) -> None:
    """An address of a submodule that reads as an option."""
    modules = odd.blob(b'[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch\n')
    odd.commit(odd.tree(("100644", ".gitmodules", modules)))
    with pytest.raises(GitError, match="gitmodulesUrl"):
        odd.mirror.fetch(MAIN, "head")


@pytest.mark.parametrize("default", ["sha1", "sha256"])
def test_objects_may_be_named_by_either_hash(
    odd: OddRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, default: str
) -> None:
    """A repository of SHA-256 is mirrored and pushed to, and what a host prefers for new repositories does not matter."""
    monkeypatch.setenv("GIT_DEFAULT_HASH", default)
    plain = odd.commit()
    one = Mirror(tmp_path / "one.git", odd.url, Login("root", "correct horse"))
    assert one.fetch(MAIN, "head") == plain
    odd.become_sha256()
    begin = odd.commit()
    with pytest.raises(OtherHash, match="named by sha256"):  # what is known of it would be lost
        one.fetch(MAIN, "head")
    sha = odd.commit(odd.tree(("100644", "b", odd.blob())), begin)
    two = Mirror(tmp_path / "two.git", odd.url, Login("root", "correct horse"))
    assert two.fetch(MAIN, "head") == sha
    assert len(sha) == 64
    assert two.count(begin, sha) == 1
    assert [entry.path for entry in two.entries(sha)] == ["b"]
    assert two.merged_tree(begin, sha) == two.tree(sha)
    two.keep(sha, "kept")
    with quarantine(two, tmp_path / "waiting") as pushed:
        assert [each.sha for each in pushed.objects([sha])] == []
        assert pushed.changed(EMPTY_TREES[1], sha) == ["b"]
        assert pushed.packed([sha]).exists()
    other = odd.commit(odd.tree(("100644", "c", odd.blob())), sha)
    assert two.fetch(MAIN, "head") == other


def test_histories_that_have_nothing_in_common(odd: OddRepository) -> None:
    """They are told in a sentence of ours, whatever is asked of them, and a later try would not help."""
    main = odd.commit()
    orphan = odd.commit(odd.tree(("100644", "b", odd.blob())), ref="refs/heads/orphan")
    odd.mirror.fetch_all({MAIN: "main", "refs/heads/orphan": "orphan"})
    for ask in (odd.mirror.merge_base, odd.mirror.merged_tree):
        with pytest.raises(Unrelated, match="no commit in common"):
            ask(main, orphan)


ATTRIBUTES = {
    "union": ("log merge=union\n", "", True),
    "union below": ("", "log merge=union\n", True),
    "no merge": ("log -merge\n", "", False),
    "none": ("", "", False),
}


@pytest.mark.parametrize("what", ATTRIBUTES)
def test_a_merge_is_made_by_the_attributes_of_its_base(odd: OddRepository, what: str) -> None:
    """As a forge merges that has a work tree: `union` takes both sides, `-merge` none, wherever the base says so."""
    top, below, merges = ATTRIBUTES[what]

    def state(log: bytes, *, top: str = top, below: str = below) -> str:
        inner = [("100644", ".gitattributes", odd.blob(below.encode()))] if below else []
        inner = [*inner, ("100644", "log", odd.blob(log))]
        outer = [("100644", ".gitattributes", odd.blob(top.encode()))] if top else []
        return odd.tree(*outer, ("40000", "d", odd.tree(*inner)))

    begin = odd.commit(state(b"1\n"))
    main = odd.commit(state(b"1\n2\n"), begin)
    side = odd.commit(state(b"1\n3\n"), begin, ref="refs/heads/side")
    odd.mirror.fetch_all({MAIN: "main", "refs/heads/side": "side"})
    tree = odd.mirror.merged_tree(main, side)
    assert (tree is not None) is merges
    if tree is not None:
        assert odd.mirror.file(tree, "d/log", most=100) == b"1\n2\n3\n"
    # What the change says of attributes counts once it is merged, and not for its own merge.
    sly = odd.commit(state(b"1\n4\n", top="log merge=union\n", below=""), begin, ref="refs/heads/sly")
    odd.mirror.fetch("refs/heads/sly", "sly")
    if what == "none":
        assert odd.mirror.merged_tree(main, sly) is None


def test_attributes_that_differ_from_a_plain_merge(odd: OddRepository) -> None:
    """`-merge` refuses what would merge line by line."""
    lines = b"".join(b"%d\n" % n for n in range(20))

    def state(log: bytes) -> str:
        return odd.tree(("100644", ".gitattributes", odd.blob(b"log -merge\n")), ("100644", "log", odd.blob(log)))

    begin = odd.commit(state(lines))
    main = odd.commit(state(b"first\n" + lines), begin)
    side = odd.commit(state(lines + b"last\n"), begin, ref="refs/heads/side")
    odd.mirror.fetch_all({MAIN: "main", "refs/heads/side": "side"})
    assert odd.mirror.merged_tree(main, side) is None
