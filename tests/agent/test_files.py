"""Files of a work tree: an edit finds its place whatever lines end by, and each line goes on to end as it did."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hive.agent import files
from hive.agent.errors import ToolError


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        ("a\r\nb\r\nc\r\n", "a\nb", "a\nx", "a\r\nx\r\nc\r\n"),
        ("a\r\nb\r\nc\r\n", "a\r\nb", "a\nx", "a\r\nx\r\nc\r\n"),
        ("a\nb\nc\n", "a\r\nb", "a\r\nx", "a\nx\nc\n"),
        ("a\r\nb\r\nc\r\n", "b", "b\ny\nz", "a\r\nb\r\ny\r\nz\r\nc\r\n"),
        ("a\r\nb\r\n", "a\nb\n", "", ""),
        ("a\r\nb\r\nc\r\n", "b\n", "", "a\r\nc\r\n"),
        ("a\r\nb", "b", "b\nc", "a\r\nb\r\nc"),
        ("one line", "line", "line\nmore", "one line\nmore"),
        # Mixed: a line that stays keeps its own end, a new one has that of the line before it.
        ("a\r\nb\nc\r\nd\n", "a\nb\nc\nd\n", "a\nx\nb\nc\ny\nd\n", "a\r\nx\r\nb\nc\r\ny\r\nd\n"),
        ("a\nb\r\nc\n", "b\nc\n", "b\nnew\nc\n", "a\nb\r\nnew\r\nc\n"),
        ("a\nb\r\nc\n", "a", "a\nnew", "a\nnew\nb\r\nc\n"),
        ("a\nb\r\nc\n", "b\nc", "x\ny", "a\nx\r\ny\n"),
        # A CR that ends no line is a letter like others.
        ("a\rb\nc\n", "a\rb", "a\rx", "a\rx\nc\n"),
        ("ü\r\n日\r\n", "ü\n日", "ü\n本", "ü\r\n本\r\n"),
    ],
)
def test_edits_keep_line_ends(tmp_path: Path, before: str, old: str, new: str, after: str) -> None:
    """What is compared is the text of lines; what is written ends as the file does. Made again it changes nothing."""
    (tmp_path / "f").write_bytes(before.encode())
    assert files.edit(tmp_path, "f", old, new) == "Edited f."
    assert (tmp_path / "f").read_bytes().decode() == after
    if new and old not in after:
        assert files.edit(tmp_path, "f", old, new) == "f reads so already."
        assert (tmp_path / "f").read_bytes().decode() == after


@pytest.mark.parametrize(("old", "count"), [("a\nb", 2), ("b\nc", 0), ("", 0)])
def test_a_place_is_the_only_one(tmp_path: Path, old: str, count: int) -> None:
    """Places that differ in what their lines end by are the same place twice."""
    (tmp_path / "f").write_bytes(b"a\r\nb\na\nb\n")
    with pytest.raises(ToolError, match=f"{count} times"):
        files.edit(tmp_path, "f", old, "x")


@pytest.mark.parametrize(
    ("before", "content", "after"),
    [
        (b"a\r\nb\r\n", "a\nc\n", b"a\r\nc\r\n"),
        (b"a\r\nb\n", "a\nc\n", b"a\nc\n"),
        (b"a\nb\n", "a\r\nc\r\n", b"a\r\nc\r\n"),
        (b"a", "a\n", b"a\n"),
        (b"\xff\r\n", "x\n", b"x\r\n"),
    ],
)
def test_a_file_that_is_written_anew(tmp_path: Path, before: bytes, content: str, after: bytes) -> None:
    """A file of CRLF stays one when it is written anew; what a model says in so many words is written so."""
    (tmp_path / "f").write_bytes(before)
    files.write(tmp_path, "f", content)
    assert (tmp_path / "f").read_bytes() == after


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    """What is no file is refused in words, at once."""
    os.mkfifo(tmp_path / "f")
    with pytest.raises(ToolError, match="is no file"):
        files.write(tmp_path, "f", "x")
    with pytest.raises(ToolError, match="is no file"):
        files.edit(tmp_path, "f", "a", "b")
