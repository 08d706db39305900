"""The contract can fail: whatever is changed in what was recorded is seen, and named."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.contract import table
from tests.contract.shape import Answer, answer, unlike

ROWS = [
    row
    for name in table.flavours()
    for kind in (table.ANSWERS, table.DELIVERIES)
    for row in table.load(name, kind).values()
]


def places(shape: Any, at: str = "body") -> Iterator[tuple[Any, Any, str]]:
    """Each place below a shape: what it is in, its key there, and its path."""
    inside = shape.items() if isinstance(shape, dict) else enumerate(shape) if isinstance(shape, list) else ()
    for key, one in inside:
        path = f"{at}[]" if isinstance(shape, list) else f"{at}.{key}"
        yield shape, key, path
        yield from places(one, path)


def otherwise(shape: Any) -> list[Any]:
    """What could stand there instead."""
    every: list[Any] = ["null", "text", "number", "flag", [], {"more": "text"}]
    return [one for one in every if one != shape]


@pytest.mark.parametrize("seed", range(60))
def test_another_type(seed: int) -> None:
    """A type that is another, or null where there was a list, is reported with its path."""
    chance = random.Random(seed)
    row = chance.choice([row for row in ROWS if isinstance(row.answer.body, dict | list) and row.answer.body])
    body = copy.deepcopy(row.answer.body)
    holder, key, path = chance.choice(list(places(body)))
    holder[key] = chance.choice(otherwise(holder[key]))
    told = list(unlike(replace(row.answer, body=body), row.answer))
    assert told
    assert any(near(line.partition(":")[0], path.removesuffix("[]")) for line in told), (path, told)


def near(place: str, path: str) -> bool:
    """Whether a place is a path, lies below it, or holds it where a list has things of several shapes."""
    return place.startswith(path) or ("[]" in place and path.startswith((f"{place}.", f"{place}[]")))


@pytest.mark.parametrize("seed", range(60))
def test_a_key_less(seed: int) -> None:
    """A key that is missing, or one too many, is reported by its name."""
    chance = random.Random(seed)
    row = chance.choice([row for row in ROWS if isinstance(row.answer.body, dict)])
    body = copy.deepcopy(row.answer.body)
    holder, key, path = chance.choice([place for place in places(body) if isinstance(place[0], dict)])
    del holder[key]
    less = replace(row.answer, body=body)
    for told in (list(unlike(less, row.answer)), list(unlike(row.answer, less))):
        assert any(path.split("[]")[0] in line for line in told), (path, told)


@pytest.mark.parametrize("seed", range(40))
def test_other_words(seed: int) -> None:
    """Another status, other words and another header are reported."""
    chance = random.Random(seed)
    said = chance.choice([row for row in ROWS if row.answer.message]).answer
    headers = dict.fromkeys(said.headers, "text/html")
    for what, other in (
        ("status", replace(said, status=said.status + 1)),
        ("message", replace(said, message=said.message[:-1])),
        ("headers.content-type", replace(said, headers=headers)),
    ):
        assert [line.split(":")[0] for line in unlike(other, said)] == [what]


def test_a_row_in_a_list() -> None:
    """Rows have several shapes; one that nobody has seen is reported, and one that is missing."""
    label, other = {"id": "number", "name": "text"}, {"id": "number", "name": "null"}
    shape = Answer(200, {}, "", [label, other])
    assert list(unlike(shape, replace(shape, body=[other, label]))) == []
    assert list(unlike(shape, replace(shape, body=[label]))) == ["body[].name: expected null, got text"]
    assert list(unlike(replace(shape, body=[label]), shape)) == ["body[].name: expected text, got null"]
    assert list(unlike(shape, replace(shape, body=[]))) == ["body: expected […], got []"]


def test_what_differs_from_run_to_run() -> None:
    """Names, numbers, commits and addresses do not make an answer another one."""
    one, other = (
        answer(404, {"Content-Type": "application/json"}, {"message": said, "url": said}, {tag: ""})
        for tag, said in (
            ("ab-", f"no ab-iris, 5 at {'a' * 40} on http://a:1/x"),
            ("c-", f"no c-iris, 7 at {'b' * 40} on http://b/x"),
        )
    )
    assert one == other
    assert one.message == "no iris, N at SHA on http://forge/x"
