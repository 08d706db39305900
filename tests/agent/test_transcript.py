"""The transcript: what the host was once told stays there as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hive.agent.errors import HostUnavailable, TurnEnded
from hive.agent.transcript import Transcript, result

CALL = {"type": "tool_use", "id": "t1", "name": "run", "input": {"command": "ls"}}
USAGE = {"input_tokens": 5, "cache_read_input_tokens": 90, "cache_creation_input_tokens": None, "output_tokens": 7}
REPLY = {"role": "assistant", "content": [CALL], "stop_reason": "tool_use", "usage": USAGE}


class Kept:
    """The host's copy of a run's transcript."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def keep(self, number: int, line: dict[str, Any]) -> None:
        """Keep the next line, as JSON has it."""
        assert number == len(self.lines)
        self.lines.append(json.loads(json.dumps(line, ensure_ascii=False).encode()))

    def open(self) -> Transcript:
        """The transcript as a new process has it."""
        return Transcript(self.lines, self.keep)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def tell(kept: Kept) -> Transcript:
    """Tell a story of three turns."""
    transcript = kept.open()
    transcript.begin(1, "first\n\u2028\ud800", fingerprint="a")
    transcript.append(REPLY)
    transcript.settle([result(CALL, "a.py")], None)
    transcript.append(REPLY)
    transcript.settle([result(CALL, "no", error=True)], TurnEnded("pushed", "Done."))
    transcript.close(TurnEnded("failed", "never said"))
    transcript.begin(2, "second", fingerprint="a")
    transcript.append(REPLY)
    transcript.close(TurnEnded("blocked", "Too late."))
    transcript.begin(3, "third", fingerprint="a")
    return transcript


def test_each_line_is_told(kept: Kept) -> None:
    """Each line is with the host as soon as it is there, and a process that comes later has the same ones."""
    transcript = tell(kept)
    assert len(kept.lines) == 12
    again = kept.open()
    assert again.messages == transcript.messages
    again.begin(3, "third", fingerprint="a")
    assert len(kept.lines) == 12


def test_a_line_that_was_not_kept_is_not_there(kept: Kept) -> None:
    """What the host could not be told did not happen."""
    transcript = kept.open()
    transcript.begin(1, "first", fingerprint="a")

    def refuse(number: int, line: dict[str, Any]) -> None:
        raise HostUnavailable(f"{number} {len(line)}")

    lost = Transcript(kept.lines, refuse)
    with pytest.raises(HostUnavailable):
        lost.append(REPLY)
    assert lost.reply is None
    assert lost.messages == transcript.messages


def test_what_is_told_can_be_sent(kept: Kept) -> None:
    """Half a pair and NUL are replaced, halves that stand together are one character: no later request fails for them."""
    transcript = kept.open()
    transcript.begin(1, "a\ud83d\ude00b\ud800c\0d", fingerprint="a")
    call = CALL | {"input": {"\udfff": ["\0", {"x": "\ud800"}]}}
    transcript.append(REPLY | {"content": [call]})
    transcript.settle([result(call, "\udc80")], None)
    said = [message["content"][0] for message in transcript.messages]
    assert said[0]["text"] == "a😀b\ufffdc\ufffdd"
    assert said[1]["input"] == {"\ufffd": ["\ufffd", {"x": "\ufffd"}]}
    assert said[2]["content"] == "\ufffd"
    json.dumps(kept.lines, ensure_ascii=False).encode()


def test_messages(kept: Kept) -> None:
    """The conversation is sent without what only we want to know, in turns, and an open call is answered before the news."""
    transcript = tell(kept)
    messages = transcript.messages
    assert [set(message) for message in messages] == [{"role", "content"}] * len(messages)
    assert [message["role"] for message in messages] == ["user", "assistant"] * 3 + ["user"]
    assert [block["type"] for block in messages[-1]["content"]] == ["tool_result", "text"]
    assert messages[-1]["content"][1]["text"] == "third"


def test_other_mind(kept: Kept) -> None:
    """What another mind thought is not sent: its signature is good for that mind only. It stays written, and what was said stays."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    transcript = kept.open()
    transcript.begin(1, "first", fingerprint="a")
    transcript.append(REPLY | {"content": [thought, CALL]})
    transcript.settle([result(CALL, "a.py")], None)
    assert transcript.messages[1]["content"] == [thought, CALL]
    transcript.append(REPLY | {"content": [thought]})
    transcript.begin(1, "first", fingerprint="b")
    assert [message["content"] for message in transcript.messages[1:]] == [[CALL], [result(CALL, "a.py")]]
    transcript.begin(2, "second", fingerprint="a")
    assert transcript.messages[1]["content"] == [thought, CALL]
    assert json.dumps(kept.lines).count("Hm.") == 2


def test_end(kept: Kept) -> None:
    """A turn has the first end that was written for it, and the next turn has none."""
    transcript = kept.open()
    transcript.begin(1, "first", fingerprint="a")
    assert transcript.end is None
    transcript.close(TurnEnded("pushed", "Done."))
    transcript.close(TurnEnded("failed", "Not so."))
    assert transcript.end is not None
    assert (transcript.end.outcome, transcript.end.message) == ("pushed", "Done.")
    transcript.begin(2, "second", fingerprint="a")
    assert transcript.end is None


def test_begin_again(kept: Kept) -> None:
    """A turn that has begun is not begun again, and one that had got no message gets it."""
    transcript = kept.open()
    transcript.append({"turn": 1, "mind": "a"})
    transcript.begin(1, "first", fingerprint="a")
    transcript.begin(1, "first", fingerprint="a")
    assert len(kept.lines) == 2


def test_reply_waits(kept: Kept) -> None:
    """A reply waits to be acted on until its calls were made, and only in its own turn."""
    transcript = kept.open()
    transcript.begin(1, "first", fingerprint="a")
    assert transcript.reply is None
    transcript.append(REPLY)
    assert transcript.reply == REPLY
    transcript.settle([result(CALL, "a.py")], None)
    assert transcript.reply is None
    transcript.append(REPLY)
    transcript.begin(2, "second", fingerprint="a")
    assert transcript.reply is None


def test_counts(kept: Kept) -> None:
    """Steps and tokens are those of the last turn; what was read from the cache counts."""
    transcript = tell(kept)
    assert (transcript.steps, transcript.tokens_in, transcript.tokens_out) == (0, 0, 0)
    transcript.append(REPLY)
    transcript.append(REPLY)
    assert (transcript.steps, transcript.tokens_in, transcript.tokens_out) == (2, 190, 14)
