"""What an agent did can be read by its operator, and read only: nothing in it reaches the terminal as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bots.money import CENT, DOLLAR
from hive.app.run_log import FORGOTTEN, follow, record, runs
from hive.instance.instance import StartupError
from hive.ledger import Caps, Ledger, Quote, Spender, TokenCounts

USAGE = {"input_tokens": 5, "cache_read_input_tokens": 90, "cache_creation_input_tokens": None, "output_tokens": 7}


@pytest.fixture
def run(ledger: Ledger) -> int:
    """A run with one turn that is over and one that was tried three times."""
    runs = ledger.runs
    run = runs.start("acme", "iris", "forgejo:acme/app#1", "k1", "do it")
    turn = runs.claim("iris")
    assert turn is not None
    call = {"type": "tool_use", "id": "t", "name": "run", "input": {"command": "ls\ncat x"}}
    lines: list[dict[str, Any]] = [
        {"turn": turn.id, "mind": "0a"},
        {"role": "user", "content": [{"type": "text", "text": "do it"}]},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "I look."}, call],
            "stop_reason": "tool_use",
            "usage": USAGE,
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": "\x1b[31mred\x07\u202e\n" + "line\n" * 40}
            ],
        },
        {"shortened": True},
        {
            "role": "assistant",
            "content": [{**call, "name": "submit", "input": {"title": "T"}}],
            "stop_reason": "tool_use",
            "usage": USAGE,
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t", "content": "no", "is_error": True}],
            "end": {"outcome": "pushed", "message": "acme/app#2 is up to date: T"},
        },
    ]
    for number, line in enumerate(lines):
        ledger.transcripts.append(run, number, line)
    who, tokens = Spender("acme", "iris", turn.ref, run, turn.id), TokenCounts(input=5, cache_read=90, output=7)
    aborted = TokenCounts(input=5, cache_read=90, output=1)
    for counts, cost in ((tokens, 37 * CENT), (aborted, CENT), (tokens, 20 * CENT)):
        quote = Quote("claude-sonnet-5-5", counts, amount=DOLLAR, least=DOLLAR)
        hold = ledger.budgets.reserve(who, Caps(run=3 * DOLLAR), quote, "host")
        ledger.budgets.settle(hold, counts, cost, is_estimate=False)
    runs.set_pull(run, "forgejo:acme/app#2")
    runs.end_turn(turn, "pushed", steps=2)
    runs.add_turn(run, "c", "more", by_person=True)
    for _ in range(3):
        runs.claim("iris")
        runs.release("iris")
    second = turn.id + 1
    ledger.transcripts.append(run, len(lines), {"turn": second, "mind": "0a"})
    return run


def test_what_an_agent_did(ledger: Ledger, run: int, golden: Callable[[str, str], None]) -> None:
    """Turns with what came of them, texts, tools with their input and result, tokens; long texts are cut."""
    golden("cli/run.txt", "\n".join(record(ledger, run)))


def test_all_of_it(ledger: Ledger, run: int) -> None:
    """Whole, nothing is left out, and still no control character goes through."""
    said = "\n".join(record(ledger, run, whole=True))
    assert said.count("line") == 40
    assert "\\x1b[31mred\\x07\\u202e" in said
    assert all(c.isprintable() or c == "\n" for c in said)


def test_no_such_run(ledger: Ledger, run: int) -> None:
    """A run that is not there is an error, and one whose transcript is forgotten is told of."""
    with pytest.raises(StartupError, match="no run 99"):
        list(record(ledger, 99))
    with ledger.transaction() as db:
        db.execute("DELETE FROM transcripts")
    assert "keep_days" in list(record(ledger, run))[-1]


def test_runs_are_listed(ledger: Ledger, run: int, golden: Callable[[str, str], None]) -> None:
    """The newest runs, newest first: whose, where, how each stands, and what it used."""
    other = ledger.runs.start("acme", "otto", "forgejo:acme/app#7", "k7", "do it")
    ledger.runs.end(other, "cancelled")
    golden("cli/runs.txt", "\n".join(runs(ledger)))


def test_no_runs_yet(ledger: Ledger) -> None:
    """An empty list says so."""
    assert list(runs(ledger)) == ["no agent has worked on anything yet"]


def test_a_live_run_is_followed_to_its_end(ledger: Ledger, run: int) -> None:
    """What comes while it is followed is printed once, in order, with how the run stands; its end ends it."""
    turn = ledger.runs.claim("iris")
    assert turn is not None
    waits = 0

    def wait() -> None:
        nonlocal waits
        waits += 1
        if waits == 1:
            line = {"role": "user", "content": [{"type": "text", "text": "and now this"}]}
            ledger.transcripts.append(run, len(ledger.transcripts.of(run)), line)
        elif waits == 2:
            ledger.runs.end_turn(turn, "pushed")
        elif waits == 3:
            end = {"end": {"outcome": "answered", "message": "That was it."}}
            ledger.transcripts.append(run, len(ledger.transcripts.of(run)), end)
            ledger.runs.end(run, "merged")

    said = list(follow(ledger, run, wait))
    assert waits == 3
    told = [line.strip() for line in said]
    for once in ("and now this", "That was it.", "turn 1  pushed", "✅ done: merged"):
        assert sum(once in line for line in told) == 1, once
    assert told[-1].startswith("✅ done: merged")
    assert [line for line in told if "working" in line]


def test_following_what_is_over(ledger: Ledger, run: int) -> None:
    """A run that has ended is printed once, without waiting."""
    ledger.runs.end(run, "merged")
    said = list(follow(ledger, run, lambda: pytest.fail("it waited")))
    assert said[-1] == "\n✅ done: merged"
    assert FORGOTTEN not in said
