"""The transcript: what was once on the disk stays there as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from hive.agent.errors import Ended
from hive.agent.transcript import Transcript, result

CALL = {"type": "tool_use", "id": "t1", "name": "run", "input": {"command": "ls"}}
USAGE = {"input_tokens": 5, "cache_read_input_tokens": 90, "cache_creation_input_tokens": None, "output_tokens": 7}
REPLY = {"role": "assistant", "content": [CALL], "stop_reason": "tool_use", "usage": USAGE}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "7" / "transcript.jsonl"


def tell(path: Path) -> list[bytes]:
    """Write a story of two turns; the bytes of the file after each line."""
    states = []
    with Transcript(path) as transcript:
        steps: list[Callable[[], None]] = [
            lambda: transcript.begin(1, "first\n\u2028\ud800", mind="a"),
            lambda: transcript.append(REPLY),
            lambda: transcript.settle([result(CALL, "a.py")], None),
            lambda: transcript.append(REPLY),
            lambda: transcript.settle([result(CALL, "no", error=True)], Ended("pushed", "Done.")),
            lambda: transcript.close(Ended("failed", "never said")),
            lambda: transcript.begin(2, "second", mind="a"),
            lambda: transcript.append(REPLY),
            lambda: transcript.close(Ended("blocked", "Too late.")),
            lambda: transcript.begin(3, "third", mind="a"),
        ]
        for step in steps:
            step()
            states.append(path.read_bytes())
    return states


def test_append_only(path: Path) -> None:
    """Each line is on the disk as soon as it is told, behind all that was there."""
    states = tell(path)
    for before, after in pairwise(states):
        assert after.startswith(before)
    assert len([json.loads(line) for line in states[-1].splitlines()]) == 12


def test_half_a_line(path: Path) -> None:
    """Whatever a killed process left of its last line is gone, and nothing else is."""
    whole = tell(path)[-1]
    lines = whole.splitlines(keepends=True)
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        with Transcript(path):
            kept = path.read_bytes()
        assert kept == b"".join(lines[: whole[:cut].count(b"\n")])


def test_messages(path: Path) -> None:
    """The conversation is sent without what only we want to know, and an open call is answered before the news."""
    tell(path)
    with Transcript(path) as transcript:
        messages = transcript.messages
    assert [set(message) for message in messages] == [{"role", "content"}] * len(messages)
    assert [message["role"] for message in messages] == [
        *("user", "assistant", "user", "assistant", "user", "user", "assistant", "user")
    ]
    assert [block["type"] for block in messages[-1]["content"]] == ["tool_result", "text"]
    assert messages[-1]["content"][1]["text"] == "third"


def test_other_mind(path: Path) -> None:
    """What another mind thought is not sent: its signature is good for that mind only. It stays written, and what was said stays."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    with Transcript(path) as transcript:
        transcript.begin(1, "first", mind="a")
        transcript.append(REPLY | {"content": [thought, CALL]})
        transcript.settle([result(CALL, "a.py")], None)
        assert transcript.messages[1]["content"] == [thought, CALL]
        transcript.append(REPLY | {"content": [thought]})
        transcript.begin(1, "first", mind="b")
        assert [message["content"] for message in transcript.messages[1:]] == [[CALL], [result(CALL, "a.py")]]
        transcript.begin(2, "second", mind="a")
        assert transcript.messages[1]["content"] == [thought, CALL]
    assert path.read_text().count("Hm.") == 2


def test_end(path: Path) -> None:
    """A turn has the first end that was written for it, and the next turn has none."""
    with Transcript(path) as transcript:
        transcript.begin(1, "first", mind="a")
        assert transcript.end is None
        transcript.close(Ended("pushed", "Done."))
        transcript.close(Ended("failed", "Not so."))
        assert transcript.end is not None
        assert (transcript.end.outcome, transcript.end.message) == ("pushed", "Done.")
        transcript.begin(2, "second", mind="a")
        assert transcript.end is None


def test_begin_again(path: Path) -> None:
    """A turn that has begun is not begun again, and one that had got no message gets it."""
    with Transcript(path) as transcript:
        transcript.append({"turn": 1, "mind": "a"})
        transcript.begin(1, "first", mind="a")
        transcript.begin(1, "first", mind="a")
    assert len(path.read_text().splitlines()) == 2


def test_reply_waits(path: Path) -> None:
    """A reply waits to be acted on until its calls were made, and only in its own turn."""
    with Transcript(path) as transcript:
        transcript.begin(1, "first", mind="a")
        assert transcript.reply is None
        transcript.append(REPLY)
        assert transcript.reply == REPLY
        transcript.settle([result(CALL, "a.py")], None)
        assert transcript.reply is None
        transcript.append(REPLY)
        transcript.begin(2, "second", mind="a")
        assert transcript.reply is None


def test_counts(path: Path) -> None:
    """Steps and tokens are those of the last turn; what was read from the cache counts."""
    tell(path)
    with Transcript(path) as transcript:
        assert (transcript.steps, transcript.tokens_in, transcript.tokens_out) == (0, 0, 0)
        transcript.append(REPLY)
        transcript.append(REPLY)
        assert (transcript.steps, transcript.tokens_in, transcript.tokens_out) == (2, 190, 14)
