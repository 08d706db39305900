"""The gist of a conversation is a conversation, and says what is missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hive.agent.compaction import KEPT, LONGEST, Message, compacted
from hive.demo.model.request import parse


def text(role: str, said: str) -> Message:
    """A message of words."""
    return {"role": role, "content": [{"type": "text", "text": said}]}


def step(number: int, result: str) -> list[Message]:
    """A call and its result."""
    call = {"type": "tool_use", "id": f"t{number}", "name": "run", "input": {}}
    return [
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{number}", "content": result}]},
    ]


@given(st.lists(st.one_of(st.just("news"), st.text(max_size=9), st.just("x" * 9000)), max_size=30))
def test_it_is_taken_back(told: list[str]) -> None:
    """Whatever was said, the API takes the gist: calls stay with their results, the task and the newest words stay."""
    messages = [text("user", "the task")]
    for number, word in enumerate(told):
        if word == "news":
            messages += [text("assistant", "done"), text("user", f"news {number}")]
        else:
            messages += step(number, word or "-")
    short = compacted(messages)
    conversation = parse({"model": "m", "messages": short})
    assert conversation.task.startswith("the task")
    assert len(short) <= KEPT + 1
    assert all(len(result.text) < LONGEST + 100 for message in conversation.messages for result in message.results)
    news = [number for number, word in enumerate(told) if word == "news"]
    if news:
        assert any(f"news {news[-1]}" in message.text for message in conversation.messages)
    if len(messages) > KEPT + 2:
        assert "messages stood here" in conversation.task
    assert compacted(short) == short or len(compacted(short)) <= len(short)
