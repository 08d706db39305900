"""What a commit of everything would lose or keep by accident: told to the model before it is made. Changes nothing.

Git says nothing of files below a submodule that is not checked out (2.39 to 2.55: neither `status` nor `add` sees them), and `add`
takes a file with the marks of a conflict for resolved.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from hive.agent.errors import ToolError
from hive.agent.git import GitCommand

MOST_BYTES = 4 << 20
"""Of a file that is searched for marks."""

SHOWN = 10
GITLINK = "160000"
UNFINISHED = {
    "rebase-merge": "a rebase is not finished here: go on with `git rebase --continue`, or leave it with `git rebase --abort`",
    "rebase-apply": "a rebase is not finished here: go on with `git rebase --continue`, or leave it with `git rebase --abort`",
    "CHERRY_PICK_HEAD": "a cherry-pick is not finished here: `git cherry-pick --continue`, or `git cherry-pick --abort`",
    "REVERT_HEAD": "a revert is not finished here: `git revert --continue`, or `git revert --abort`",
}
"""What git keeps in `.git` while something is half done, and what to do. A merge is not among them: its commit ends it."""

MARKED = "Not submitted: {paths} still {has} the marks of a conflict (<<<<<<<, =======, >>>>>>>). Bring both sides together, and submit again."
UNMERGED = (
    "Not submitted yet: {paths} {was} in conflict, and git left one side of {it} in the work tree. If that is what you want, submit again; "
    "else put there what you want."
)
BELOW = (
    "Not submitted: {paths} {is_} below a submodule that is not checked out here, and git takes nothing there into a commit. Put {it} "
    "elsewhere, or take {it} away. What a submodule holds is changed in its own repository; if that has to be, say so at the end of your turn."
)
NESTED = (
    "Not submitted yet: {paths} {has} a `.git` of {its} own, so nothing in {it} is a part of your commit. If it should be, take that `.git` "
    "away, unless it is a submodule; if not, submit again."
)
_MARK = re.compile(rb"^(<{7}|={7}|>{7})(?: [^\n]*)?\r?$", re.MULTILINE)


def has_marks(text: bytes) -> bool:
    """Whether git's marks of a conflict stand around two versions of something."""
    wanted = b"<"
    for mark in _MARK.finditer(text):
        letter = mark[1][:1]
        if letter == b"<":
            wanted = b"="
        elif letter == wanted == b"=":
            wanted = b">"
        elif letter == wanted == b">":
            return True
    return False


class CommitCheck:
    """Looks at one work tree. What may be meant so is told once, and passes when it is asked for again."""

    def __init__(self, path: Path, git: GitCommand) -> None:
        self._path = path
        self._git = git
        self._told: set[str] = set()

    def refuse_accidents(self, nested: Iterable[str]) -> None:
        """Raise ToolError with a sentence about what is not as it should be; `nested` are folders with a repository of their own."""
        for name, words in UNFINISHED.items():
            if (self._path / ".git" / name).exists():
                raise ToolError(f"Not submitted: {words}.")
        self._refuse(MARKED, [path for path in self._touched() if self._has_marks(path)])
        links = set(self._links())
        own = [path for path in nested if any(name != ".git" for name in _names(self._path / path))]
        self._refuse(BELOW, [f"{path}/{name}" for path in sorted(links) for name in self._lost(path)])
        unmerged = {row.partition("\t")[2] for row in self._rows("ls-files", "-z", "--unmerged")}
        self._tell(UNMERGED, unmerged - links)
        self._tell(NESTED, own)

    def _touched(self) -> set[str]:
        """Files that differ from the newest commit, new ones among them."""
        new = self._rows("ls-files", "-z", "--others", "--exclude-standard")
        return {*self._rows("diff", "HEAD", "-z", "--name-only", "--no-renames"), *new}

    def _has_marks(self, path: str) -> bool:
        place = self._path / path
        if place.is_symlink() or not place.is_file() or place.stat().st_size > MOST_BYTES:
            return False
        return has_marks(place.read_bytes()) and not self._was_marked(path)

    def _was_marked(self, path: str) -> bool:
        """Whether the newest commit has marks there already: a file about conflicts may show some."""
        try:
            return has_marks(self._git.raw("cat-file", "blob", f"HEAD:{path}"))
        except ToolError:
            return False

    def _links(self) -> Iterator[str]:
        """The paths of submodules."""
        for row in self._rows("ls-files", "-z", "--stage"):
            facts, _, path = row.partition("\t")
            if facts.startswith(GITLINK):
                yield path

    def _lost(self, path: str) -> list[str]:
        """What lies in the folder of a submodule that is not checked out."""
        names = _names(self._path / path)
        return [] if ".git" in names else sorted(names)

    def _rows(self, *words: str) -> list[str]:
        return [os.fsdecode(row) for row in self._git.raw(*words).split(b"\0") if row]

    def _tell(self, words: str, paths: Iterable[str]) -> None:
        """Refuse for paths that were not told before."""
        new = set(paths) - self._told
        self._told |= new
        self._refuse(words, new)

    @staticmethod
    def _refuse(words: str, paths: Iterable[str]) -> None:
        found = sorted(paths)
        if not found:
            return
        shown = ", ".join(path.encode("utf-8", "replace").decode() for path in found[:SHOWN])
        shown += ", …" if len(found) > SHOWN else ""
        one = {"is_": "is", "was": "was", "has": "has", "it": "it", "its": "its"}
        many = {"is_": "are", "was": "were", "has": "have", "it": "them", "its": "their"}
        raise ToolError(words.format(paths=shown, **(one if len(found) == 1 else many)))


def _names(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in folder.iterdir()} if not folder.is_symlink() else set()
    except OSError:  # not there, or no folder
        return set()
