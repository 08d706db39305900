"""Files of issues: one JSON object a line, with `title`, `body`, and for learning `kind`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from hive.classify.training import LabelledIssue

LONGEST_LINE = 16 << 20


class BadExample(ValueError):
    """A line that holds no issue; the message names the file and the line."""


def read_issues(path: Path) -> Iterator[tuple[str, str]]:
    """Title and body of each line; raises BadExample and OSError."""
    for number, said in _objects(path):
        yield _text(path, number, said, "title"), _text(path, number, said, "body", empty="")


def read_examples(path: Path) -> Iterator[LabelledIssue]:
    """The labelled issue in each line; raises BadExample and OSError."""
    for number, said in _objects(path):
        kind = _text(path, number, said, "kind").strip()
        if not kind:
            raise BadExample(f"{path}:{number}: kind: should be a word")
        yield LabelledIssue(_text(path, number, said, "title"), _text(path, number, said, "body", empty=""), kind)


def _objects(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    with path.open("rb") as lines:
        number = 0
        while line := lines.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise BadExample(f"{path}:{number}: a line longer than {LONGEST_LINE >> 20} MB")
            if not line.strip():
                continue
            try:
                said = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadExample(f"{path}:{number}: not JSON: {error}") from error
            if not isinstance(said, dict):
                raise BadExample(f"{path}:{number}: should be an object with title and body")
            yield number, said


def _text(path: Path, number: int, said: dict[str, object], name: str, *, empty: str | None = None) -> str:
    text = said.get(name, empty)
    if text is None and empty is not None:
        return empty
    if not isinstance(text, str):
        raise BadExample(
            f"{path}:{number}: {name}: should be a text (it is {'missing' if text is None else type(text).__name__})"
        )
    return text
