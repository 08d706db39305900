"""Transcripts: each line once and in order, whoever is killed while it is told."""

from __future__ import annotations

from typing import Any

import pytest

from hive.gateway.transcript_lines import MalformedLine, is_step, line_of
from hive.ledger import Ledger, OutOfSequence, TranscriptFull
from hive.ledger.transcripts import MAX_BYTES
from tests.conftest import Clock

REPLY = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "t1", "name": "run", "input": {"command": "ls"}}],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": None, "server_tool_use": {"x": 1}},
}
SHOWN = {"type": "text", "text": "a.png:"}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
GOOD: list[dict[str, Any]] = [
    {"turn": 7, "mind": "0a1b"},
    {"mind": "0a1c"},
    {"shortened": True},
    {"new": True},
    {"role": "user", "content": [{"type": "text", "text": "do it"}]},
    REPLY,
    REPLY | {"content": [{"type": "thinking", "thinking": "hm", "signature": "s"}], "repaired": ["t1"]},
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a.py", "is_error": True}],
        "end": {"outcome": "pushed", "message": "Done."},
    },
    {"end": {"outcome": "failed", "message": ""}},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [SHOWN, PICTURE]}]},
]
deep: Any = "x"
for _ in range(100):
    deep = [deep]
BAD: list[object] = [
    *(None, [], "x", 5, {}, {"other": 1}),
    {"turn": 8, "mind": "a"},  # of another turn
    {"turn": 7},
    {"turn": True, "mind": "a"},
    {"mind": 5},
    {"shortened": False},
    {"role": "user"},
    {"content": []},
    {"role": "system", "content": []},
    {"role": "user", "content": "text"},
    {"role": "user", "content": ["text"]},
    {"role": "user", "content": [{"text": "x"}]},
    {"role": "user", "content": [{"type": "text", "text": 5}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [1]}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "document"}]}]},
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "image", "source": 1}]}],
    },
    {"role": "assistant", "content": []},
    REPLY | {"usage": {"input_tokens": "many"}},
    REPLY | {"usage": {"input_tokens": -1}},
    REPLY | {"usage": {"input_tokens": 1e300}},
    REPLY | {"content": [{"type": "tool_use", "id": "t1", "name": "run", "input": "ls"}]},
    REPLY | {"content": [{"type": "tool_use", "id": "t1", "name": "run", "input": {"x": deep}}]},
    REPLY | {"repaired": "t1"},
    {"end": {"outcome": "merged", "message": ""}},
    {"end": {"outcome": "pushed"}},
]


@pytest.fixture
def run(ledger: Ledger) -> int:
    """A run of iris."""
    return ledger.runs.start("acme", "iris", "forgejo:acme/app#1", "k1", "do it")


def test_each_line_once_and_in_order(ledger: Ledger, run: int) -> None:
    """A line that is told again is there once; one that differs, or that leaves a gap, is refused and changes nothing."""
    for number, line in enumerate(GOOD):
        assert ledger.transcripts.append(run, number, line)
        assert not ledger.transcripts.append(run, number, line)
    for number, line in ((0, GOOD[1]), (len(GOOD) + 1, GOOD[0])):
        with pytest.raises(OutOfSequence):
            ledger.transcripts.append(run, number, line)
    assert ledger.transcripts.of(run) == GOOD
    assert ledger.transcripts.of(run + 1) == []


def test_a_transcript_is_bounded(ledger: Ledger, run: int) -> None:
    """What fills a transcript is refused, and what is there stays readable."""
    with ledger.transaction() as db:
        db.execute("INSERT INTO transcripts VALUES (?, 0, zeroblob(?), 0)", (run, MAX_BYTES))
    with pytest.raises(TranscriptFull):
        ledger.transcripts.append(run, 1, GOOD[0])


def test_old_transcripts_are_forgotten(ledger: Ledger, run: int, clock: Clock) -> None:
    """Those of runs that ended long ago, whole; those of open runs never."""
    other = ledger.runs.start("acme", "iris", "forgejo:acme/app#2", "k2", "do it")
    for each in (run, other):
        ledger.transcripts.append(each, 0, GOOD[0])
        ledger.transcripts.append(each, 1, GOOD[1])
    ledger.runs.end(run, "merged")
    assert ledger.transcripts.delete_before(clock.now) == 0
    clock.pass_(10)
    assert ledger.transcripts.delete_before(clock.now) == 1
    assert ledger.transcripts.of(run) == []
    assert len(ledger.transcripts.of(other)) == 2


@pytest.mark.parametrize("line", GOOD, ids=",".join)
def test_what_a_line_may_be(line: dict[str, Any]) -> None:
    """Every form that a harness writes is one, and only replies are steps."""
    assert line_of(7, line) == line
    assert is_step(line) == (line.get("role") == "assistant")


@pytest.mark.parametrize("line", BAD, ids=lambda line: str(line)[:60])
def test_what_no_line_is(line: object) -> None:
    """What a later harness would fail over is refused in words."""
    with pytest.raises(MalformedLine):
        line_of(7, line)
