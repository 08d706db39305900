"""What git writes is what is read: the diff reader against real trees and a real git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forge.diff import MalformedDiff, added_lines, parse

Tree = Mapping[str, bytes]

LOOKALIKES = [
    "", "-- a", "++ b", "-", "+", "@@ -1,3 +1,3 @@", "diff --git a/x b/x", "\\ No newline at end of file", "rename to y",
    "\r", "\x0c", "a\u2028b", "a\rb", "\x85", "\x1c", "new file mode 100644", "Binary files differ",
]  # fmt: skip
NAMES = [
    "plain.py",
    "sp ace.txt",
    "tab\t.txt",
    'quo"te',
    "back\\slash",
    "new\nline",
    "ümlaut",
    "a b/b/c",
    " b/x",
    "-x",
    "d/e/f",
]

lines = st.sampled_from(LOOKALIKES) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\n\0"), max_size=5
)
contents = st.builds(
    lambda rows, end: ("\n".join(rows) + ("\n" if end and rows else "")).encode(),
    st.lists(lines, max_size=14),
    st.booleans(),
)
binaries = st.just(b"\0\1\2binary") | st.just(b"\0other")
trees = st.dictionaries(st.sampled_from(NAMES), contents | binaries, max_size=5)


class Git:
    """A real repository that holds trees as commits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run("init", "-q", "--bare", ".")

    def diff(self, before: Tree, after: Tree, *options: str) -> str:
        """What `git diff` says between two trees."""
        self._run("fast-import", "--quiet", "--force", feed=_stream("before", before) + _stream("after", after))
        said = self._run(
            "-c", "core.quotePath=false", "diff", "-M", *options, "refs/heads/before", "refs/heads/after", "--"
        )
        return said.decode("utf-8", "surrogateescape")

    def _run(self, *words: str, feed: bytes = b"") -> bytes:
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", *words], cwd=self._folder, env=env, input=feed, capture_output=True, check=True)
        return done.stdout


def _stream(branch: str, tree: Tree) -> bytes:
    head = f"commit refs/heads/{branch}\ncommitter h <h@h> 0 +0000\ndata 0\n\ndeleteall\n".encode()
    files = (b"M 100644 inline %s\ndata %d\n%s\n" % (_quoted(name), len(data), data) for name, data in tree.items())
    return head + b"".join(files) + b"\n"


def _quoted(name: str) -> bytes:
    return b'"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").encode() + b'"'


def rows(data: bytes) -> dict[int, str]:
    """The lines of a file as git counts them."""
    parts = data.decode().split("\n")
    return dict(enumerate(parts[:-1] if parts[-1] == "" else parts, start=1))


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Git:
    return Git(tmp_path_factory.mktemp("diff"))


@settings(
    max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(before=trees, after=trees)
def test_reads_what_git_writes(git: Git, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Taking away what was removed and adding what was added makes the old tree the new one."""
    files = parse(git.diff(before, after, "-U0"))
    assert {file.old_path for file in files} - {None} == {name for name in before if before[name] != after.get(name)}
    assert {file.path for file in files} - {None} == {name for name in after if after[name] != before.get(name)}
    for file in files:
        was = rows(before[file.old_path]) if file.old_path is not None and not file.binary else {}
        now = rows(after[file.path]) if file.path is not None and not file.binary else {}
        assert all(was[number] == text for number, text in file.old.items())
        assert all(now[number] == text for number, text in file.new.items())
        assert file.added == frozenset(file.new)
        assert without(was, file.old) == without(now, file.new)
    wide = parse(git.diff(before, after, "-U3"))
    assert added_lines(wide) == added_lines(files)
    for file in wide:
        assert file.binary or file.path is None or file.new.items() <= rows(after[file.path]).items()
        assert file.binary or file.old_path is None or file.old.items() <= rows(before[file.old_path]).items()


def without(file: dict[int, str], shown: Mapping[int, str]) -> list[str]:
    """The lines of a file that a diff does not show."""
    return [text for number, text in file.items() if number not in shown]


def test_real_changes_of_every_kind(tmp_path: Path) -> None:
    """A file that was only renamed, made empty, or had its mode changed shows nothing; a link is no regular file."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}

    def run(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=tmp_path, env=env, capture_output=True, check=True, text=True).stdout

    run("init", "-q", ".")
    (tmp_path / "gone").write_text("bye\n")
    (tmp_path / "mode b.sh").write_text("x\n")
    (tmp_path / "moved from").write_text("one\ntwo\nthree\n")
    (tmp_path / "link").write_text("a file\n")
    run("add", ".")
    before = run("write-tree").strip()
    (tmp_path / "gone").unlink()
    (tmp_path / "mode b.sh").chmod(0o755)
    (tmp_path / "moved from").rename(tmp_path / "moved\tto")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "made").write_text("")
    run("add", "--all", ".")
    files = {(file.old_path, file.path): file for file in parse(run("diff", "-M", before, run("write-tree").strip()))}
    assert set(files) == {
        ("gone", None),
        ("mode b.sh", "mode b.sh"),
        ("moved from", "moved\tto"),
        ("link", None),
        (None, "link"),
        (None, "made"),
    }
    assert added_lines(files.values()) == {
        "mode b.sh": frozenset(),
        "moved\tto": frozenset(),
        "made": frozenset(),
    }


def test_where_links_point() -> None:
    """A link or a submodule that points elsewhere now has added no line of code."""
    repo, link, sub = "diff --git a/x b/x\n", "index 1..2 120000\n", "index 1..2 160000\n"
    hunk = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-one\n+two\n"
    assert [added_lines(parse(repo + mode + hunk)) for mode in (link, sub)] == [{}, {}]
    assert added_lines(parse(repo + "index 1..2 100755\n" + hunk)) == {"x": frozenset({1})}


def test_bytes_that_are_no_text() -> None:
    """A name in C quotes keeps every byte, so that the file can be found on a disk."""
    diff = 'diff --git "a/\\377\\303\\274\\a" "b/\\377\\303\\274\\a"\nold mode 100644\nnew mode 100755\n'
    assert os.fsencode(parse(diff)[0].path or "") == b"\xff\xc3\xbc\x07"


@pytest.mark.parametrize(
    ("fault", "diff"),
    [
        ("cut off", "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n one\n"),
        ("begins a line", "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n one\ndiff --git a/y b/y\n"),
        ("longer than it says", "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,1 +1,2 @@\n one\n-two\n+three\n"),
        ("before any file", "@@ -1 +1 @@\n-a\n+b\n"),
    ],
)
def test_says_when_it_cannot_read(fault: str, diff: str) -> None:
    """A diff that was cut off or does not add up is an error, never half a review."""
    with pytest.raises(MalformedDiff, match=fault):
        parse(diff)


def test_nothing_changed() -> None:
    """No diff is a diff of no files."""
    assert parse("") == ()
