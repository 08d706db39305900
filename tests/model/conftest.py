"""A model server whose brain is a list of replies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import anthropic
import pytest

from hive.demo.model import ModelConversation, ModelReply, ModelServer


@dataclass
class Parrot:
    """A brain that says what it is told to, the last reply for ever, and keeps what it heard."""

    replies: list[ModelReply] = field(default_factory=lambda: [ModelReply("hello")])
    heard: list[ModelConversation] = field(default_factory=list)

    def reply(self, conversation: ModelConversation) -> ModelReply:
        self.heard.append(conversation)
        return self.replies[min(len(self.heard), len(self.replies)) - 1]


@pytest.fixture
def parrot() -> Parrot:
    return Parrot()


@pytest.fixture
def model(parrot: Parrot) -> Iterator[ModelServer]:
    with ModelServer(parrot) as server:
        yield server


@pytest.fixture
def client(model: ModelServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=model.url, api_key="any", max_retries=0) as client:
        yield client
