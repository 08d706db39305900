"""Every situation that was recorded on a real forge, made again: the forge says what that one said.

A server of another version may have more keys, as forges add what nobody asked for: they are counted.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contract import table
from tests.contract.proof import Proof
from tests.contract.shape import Answer, unlike, without_more
from tests.contract.story import Story


@pytest.fixture
def held(proof: Proof, flavour: str, *, same_version: bool) -> Held:
    """Fails for a case that is not as it was recorded."""
    return Held(proof, flavour, same_version)


class Held:
    """What was said, held against what was recorded."""

    def __init__(self, proof: Proof, flavour: str, exactly: bool) -> None:
        self._proof, self._flavour, self._exactly = proof, flavour, exactly

    def __call__(self, kind: str, case: str, got: dict[str, Answer]) -> None:
        row = table.load(self._flavour, kind)[case]
        differs = list(unlike(row.answer, self._plain(row, got[case]))) if case in got else ["it never came"]
        if differs:
            pytest.fail("\n  ".join([f"{row.of}, {case}, by {row.by}:", *differs]), pytrace=False)
        self._proof.shapes[self._flavour].add(case)

    def _plain(self, row: table.Row, got: Answer) -> Answer:
        if self._exactly:
            return got
        more: set[str] = set()
        body = without_more(row.answer.body, got.body, "", more)
        self._proof.newer |= {f"{row.of} {path}" for path in more}
        return replace(got, body=body)


def test_an_answer(story: Story, held: Held, answered: str) -> None:
    """An answer has the status, the keys, the types and the words that were recorded."""
    held(table.ANSWERS, answered, story.answers)


def test_a_delivery(story: Story, held: Held, delivered: str) -> None:
    """A delivery has the event headers, the keys and the types that were recorded."""
    held(table.DELIVERIES, delivered, story.deliveries)
