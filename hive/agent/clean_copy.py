"""A commit checked out beside its work tree, with nothing else in it: what was not committed cannot make a check pass there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hive.agent.directory_trees import remove_path
from hive.agent.git import GitCommand
from hive.agent.sandbox import Sandbox


class CleanCopy:
    """A place for copies of one work tree's commits; they read its objects, and have no way to the forge."""

    def __init__(self, tree: Path, env: Mapping[str, str], sandbox: Sandbox) -> None:
        self.path = tree.with_name("clean")
        self._objects = tree / ".git" / "objects"
        self.sandbox = replace(sandbox, readable=(*sandbox.readable, self._objects))
        """How commands are confined that run in it."""

        self._git = GitCommand(self.path, env, "", self.sandbox)

    @contextmanager
    def of(self, commit: str, *, hash_function: str) -> Iterator[Path]:
        """The folder, as long as the context lasts; raises GitToolError, HostUnavailable and OSError."""
        remove_path(self.path)
        try:
            self.path.mkdir()
            self.sandbox.give(self.path)
            self._git.as_is("init", "--quiet", "--template=", f"--object-format={hash_function}", ".")
            alternates = self.path / ".git" / "objects" / "info" / "alternates"
            alternates.parent.mkdir(exist_ok=True)
            alternates.write_text(f"{self._objects}\n")
            for made in (alternates.parent, alternates):
                self.sandbox.give(made)
            self._git.as_is("checkout", "--quiet", "--detach", commit)
            yield self.path
        finally:
            remove_path(self.path)
