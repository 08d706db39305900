"""An agent's log is the host's: bounded while it grows, harmless to look at, never held up by who writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hive.reconcile.logs import BURST_BYTES, BYTES_PER_SECOND, LOG_BYTES, Allowance, Log, shown


def written(root: Path, data: bytes) -> Log:
    """The log of somebody who wrote some bytes and ended."""
    script = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        log = Log(root)
        log.follow(process.stdout)
        process.stdin.write(data)
        process.stdin.close()
        log.wait(60)
    return log


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        (b"plain\n", "plain"),
        (b"\x1b]0;title\x07\x1b[31mred", "\\x1b]0;title\\x07\\x1b[31mred"),
        (b"over\rwritten\x08\x9b", "over\\rwritten\\x08\\x9b"),
        ("\u202eabc\u2066\u200b".encode(), "\\u202eabc\\u2066\\u200b"),
        ("a\u2028b\u0085c".encode(), "a\\u2028b\\x85c"),
        (b"half a letter \xc3", "half a letter \\xc3"),
        (b"\xff\x00\x7f", "\\xff\\x00\\x7f"),
        ("Größe 🐝 日本\tend".encode(), "Größe 🐝 日本\tend"),
    ],
)
def test_control_characters_are_shown(tmp_path: Path, raw: bytes, seen: str) -> None:
    """What would move the cursor, colour, hide or reorder is written out; letters stay letters."""
    log = written(tmp_path, raw)
    assert log.tail(5) == seen
    assert (tmp_path / "log").read_bytes().strip() == seen.encode()


def test_letters_that_are_cut_in_two_are_whole(tmp_path: Path) -> None:
    """However the bytes come, a letter is not lost between two reads."""
    read, write = os.pipe()
    log = Log(tmp_path)
    log.follow(os.fdopen(read, "rb", buffering=0))
    for byte in "größe".encode():
        os.write(write, bytes([byte]))
    os.close(write)
    log.wait(60)
    assert log.tail(1) == "größe"


def test_a_flood_is_dropped_and_counted(tmp_path: Path) -> None:
    """Somebody who writes without end is let write, and what is too much is a number."""
    log = written(tmp_path, b"x" * 20_000_000)
    kept = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert kept < 2 * LOG_BYTES
    assert "bytes were dropped here" in log.tail(3)


def test_the_log_is_bounded_while_it_grows(tmp_path: Path) -> None:
    """A full log is put aside, and what was aside is gone: two files, whatever is written for how long."""
    for _ in range(2 * LOG_BYTES // BURST_BYTES + 3):
        written(tmp_path, b"\x1b" * (BURST_BYTES - 10))
        assert sorted(path.name for path in tmp_path.iterdir()) in (["log"], ["log", "log.old"])
        assert all(path.stat().st_size <= 4 * BURST_BYTES for path in tmp_path.iterdir())


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    """The log is nobody else's."""
    written(tmp_path, b"secret?")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("target", ["/etc/passwd", "/nonexistent/log"])
def test_a_link_in_its_place_is_not_written_through(tmp_path: Path, target: str) -> None:
    """Whatever stands in the place of the log is taken away, not followed."""
    (tmp_path / "log").symlink_to(target)
    assert written(tmp_path, b"here").tail(1) == "here"
    assert not (tmp_path / "log").is_symlink()


def test_an_allowance_is_spent_and_comes_back() -> None:
    """After a silence there is a burst, and then so many bytes a second."""
    allowance = Allowance(now=0.0)
    assert allowance.take(BURST_BYTES + 1, 0.0) == BURST_BYTES
    assert allowance.take(1, 0.0) == 0
    assert allowance.take(BURST_BYTES, 1.0) == BYTES_PER_SECOND
    assert allowance.take(2 * BURST_BYTES, 1000.0) == BURST_BYTES


def test_shown_is_plain() -> None:
    """No character of what is shown is one that a terminal obeys."""
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000)]))
    assert all(c.isprintable() or c in "\n\t" for c in shown(everything))
