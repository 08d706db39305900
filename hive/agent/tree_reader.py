"""What a model may look at: files of its work tree, and the long outputs of its commands. Changes nothing."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hive.agent import files, reading
from hive.agent.child_process import Deadlines, watch
from hive.agent.errors import ToolError
from hive.agent.outputs import OutputFolder
from hive.agent.sandbox import NONE, Sandbox, python

DEADLINES = Deadlines(silence=30.0, longest=30.0)
NAMED = 10
"""How many files are named that were too large to be searched."""

ONE_OF_TWO = "search takes a pattern or a text, one of them."
BAD_PATTERN = "{pattern} is no regular expression of Python: {problem}."
TOO_SLOW = "The search was stopped, because it took too long or too much: try a simpler pattern, or fewer files."
NOTHING = "Nothing was found in {count} files. Not searched: what git ignores, and what is no text."


@dataclass(frozen=True, slots=True)
class TreeReader:
    """Reads and searches a work tree.

    `listed` returns the names of its files that git does not ignore, below a path of it. `pictures` is whether the model can
    look at pictures.
    """

    tree: Path
    listed: Callable[[str], bytes]
    outputs: OutputFolder
    sandbox: Sandbox = NONE
    pictures: bool = False

    def read(self, path: str, line: int = 1, lines: int = reading.LINES) -> str:
        """A page of a file, or the names in a folder."""
        place = self.outputs.find(path) or files.inside(self.tree, path)
        return reading.read(place, path, line, lines, pictures=self.pictures)

    def search(self, pattern: str = "", text: str = "", path: str = ".", files: str = "") -> str:
        """Lines that match."""
        if bool(pattern) == bool(text):
            raise ToolError(ONE_OF_TWO)
        found = self._found({"pattern": pattern or re.escape(text), "files": files}, self._names(path))
        if problem := found["problem"]:
            raise ToolError(BAD_PATTERN.format(pattern=pattern, problem=problem))
        return _said(found)

    def _names(self, path: str) -> bytes:
        output = self.outputs.find(path)
        if output is not None:
            return str(output).encode()
        place = files.inside(self.tree, path)
        inner = place.relative_to(self.tree.resolve()).as_posix()
        if place.is_file():
            return inner.encode("utf-8", "surrogateescape")
        if not place.is_dir():
            raise ToolError(f"There is no file or folder {path}.")
        return self.listed(inner)

    def _found(self, asked: dict[str, str], names: bytes) -> dict[str, Any]:
        process = subprocess.Popen(
            self.sandbox.words(python("hive.agent.line_search"), self.tree),
            cwd=self.tree,
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            with suppress(BrokenPipeError), process.stdin as told:
                told.write(json.dumps(asked).encode() + b"\n" + names)
            came = watch(process, process.stdout, process.stderr, DEADLINES)
        if came.status or came.stopped:
            raise ToolError(TOO_SLOW)
        found: dict[str, Any] = json.loads(came.out)
        return found


def _said(found: dict[str, Any]) -> str:
    lines = [f"{path}:{number}: {text}" for path, number, text in found["lines"]]
    if not lines:
        lines.append(NOTHING.format(count=found["files"]))
    if found["more"]:
        lines.append("[there is more: search for less, or in fewer files]")
    if found["late"]:
        lines.append("[the search took too long, and not all files were searched: name a path or files]")
    if large := found["large"]:
        more = f" and {len(large) - NAMED} more" if len(large) > NAMED else ""
        lines.append(f"[too large to be searched: {', '.join(large[:NAMED])}{more}]")
    return "\n".join(lines)
