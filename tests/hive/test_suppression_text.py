"""A suppression is added to a file as people wrote it."""

from __future__ import annotations

import pytest

from hive.config import BadYaml, read_repository
from hive.config.review_settings import SuppressionSettings
from hive.config.suppression_text import NotEditable, add_suppression

ITEM = SuppressionSettings("S101", ("tests/a b.py", "gen/"), 'they say: "no"')
TEXTS = (
    "",
    "checks: [make]\n",
    "checks: [make]  # all of it",
    "review:\n  mode: open\n",
    "review:\n  # quiet\n  floor: yellow\nchecks:\n  - make\n",
    "review:\n  suppress:\n    - {rule: B018, paths: [examples/]}\n  floor: yellow\n",
    "review:\n  suppress:\n  - rule: B018\n    # why\n    paths: [examples/]\n\nchecks: [make]\n",
    "review:\n  suppress: []\n",
    "review:\n  suppress: [{rule: B018, paths: [a/]}]\n",
    "review: {mode: open}\n",
    "review: {}\n",
    "{review: {suppress: [{rule: B018}]}}\n",
)


@pytest.mark.parametrize("text", TEXTS)
def test_one_more_and_nothing_else(text: str) -> None:
    """What was there is there, in its words and with its comments; one suppression more is read."""
    before, edited = read_repository(text), add_suppression(text, ITEM)
    after = read_repository(edited)
    assert after.review.suppress == (*before.review.suppress, ITEM)
    assert after.checks == before.checks
    assert after.review.mode == before.review.mode
    assert all(line in edited for line in text.splitlines() if line.lstrip().startswith("#"))
    assert add_suppression(edited, SuppressionSettings("S102", ("x",)))


def test_a_file_that_cannot_be_edited() -> None:
    """A list that is full stays as it is, and a broken file is an error."""
    full = "".join(f"    - {{rule: R{number}}}\n" for number in range(100))
    with pytest.raises(NotEditable):
        add_suppression(f"review:\n  suppress:\n{full}", ITEM)
    with pytest.raises(BadYaml):
        add_suppression("review: {mode: never}\n", ITEM)
