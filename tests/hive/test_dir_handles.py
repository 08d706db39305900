"""What somebody else may write is opened by handle: no link is followed, nothing blocks, nothing outside is touched."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from hive.reconcile.dir_handles import DirHandle, ForeignEntry, openat2, walk

LINKS = {"nowhere": "/nonexistent/x", "foreign": "/etc/passwd", "directory": "/etc", "up": "../outside"}


def link(target: str) -> Callable[[Path], None]:
    """Puts a link there."""
    return lambda path: path.symlink_to(target)


def listening(path: Path) -> None:
    """Puts a socket there."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


INSTEAD: dict[str, Callable[[Path], None]] = {
    **{name: link(target) for name, target in LINKS.items()},
    "fifo": os.mkfifo,
    "socket": listening,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with another one outside of it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("kept")
    (tmp_path / "d").mkdir()
    return tmp_path / "d"


@pytest.mark.parametrize("kind", INSTEAD)
def test_something_else_is_refused_at_once(folder: Path, kind: str) -> None:
    """Neither as a directory nor as a file: a link is not followed, and a fifo is not waited for."""
    INSTEAD[kind](folder / "x")
    with DirHandle.at(folder) as here:
        with pytest.raises(ForeignEntry):
            here.folder("x")
        for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT):
            with pytest.raises(ForeignEntry):
                here.open("x", flags)
        with pytest.raises(ForeignEntry):
            here.read_end("x", 10)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["d", "outside"]


@pytest.mark.parametrize("kind", [*INSTEAD, "file", "full directory"])
def test_what_is_written_takes_the_place(folder: Path, kind: str) -> None:
    """A file that is put there replaces the link itself; only a directory with something in it is left alone."""
    if kind == "full directory":
        (folder / "x" / "y").mkdir(parents=True)
    else:
        INSTEAD.get(kind, Path.touch)(folder / "x")
    with DirHandle.at(folder) as here:
        if kind == "full directory":
            with pytest.raises(OSError, match="directory"):
                here.write("x", b"new")
            assert here.names() == ["x"]
        else:
            here.write("x", b"new")
            assert here.read_end("x", 2) == b"ew"
    assert (folder.parent / "outside" / "kept").read_text() == "kept"


@pytest.mark.parametrize("kind", [*INSTEAD, "file", "tree"])
def test_removing_follows_nothing(folder: Path, kind: str) -> None:
    """What is taken away is what lies there, with all below it, and not what it points to."""
    if kind == "tree":
        (folder / "x" / "a" / "b").mkdir(parents=True)
        (folder / "x" / "a" / "out").symlink_to(folder.parent / "outside")
    else:
        INSTEAD.get(kind, Path.touch)(folder / "x")
    with DirHandle.at(folder) as here:
        here.remove("x")
        here.remove("x")
        assert here.names() == []
    assert (folder.parent / "outside" / "kept").read_text() == "kept"


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside/kept", "a/../../outside/kept", "", "a\0b"])
def test_names_lead_nowhere_else(folder: Path, name: str) -> None:
    """A name is a place below, whatever it looks like."""
    (folder / "a").mkdir()
    with DirHandle.at(folder) as here, pytest.raises(ForeignEntry):
        here.open(name, os.O_RDONLY)


@pytest.mark.parametrize("way", [openat2, walk])
def test_links_on_the_way_are_not_followed(folder: Path, way: Callable[[int, str, int, int], int | None]) -> None:
    """By the kernel's walk or by ours: a directory on the way that is a link ends it."""
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "c").write_text("c")
    (folder / "a" / "out").symlink_to(folder.parent / "outside")
    flags = os.O_RDONLY | os.O_NOFOLLOW
    with DirHandle.at(folder) as here:
        handle = way(here.fd, "a/b/c", flags, 0)
        if handle is None:
            pytest.skip("this kernel does not know openat2, or a filter forbids it")
        with os.fdopen(handle) as file:
            assert file.read() == "c"
        for name in ("a/out/kept", "a/out"):
            with pytest.raises(OSError, match=r"symbolic|directory"):
                way(here.fd, name, flags, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root is let in everywhere")
def test_a_closed_directory_is_opened_again(folder: Path) -> None:
    """A directory of ours from which every right was taken gets them back."""
    (folder / "x").mkdir()
    (folder / "x").chmod(0)
    with DirHandle.at(folder) as here, here.folder("x") as closed:
        closed.write("y", b"")
        assert closed.names() == ["y"]


def test_a_full_disk_leaves_no_draft(folder: Path) -> None:
    """What cannot be put in its place leaves nothing behind and the old one whole."""
    (folder / "x").mkdir()
    (folder / "x" / "y").touch()
    with DirHandle.at(folder) as here:
        with pytest.raises(OSError, match="directory"):
            here.write("x", b"new")
        assert here.names() == ["x"]
