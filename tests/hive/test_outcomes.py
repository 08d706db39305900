"""However a turn ends, people read it on the thread: done, partly done, nothing to do, blocked or failed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hive.gateway.run_messages import GIVEN_UP, NO_WORD, PUSHED, last_words
from hive.gateway.transcript_lines import OUTCOMES
from hive.gateway.turn_calls import SPOKEN
from hive.ledger import Turn

TURN = Turn(3, 7, "iris", "forgejo:acme/app#1", None, "do it", 1)
WORDS = {
    "pushed": PUSHED,
    "partial": "acme/app#2 is up to date: Count from two\n\nNot done:\n\nThe cellar: nobody knows where it is.",
    "proposed": "I asked for a change of my configuration, agent-configs/iris#3: gzip. I go on when it is merged.",
    "answered": "It counts from two since May.",
    "no-op": "The page counts from two already: `tests/test_page.py` shows it.",
    "blocked": "I cannot reach the archive that the issue names.",
    "failed": GIVEN_UP,
}


@pytest.mark.parametrize("outcome", sorted(WORDS))
def test_last_words_golden(outcome: str, golden: Callable[[str, str], None]) -> None:
    """Each outcome has its comment: what it means for people first, then the agent's words, then where to read more."""
    golden(f"outcome/{outcome}.md", last_words(TURN, outcome, WORDS[outcome]))


def test_each_outcome_is_said() -> None:
    """No outcome is silent: a pushed change is a pull request, questions and what was given back have comments of their own, and all else is said."""
    assert set(WORDS) == OUTCOMES - {"asked", "bounced"}
    assert {"asked", "bounced", "pushed"} == OUTCOMES - SPOKEN
    assert NO_WORD in last_words(TURN, "blocked", NO_WORD)
