"""Read units and Dockerfiles and print, as lines of JSON, what is wrong in them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hive.scan.directives.matching import DOCKERFILE, UNIT, look


def main() -> None:
    """One line of JSON for each finding."""
    for name in sys.argv[1:]:
        text = Path(name).read_text("utf-8", "replace")
        for line, rule in look(text, language=DOCKERFILE if name.endswith(".dockerfile") else UNIT):
            print(json.dumps({"file": name, "line": line, "rule": rule}))  # noqa: T201


if __name__ == "__main__":
    main()
