"""The work tree of a turn, as text files that git tracks. Reads and writes nothing outside of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hive.agent import files
from hive.agent.errors import GitToolError, ToolError
from hive.agent.git import GitCommand

MAX_FILES = 50_000
MAX_BYTES = 1 << 20
"""Of a file that is read as text; a longer one is no source."""

REGULAR = frozenset({"100644", "100755"})
TOO_MANY = f"The repository has more than {MAX_FILES} files; I do not search so many."
NO_TEXT = "{path} is no text that I can change: it is binary, not UTF-8, or larger than 1 MiB."
NO_FILE = "there is no file {path}"


class Checkout:
    """Files by their paths. `between` is called before each file that is read; it raises to stop.

    Each git is a process of its own in the sandbox, so what is known of the index is kept until it is staged again.
    """

    def __init__(self, tree: Path, git: GitCommand, base: str, between: Callable[[], None]) -> None:
        self.tree = tree
        self.git = git
        self.base = base
        self.between = between
        self._modes: dict[str, str] = {}

    def modes(self) -> dict[str, str]:
        """Every tracked path with its mode; raises ToolError for more files than are searched."""
        if self._modes:
            return self._modes
        found: dict[str, str] = {}
        for row in self.git.raw("ls-files", "--stage", "-z").split(b"\0"):
            facts, _, name = row.partition(b"\t")
            if name:
                found[name.decode("utf-8", "surrogateescape")] = facts.split()[0].decode()
        if len(found) > MAX_FILES:
            raise ToolError(TOO_MANY)
        self._modes = found
        return found

    def sources(self, paths: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
        """The text files among those that are named, below a folder that is named, or all; raises ToolError for none."""
        modes = self.modes()
        for path in self.chosen(modes, paths):
            if modes[path] in REGULAR and (text := self.text(path)) is not None:
                self.between()
                yield path, text

    @staticmethod
    def chosen(modes: Iterable[str], paths: Iterable[str] = ()) -> list[str]:
        """The tracked paths that are named, or below a folder that is; raises ToolError for one that is not there."""
        every = list(modes)
        wanted = [path.removeprefix("./").rstrip("/") for path in paths]
        if not wanted or "." in wanted:
            return every
        found: dict[str, None] = {}
        for path in wanted:
            here = [each for each in every if each == path or each.startswith(f"{path}/")]
            here = here or [each for each in every if each.rpartition("/")[2] == path]
            if not here:
                raise ToolError(NO_FILE.format(path=f"`{path}`"))
            if len(here) > 1 and "/" not in path and not any(each.startswith(f"{path}/") for each in here):
                raise ToolError(f"there are several files `{path}`: {', '.join(f'`{each}`' for each in here[:5])}")
            found |= dict.fromkeys(here)
        return list(found)

    def text(self, path: str) -> str | None:
        """A file's text as it stands, line ends included; None for what is no text."""
        place = files.inside(self.tree, path)
        if not place.is_file() or place.stat().st_size > MAX_BYTES:
            return None
        data = place.read_bytes()
        try:
            return None if b"\0" in data else data.decode("utf-8")
        except UnicodeDecodeError:
            return None

    def must_read(self, path: str) -> str:
        """The text of a file that has to be one; raises ToolError."""
        text = self.text(path)
        if text is None:
            there = files.inside(self.tree, path).exists()
            raise ToolError(NO_TEXT.format(path=f"`{path}`") if there else NO_FILE.format(path=f"`{path}`"))
        return text

    def write(self, path: str, text: str) -> None:
        """Write a file with exactly this text; its folders are made, its mode stays."""
        files.put(self.tree, path, text.encode())

    def delete(self, paths: Iterable[str]) -> None:
        """Delete tracked paths."""
        self._modes = {}
        self.git("rm", "--quiet", "--force", "--", *(f":(top,literal){path}" for path in paths))

    def move(self, old: str, new: str) -> None:
        """Move a tracked path; raises ToolError if something is there."""
        place = files.inside(self.tree, new)
        if place.exists() or place.is_symlink():
            raise ToolError(f"`{new}` exists already")
        files.make_folder(self.tree, new)
        self._modes = {}
        self.git("mv", "--", old, new)

    def base_text(self, path: str) -> str:
        """A file of the base branch; empty if it is not there."""
        try:
            return self.git.raw("cat-file", "blob", f"{self.base}:{path}").decode("utf-8", "replace")[:MAX_BYTES]
        except GitToolError:
            return ""

    def base_paths(self) -> list[str]:
        """The paths of the base branch."""
        rows = self.git.raw("ls-tree", "-r", "-z", "--name-only", self.base).split(b"\0")
        return [row.decode("utf-8", "surrogateescape") for row in rows if row][:MAX_FILES]

    def begin(self, turn: int) -> None:
        """Start from what was committed when the turn began; what is not committed is kept in git's stash."""
        mark = f"refs/hive/turn-{turn}"
        if self.git("status", "--porcelain", "--ignore-submodules=all"):
            self.git("stash", "push", "--quiet", "--include-untracked", f"--message=before turn {turn}")
        if not self.git.succeeds(
            "update-ref", mark, "HEAD", ""
        ):  # a process of this turn was killed, after its commit perhaps
            self.git("reset", "--quiet", "--hard", mark)

    def stage(self) -> str:
        """Everything as it is now, as a tree that `restore` brings back."""
        self._modes = {}
        self.git("add", "--all", "--", ".", *(f":(exclude,top,literal){path}" for path in self.git.nested()))
        return self.git("write-tree")

    def restore(self, tree: str) -> None:
        """Bring back what `stage` saw; what is there beside it was made since, and goes."""
        self.stage()
        self.git("read-tree", "--reset", "-u", tree)
        self._modes = {}

    def is_changed(self) -> bool:
        """Whether what was staged differs from HEAD."""
        return not self.git.succeeds("diff-index", "--cached", "--quiet", "HEAD")

    def stat(self) -> str:
        """The difference of what was staged to HEAD, in numbers."""
        return self.git("diff", "--cached", "--stat=100,60", "--stat-count=30", "-M", "HEAD")
