"""Lines are followed by what git says, over pushes that replace history, renames and odd names: never by a guess."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bots.review_rounds import FollowedLine, FollowedLines, LinePlace
from forge.diff import parse
from forge.line_map import LineMap
from hive.git_mirror.errors import GitError
from hive.git_mirror.line_history import pin
from hive.git_mirror.mirror import Login, Mirror
from hive.inspect.line_follower import contexts, follow, keep

Tree = Mapping[str, bytes]
ENV = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
OLD = b"one\ntwo\n\nthree\nfour\nfive\nsix\nseven\n"


class Store:
    """A mirror into which a test writes commits, each without a parent: as after a push that replaces history."""

    def __init__(self, path: Path) -> None:
        self.mirror = Mirror(path / "m.git", "http://127.0.0.1:1/x.git", Login("core", "x"))

    def commit(self, tree: Tree) -> str:
        """A commit that no reference leads to."""
        rows = []
        for name, data in sorted(tree.items()):
            blob = self.git("hash-object", "-w", "--stdin", feed=data)
            rows.append(b"100644 blob %s\t%s\0" % (blob.encode(), os.fsencode(name)))
        (self.mirror.path / "index").unlink(missing_ok=True)
        self.git("update-index", "-z", "--index-info", feed=b"".join(rows))
        made = self.git("write-tree")
        return self.git("-c", "user.name=h", "-c", "user.email=h@h", "commit-tree", "-m", "x", made)

    def git(self, *words: str, feed: bytes = b"") -> str:
        """What git answers."""
        done = subprocess.run(
            ["git", *words], cwd=self.mirror.path, env=ENV, input=feed, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def follow(self, old: Tree, new: Tree, *then: LinePlace, now: tuple[LinePlace, ...] = ()) -> FollowedLines:
        """Lines of one tree in another."""
        found = follow(self.mirror, self.commit(old), self.commit(new), then, now)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An empty mirror."""
    return Store(tmp_path_factory.mktemp("lines"))


texts = st.lists(st.sampled_from(["a", "b", "", "\r", "--- a", "@@ -1 +1 @@", "x\u2028y"]), max_size=25)


@settings(max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(old=texts, new=texts, end=st.booleans())
def test_a_map_is_exact(store: Store, old: list[str], new: list[str], *, end: bool) -> None:
    """Each line that git does not call changed is the same text in both versions, in order, and leads back to itself."""
    before, after = (("\n".join(rows) + "\n" * (end and bool(rows))).encode() for rows in (old, new))
    one, two = store.commit({"f": before}), store.commit({"f": after})
    diff = store.git("diff", "--no-color", "-U0", "--src-prefix=a/", "--dst-prefix=b/", one, two)
    [file] = parse(diff) or [None]
    was, now = (data.decode().split("\n") for data in (before, after))
    lines = LineMap.of(file) if file is not None else LineMap((), ())
    count = len(was) - (was[-1] == "")
    places = {line: lines.now(line) for line in range(1, count + 1)}
    kept = [(line, place) for line, place in places.items() if place is not None]
    assert len(kept) == count - (0 if file is None else len(file.old))
    assert all(was[line - 1] == now[place - 1] for line, place in kept)
    assert [place for _, place in kept] == sorted(place for _, place in kept)
    assert all(lines.then(place) == line for line, place in kept)


def test_a_diff_with_context_is_no_map() -> None:
    """Of a diff that shows unchanged lines it is not known which they are."""
    [file] = parse("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
    with pytest.raises(ValueError, match="not changed"):
        LineMap.of(file)


def test_lines_move_and_end(store: Store) -> None:
    """A line below an insertion moves, a changed one is not there any more, and other files stay as they are."""
    new = {"a": OLD.replace(b"two\n", b"two\ntwo and a half\n").replace(b"five", b"FIVE"), "b": OLD}
    places = (LinePlace("a", 1), LinePlace("a", 4), LinePlace("a", 6), LinePlace("b", 4), LinePlace("a", 0))
    found = store.follow({"a": OLD, "b": OLD}, new, *places, now=(LinePlace("a", 3), LinePlace("a", 5)))
    assert found.then == (
        FollowedLine("a", 1, changed=True),
        FollowedLine("a", 5, changed=True),
        FollowedLine("a", 0, changed=True, instead=(7, 7)),
        FollowedLine("b", 4, changed=False),
        FollowedLine("a", 0, changed=True),
    )
    assert found.fresh == (True, False)


def test_what_stands_in_place_of_a_line(store: Store) -> None:
    """A line that was rewritten, together with its neighbours or with more lines, has others in its place; a deleted one has none."""
    new = OLD.replace(b"two\n\n", b"2\n2.5\n3\n").replace(b"five\n", b"").replace(b"seven", b"more\n7")
    found = store.follow({"a": OLD}, {"a": new}, *(LinePlace("a", line) for line in range(1, 9)))
    assert [each.line for each in found.then] == [1, 0, 0, 5, 6, 0, 7, 0]
    assert [each.instead for each in found.then if not each.line] == [(2, 4), (2, 4), (0, 0), (8, 9)]


@pytest.mark.parametrize("name", ["b", ":(top)b", "*", "d/ü x", "-x", "q\"'", "t\tb", "\udcff"])
def test_files_move_and_end(store: Store, name: str) -> None:
    """A renamed file is followed whatever it is called; one that is gone is not there, and a binary one has no lines."""
    found = store.follow(
        {"a": OLD, "gone": b"bye\n"}, {name: OLD + b"eight\n"}, LinePlace("a", 4), LinePlace("gone", 1)
    )
    assert found.then == (FollowedLine(name, 4, changed=True), FollowedLine("", 0, changed=True))
    found = store.follow({name: OLD}, {"a": OLD + b"eight\n"}, LinePlace(name, 4), now=(LinePlace("a", 9),))
    assert (found.then, found.fresh) == ((FollowedLine("a", 4, changed=True),), (True,))
    found = store.follow({"a": b"\0one\n"}, {"a": b"\0two\n"}, LinePlace("a", 1))
    assert found.then == (FollowedLine("a", 0, changed=True, instead=(1, 1)),)


def test_a_head_that_is_not_there(store: Store) -> None:
    """Nothing is known of a commit that nobody has."""
    assert follow(store.mirror, "d" * 40, store.commit({"a": OLD}), (LinePlace("a", 1),), ()) is None
    assert follow(store.mirror, "--help", store.commit({"a": OLD}), (LinePlace("a", 1),), ()) is None


def test_a_pinned_head_outlives_its_branch(store: Store) -> None:
    """What was reviewed stays when no branch leads to it and git tidies up; what is not pinned goes."""
    kept, lost = store.commit({"a": OLD, "k": b"k"}), store.commit({"a": OLD, "l": b"l"})
    keep(store.mirror, 7, 2, kept)
    assert store.git("rev-parse", "refs/hive/reviewed/7/2") == kept
    store.git("gc", "-q", "--prune=now")
    assert (store.mirror.has(kept), store.mirror.has(lost)) == (True, False)
    for sha, name in (("HEAD", "x"), (kept, "../x"), (kept, "x.lock")):
        with pytest.raises(GitError, match="not a reference"):
            pin(store.mirror, sha, name)


def test_only_the_last_two_reviewed_heads_are_kept(store: Store) -> None:
    """No round looks further back than the one before it; other pull requests keep theirs."""
    heads = [store.commit({"a": OLD, "n": f"{number}".encode()}) for number in range(12)]
    keep(store.mirror, 70, 1, heads[0])
    for number, head in enumerate(heads, 1):
        keep(store.mirror, 7, number, head)
    kept = store.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/hive/").split()
    assert sorted(kept) == ["7/11", "7/12", "70/1"]


def test_a_context_is_the_code_around(store: Store) -> None:
    """The same lines around the same line have one digest wherever they are, and whatever white space is between them."""
    moved = b"zero\n\n" + OLD.replace(b"two\n\nthree", b"  two\nthree")
    places = (LinePlace("a", 4), LinePlace("b", 5), LinePlace("c", 4), LinePlace("a", 5), LinePlace("a", 4, 6))
    head = store.commit({"a": OLD, "b": moved, "c": OLD.replace(b"five", b"FIVE")})
    first, elsewhere, neighbour_changed, other_line, longer = contexts(store.mirror, head, places)
    assert first == elsewhere
    assert len({first, neighbour_changed, other_line, longer}) == 4
    assert contexts(store.mirror, head, (LinePlace("a", 99), LinePlace("none", 1), LinePlace("", 0))) == (
        "", "", contexts(store.mirror, head, (LinePlace("a", 0),))[0]
    )  # fmt: skip
