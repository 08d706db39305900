"""Follows every line of real histories from commit to commit, and counts those that arrive at another text.

    python -m bench.review_anchors [REPOSITORY …] [--anchors 100000]

A pair of commits is a commit and its first parent, and a commit and the one forty before it, as after a force-push. Each line of
each file that differs is an anchor; the text at its new place must be its own, places must keep their order, and the lines that
are not followed must be as many as git calls removed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from forge.line_map import LineMap
from hive.git_mirror.line_history import changed_lines
from hive.git_mirror.mirror import Login, Mirror

APART = 40


def main() -> int:
    """Print one line for each repository, and one for all; the status is 1 if an anchor was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="*", default=["."])
    parser.add_argument("--anchors", type=int, default=100_000)
    asked = parser.parse_args()
    total = wrong = 0
    for name in asked.repositories:
        began, seen = time.process_time(), 0
        for found, bad in _followed(_git_directory(Path(name))):
            seen, wrong = seen + found, wrong + bad
            if seen >= asked.anchors:
                break
        total += seen
        print(f"{name}: {seen} anchors, {time.process_time() - began:.1f} s of CPU")
    print(f"{total} anchors, {wrong} wrong")
    return 1 if wrong else 0


def _followed(directory: Path) -> Iterator[tuple[int, int]]:
    """For each file that differs between two commits: its anchors, and how many of them are wrong."""
    mirror = Mirror(directory, "", Login("", ""))
    commits = mirror.git.run("rev-list", "--first-parent", "--max-count=4000", "HEAD").split("\n")
    for at, new in enumerate(commits):
        for old in (commits[at + distance] for distance in (1, APART) if at + distance < len(commits)):
            names = mirror.git.read("diff", "--name-only", "-z", "--diff-filter=MR", "--no-renames", old, new)
            paths = [name for name in names.decode("utf-8", "surrogateescape").split("\0") if name]
            for file in changed_lines(mirror, old, new, then=paths):
                was, now = (_lines(mirror, sha, at or "") for sha, at in ((old, file.old_path), (new, file.path)))
                places = [LineMap.of(file).now(line) for line in range(1, len(was) + 1)]
                kept = [(line, place) for line, place in enumerate(places, 1) if place is not None]
                bad = sum(place > len(now) or was[line - 1] != now[place - 1] for line, place in kept)
                bad += [place for _, place in kept] != sorted({place for _, place in kept})
                bad += len(kept) != len(was) - len(file.old)
                yield len(was), bad


def _lines(mirror: Mirror, sha: str, path: str) -> list[bytes]:
    body = mirror.file(sha, path, most=64 << 20) or b""
    rows = body.split(b"\n")
    return rows[:-1] if rows[-1] == b"" else rows


def _git_directory(place: Path) -> Path:
    words = ["git", "-C", str(place), "rev-parse", "--absolute-git-dir"]
    return Path(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())


if __name__ == "__main__":
    sys.exit(main())
