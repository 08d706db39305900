"""Reduces recordings of real forges to the tables of shapes that the contract is held against.

    python -m tests.contract.reduce DIR

DIR holds a folder for each flavour, with `index.json`, `responses/*.json` and `webhooks/*.json`. Kept are the
answers to what the adapter asks (`shapes/routes.txt`, which the contract holds true) and the deliveries
that it decodes. Nobody needs DIR to test.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forge.gitea.decode_deliveries import _READINGS
from tests.contract import table
from tests.contract.shape import answer, delivery
from tests.contract.swagger import pattern
from tests.contract.table import Row

_NO_ROLE = "none"
_UNUSED = ("agit.",)
"""Beginnings of recorded cases about what the hive makes no use of."""


def reduced(recording: Path) -> dict[str, str]:
    """The tables of one flavour: file name and text."""
    index = json.loads((recording / "index.json").read_text())
    names = {f"{index['prefix']}-": "", index["prefix"]: "", index["logins"]["admin"]: "admin"}
    rows = {
        table.ANSWERS: list(_answers(recording / "responses", names)),
        table.DELIVERIES: list(_deliveries(recording / "webhooks")),
    }
    return {f"{kind}.json": table.dump(found, index["version"]) for kind, found in rows.items()}


def _answers(responses: Path, names: dict[str, str]) -> Iterator[Row]:
    routes = table.routes()
    for path in sorted(responses.glob("*.json")):
        recorded = json.loads(path.read_text())
        asked, said = recorded["request"], recorded["response"]
        route = (
            "git" not in asked
            and not path.stem.startswith(_UNUSED)
            and _routed(f"{asked['method']} {asked['path']}", routes)
        )
        if route:
            shape = answer(said["status"], said["headers"], said["body"] or None, names)
            yield Row(route, path.stem, asked["as"], shape)


def _routed(template: str, routes: list[str]) -> str | None:
    """The route of a recorded template: its words are the same, what stands for an argument is not."""
    same = next((route for route in routes if _HOLE.sub("{}", route) == _HOLE.sub("{}", template)), None)
    return same or next((r for r in routes if r.endswith("{branch}") and pattern(r).fullmatch(template)), None)


_HOLE = re.compile(r"\{\w+\}")


def _deliveries(webhooks: Path) -> Iterator[Row]:
    for path in sorted(webhooks.glob("*.json")):
        recorded: dict[str, Any] = json.loads(path.read_text())
        kind, _, rest = path.stem.partition(".")
        action = rest.partition(".")[0]
        used = not recorded["cause"].startswith(_UNUSED)
        if recorded["to"] == "/org" and used and action in _READINGS.get(kind, {}):
            again = re.search(r"-(\d+)$", path.stem)
            cause = recorded["cause"] + (f" {again[1]}" if again else "")
            yield Row(f"{kind}.{action}", cause, _NO_ROLE, delivery(recorded["headers"], recorded["body"]))


def main(arguments: list[str]) -> int:
    """Write the tables."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write(f"{__doc__}\n")
        return 2
    found = sorted(path.parent for path in Path(arguments[0]).glob("*/index.json"))
    for recording in found:
        place = table.SHAPES / recording.name
        place.mkdir(parents=True, exist_ok=True)
        for name, text in reduced(recording).items():
            (place / name).write_text(text)
            sys.stdout.write(f"{recording.name}/{name}: {len(text)} bytes\n")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
