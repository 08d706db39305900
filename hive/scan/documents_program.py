"""Read JSON and TOML files and print, as lines of JSON, which of them do not parse and where."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

_LINE = re.compile(r"\(at line (\d+), column \d+\)$")


def fault(name: str) -> tuple[int, str] | None:
    """The line of the first fault of a file, and what is wrong; None if there is none."""
    text = Path(name).read_text("utf-8").removeprefix("\ufeff")
    try:
        if name.endswith(".toml"):
            tomllib.loads(text)
        elif text.strip():
            json.loads(text)
    except json.JSONDecodeError as error:
        return error.lineno, error.msg
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        return int(found[1]) if found else text.count("\n") or 1, _LINE.sub("", str(error)).strip()
    return None


def main() -> None:
    """One line for each broken file; one that is nested too deeply ends the run, and so the review, visibly."""
    for name in sys.argv[1:]:
        if (seen := fault(name)) is not None:
            said = {"file": name, "line": seen[0], "rule": "broken", "message": seen[1]}
            print(json.dumps(said))  # noqa: T201


if __name__ == "__main__":
    main()
