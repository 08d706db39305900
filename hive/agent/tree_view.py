"""What a clone holds: files, commits, and how it differs from its base. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hive.agent.git import GitCommand
from hive.agent.large_files import raw_files

MAX_TEXT = 1 << 20
"""Bytes of a file that is read from a commit."""

MAX_DIFF = 32 << 20
"""Bytes of a change that is looked through."""


@dataclass(slots=True)
class FileLines:
    """The lines of one file that a change adds and removes."""

    path: str
    added: list[bytes] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)


class TreeView:
    """A clone as it can be read; `base` and `theirs` are the remote branches that it starts at, and that it is pushed to."""

    def __init__(self, git: GitCommand, base: str, theirs: str) -> None:
        self._git = git
        self._base = base
        self._theirs = theirs

    def head(self) -> str:
        """The newest commit."""
        return self._git("rev-parse", "HEAD")

    def listed(self, path: str) -> bytes:
        """The names of the files below a path that git does not ignore, each ended by NUL."""
        listing = ("ls-files", "-z", "--deduplicate", "--cached", "--others", "--exclude-standard")
        return self._git.raw(*listing, "--", f":(top,literal){path}")

    def at_top(self) -> list[str]:
        """The names at the top of the newest commit."""
        return self._git.raw("ls-tree", "-z", "--name-only", "HEAD").decode(errors="replace").split("\0")[:-1]

    def on_base(self, name: str) -> str:
        """The text of a file at the top of the base; empty for a link, and if there is none or it is too large."""
        return self._text(self._base, name)

    def on_head(self, name: str) -> str:
        """The same of the newest commit."""
        return self._text("HEAD", name)

    def has_news(self) -> bool:
        """Whether there is something that the forge does not have: changes, or commits that were not pushed."""
        return bool(self._git("status", "--porcelain", "--ignore-submodules=all")) or bool(self.unpushed())

    def is_ahead(self) -> bool:
        """Whether there is a commit that the base does not have."""
        return self._git("rev-list", "--count", f"{self._base}..HEAD") != "0"

    def is_pushed(self) -> bool:
        """Whether the forge has a branch of ours with commits that the base does not have."""
        return self._git.succeeds("rev-parse", "--verify", "--quiet", self._theirs) and not self._git.succeeds(
            "merge-base", "--is-ancestor", self._theirs, self._base
        )

    def unpushed(self) -> list[tuple[str, str]]:
        """The commits that are not on the forge yet: short names and messages, newest first."""
        known = [f"^{self._theirs}"] if self._git.succeeds("rev-parse", "--verify", "--quiet", self._theirs) else []
        rows = self._git("log", "-z", "--format=%h%n%B", f"{self._base}..HEAD", *known).split("\0")
        return [(name, said) for name, _, said in (row.partition("\n") for row in rows) if name]

    def raw_files(self) -> list[str]:
        """Changed files that belong to Git LFS and hold no pointer."""
        return raw_files(self._git, self._base)

    def size(self) -> tuple[int, int]:
        """How many files differ from the base, and how many lines are added and removed in all; binary files have none."""
        rows = self._git("diff", "--numstat", "--no-renames", f"{self._base}...HEAD").splitlines()
        counts = [row.split("\t")[:2] for row in rows]
        return len(rows), sum(int(count) for row in counts for count in row if count.isdecimal())

    def change(self) -> Iterator[FileLines]:
        """The lines that differ from the base, file by file; raises GitToolError for a change that is too large."""
        how = ("--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
        diff = self._git.raw("diff", *how, f"{self._base}...HEAD", most=MAX_DIFF)
        file = FileLines("")
        left = [0, 0]
        for line in diff.split(b"\n"):
            if any(left):  # the counts of a hunk decide, as a line of a file may look like anything
                side = 0 if line[:1] == b"-" else 1
                if line[:1] in b"-+":
                    left[side] -= 1
                    (file.removed, file.added)[side].append(line[1:])
            elif line.startswith(b"diff --git "):
                if file.path:
                    yield file
                file = FileLines(line.decode(errors="replace").rpartition(" b/")[2] or "?")
            elif hunk := _HUNK.match(line):
                left = [int(count or 1) for count in hunk.groups()]
        if file.path:
            yield file

    def _text(self, commit: str, name: str) -> str:
        entry = self._git("ls-tree", "-l", commit, "--", f":(top,literal){name}").split()
        if len(entry) < 4 or not entry[0].startswith("100") or int(entry[3]) > MAX_TEXT:
            return ""
        return self._git("cat-file", "blob", entry[2])


_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
