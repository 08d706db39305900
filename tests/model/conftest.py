"""A model server whose brain is a list of replies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import anthropic
import pytest

from hive.demo.model import Conversation, ModelServer, Reply


@dataclass
class Parrot:
    """A brain that says what it is told to, the last reply for ever, and keeps what it heard."""

    replies: list[Reply] = field(default_factory=lambda: [Reply("hello")])
    heard: list[Conversation] = field(default_factory=list)

    def reply(self, conversation: Conversation) -> Reply:
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
