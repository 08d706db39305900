"""Every situation that was recorded on a real forge, made again: the forge says what that one said."""

from __future__ import annotations

import pytest

from tests.contract import table
from tests.contract.proof import Proof
from tests.contract.shape import Answer, unlike
from tests.contract.story import Story


def held(proof: Proof, flavour: str, kind: str, case: str, got: dict[str, Answer]) -> None:
    row = table.load(flavour, kind)[case]
    differs = list(unlike(row.answer, got[case])) if case in got else ["it never came"]
    if differs:
        pytest.fail("\n  ".join([f"{row.of}, {case}, by {row.by}:", *differs]), pytrace=False)
    proof.shapes[flavour].add(case)


def test_an_answer(story: Story, proof: Proof, flavour: str, answered: str) -> None:
    """An answer has the status, the keys, the types and the words that were recorded."""
    held(proof, flavour, table.ANSWERS, answered, story.answers)


def test_a_delivery(story: Story, proof: Proof, flavour: str, delivered: str) -> None:
    """A delivery has the event headers, the keys and the types that were recorded."""
    held(proof, flavour, table.DELIVERIES, delivered, story.deliveries)
