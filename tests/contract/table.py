"""Tables of recorded shapes: one file for each flavour and kind, in which an object that occurs again is named once.

`{"version": "17.0.0", "rows": {"GET /user": {"users.self": {"as": "core", "status": 200, …, "body": "@user"}}}, "types": {"user": {…}}}`
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from tests.contract.shape import Answer

SHAPES = Path(__file__).parent / "shapes"
ANSWERS, DELIVERIES = "answers", "deliveries"


@dataclass(frozen=True)
class Row:
    """One recorded situation: who asked what for which answer; for a delivery, the event and what caused it."""

    of: str
    case: str
    by: str
    answer: Answer


@cache
def load(flavour: str, kind: str) -> Mapping[str, Row]:
    """The rows of a table by case; a delivery's is `event of cause`."""
    table = json.loads((SHAPES / flavour / f"{kind}.json").read_text())
    rows = (
        Row(of, case, said["as"], Answer(said["status"], said["headers"], said.get("message", ""), said["body"]))
        for of, cases in table["rows"].items()
        for case, said in _open(cases, table["types"]).items()
    )
    return {f"{row.of} of {row.case}" if kind == DELIVERIES else row.case: row for row in rows}


def version(flavour: str) -> str:
    """Of which version the recordings of a flavour are."""
    return str(json.loads((SHAPES / flavour / f"{ANSWERS}.json").read_text())["version"])


def flavours() -> list[str]:
    """The forges of which there are recordings."""
    return sorted(path.name for path in SHAPES.iterdir() if path.is_dir())


def routes() -> list[str]:
    """What the adapter asks of a forge, as `METHOD /path/{of}/a/swagger`."""
    return (SHAPES / "routes.txt").read_text().split("\n")[:-1]


def dump(rows: list[Row], version: str) -> str:
    """A table as text; the same rows give the same text in whatever order they come."""
    rows = sorted(rows, key=lambda row: (row.of, row.case))
    names = _names(rows)
    out: dict[str, dict[str, Any]] = {}
    for row in rows:
        said = row.answer
        plain = {"as": row.by, "status": said.status, "headers": said.headers, "body": said.body}
        plain |= {"message": said.message} if said.message else {}
        out.setdefault(row.of, {})[row.case] = {key: _close(one, names) for key, one in plain.items()}
    types = {name: {key: _close(one, names) for key, one in json.loads(text).items()} for text, name in names.items()}
    lines = [
        f'{{"version": {json.dumps(version)}, "rows": {{',
        _block({of: _block(cases) for of, cases in out.items()}),
        '}, "types": {',
        _block(types),
        "}}",
    ]
    return "\n".join(lines) + "\n"


def _block(things: Mapping[str, Any]) -> str:
    def text(one: Any) -> str:
        return (
            f"{{\n{one}\n}}"
            if isinstance(one, str)
            else json.dumps(one, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        )

    return ",\n".join(f"{json.dumps(name)}: {text(one)}" for name, one in sorted(things.items()))


def _objects(hint: str, shape: Any) -> Iterator[tuple[str, str]]:
    if isinstance(shape, dict):
        for key, one in shape.items():
            yield from _objects(key, one)
        yield json.dumps(shape, sort_keys=True), hint
    elif isinstance(shape, list):
        for row in shape:
            yield from _objects(hint, row)


def _names(rows: list[Row]) -> dict[str, str]:
    """A name for each object that is worth one: the least of the keys that lead to it, and a number."""
    hints: dict[str, str] = {}
    times: Counter[str] = Counter()
    for row in rows:
        parts = _objects("body", row.answer.body), _objects("headers", dict(row.answer.headers))
        for text, hint in chain(*parts):
            times[text] += 1
            hints[text] = min(hint, hints.get(text, hint))
    count: Counter[str] = Counter()
    names = {}
    for text in sorted(text for text in times if times[text] > 1 and len(text) > 40):
        count[hints[text]] += 1
        names[text] = f"{hints[text]}~{count[hints[text]]}"
    return names


def _close(shape: Any, names: Mapping[str, str]) -> Any:
    if isinstance(shape, list):
        return [_close(row, names) for row in shape]
    if not isinstance(shape, dict):
        return shape
    name = names.get(json.dumps(shape, sort_keys=True))
    return f"@{name}" if name else {key: _close(one, names) for key, one in shape.items()}


def _open(shape: Any, types: Mapping[str, Any]) -> Any:
    if isinstance(shape, list):
        return [_open(row, types) for row in shape]
    if isinstance(shape, dict):
        return {key: _open(one, types) for key, one in shape.items()}
    return _open(types[shape[1:]], types) if str(shape).startswith("@") else shape
