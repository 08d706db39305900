"""One question to a model, and its whole answer as text: for what the hive itself asks. No tool, no conversation.

The form of the answer is asked for by `output_config`; a server that refuses this key is asked without it, and the words of the question
have to do. Nothing is given to the model that could act, and what it answers is text for who asked.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from hive.agent.errors import ContextOverflow, HostUnavailable, TurnEnded
from hive.agent.stream import assemble, events, whole
from hive.gateway.agent_backoff import model_refusal
from hive.gateway.llm import ModelRequest
from hive.gateway.meter import STREAM, Meter
from hive.gateway.model_errors import ModelFailed
from hive.gateway.model_headers import VERSION
from hive.gateway.model_route import ModelRoute
from hive.gateway.token_usage import TokenUsage
from hive.ledger import SuspensionReason

log = logging.getLogger("hive.gateway.model_question")

T = TypeVar("T")
LONGEST_ANSWER = 2 << 20
"""Bytes of an answer, its thinking and the wrapping of each event included."""

DONE = frozenset({"end_turn", "stop_sequence"})
ENDS = {
    "max_tokens": "its answer was cut off at {most} tokens",
    "model_context_window_exceeded": "the question and its answer are too long for it",
    "refusal": "it refused to answer",
    "tool_use": "it called a tool, and it has none",
}
"""Why an answer is none, by its stop reason."""

_NO_FORMAT = re.compile(
    r"output_config|output_format|json_schema|structured output|extra inputs|extra fields|unknown (?:field|parameter)|unrecognized|unexpected (?:keyword|field)",
    re.IGNORECASE,
)
"""Words by which servers refuse the key for the form of the answer: `output_config: Extra inputs are not permitted`."""


class NoAnswer(Exception):
    """A question has no answer that can be used; the message says why, for people.

    What `may_pass` cost nothing, or next to nothing, and may be asked again later; what was answered and paid for is not.
    """

    def __init__(self, why: str, *, may_pass: bool = False) -> None:
        super().__init__(why)
        self.may_pass = may_pass


class AnswerHold(Protocol):
    """What is reserved for one request."""

    def settle(self, usage: TokenUsage, *, digest: str = "", answer: str = "") -> None:
        """Book what was used, and with it keep the answer, if there is one."""


class QuestionAccount(Protocol):
    """Who pays for questions."""

    def recall(self, digest: str) -> str | None:
        """An answer that was paid for before."""

    def reserve(self, model: str, body: Mapping[str, Any]) -> AnswerHold:
        """Reserve what a request may cost; raises NoAnswer if there is no money for it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long answers are waited for: times and seconds before an attempt is repeated, and the seconds of one answer."""

    tries: int = 3
    pause: float = 2.0
    longest_pause: float = 20.0
    answer: float = 600.0


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """What is asked: instructions, the question, the form of the answer and its longest length in tokens."""

    system: str
    text: str
    schema: Mapping[str, Any]
    max_tokens: int

    def body(self, *, formatted: bool) -> dict[str, Any]:
        """The request, without the model's name."""
        body: dict[str, Any] = {
            "max_tokens": self.max_tokens,
            "system": self.system,
            "messages": [{"role": "user", "content": self.text}],
            "stream": True,
        }
        if formatted:
            body["output_config"] = {"format": {"type": "json_schema", "schema": self.schema}}
        return body

    def digest(self, model: str, again: str) -> str:
        """What identifies the question to a model; `again` tells those apart that are asked once more on purpose."""
        return hashlib.sha256(
            json.dumps([model, self.body(formatted=True), again], sort_keys=True).encode()
        ).hexdigest()


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks models; `plain` are those whose servers refuse a form for the answer."""

    route: Callable[[str], ModelRoute]
    patience: Patience = PATIENCE
    plain: set[str] = field(default_factory=set)

    def ask(
        self,
        model: str,
        question: ModelQuestion,
        account: QuestionAccount,
        read: Callable[[str], T],
        *,
        again: str = "",
    ) -> T:
        """The answer as `read` understands it, which raises ValueError for one that it does not. Raises NoAnswer, sqlite3.Error."""
        digest = question.digest(model, again)
        if (known := account.recall(digest)) is not None:
            return read(known)
        for attempt in range(1, self.patience.tries + 1):
            began = time.monotonic()
            try:
                return self._once(model, question, account, read, digest)
            except _Passing as error:
                log.warning("model_question model=%s attempt=%d error=%r", model, attempt, str(error))
                pause = max(error.seconds, self.patience.pause * attempt)
                is_slow = time.monotonic() - began > self.patience.answer / 10
                if attempt == self.patience.tries or pause > self.patience.longest_pause or is_slow:
                    raise NoAnswer(str(error), may_pass=True) from error
                threading.Event().wait(pause)
        raise NoAnswer("it was not asked")

    def _once(
        self, model: str, question: ModelQuestion, account: QuestionAccount, read: Callable[[str], T], digest: str
    ) -> T:
        """Ask one time, or one time more without a form for the answer; each request is paid for by itself."""
        formatted = model not in self.plain
        body = question.body(formatted=formatted)
        hold, meter = account.reserve(model, body), Meter(request_bytes=len(question.text.encode()))
        try:
            answer = self._answer(model, body, meter, question)
            found = read(answer)
        except ModelFailed as error:
            hold.settle(TokenUsage())
            if not formatted or error.status != 400 or not _NO_FORMAT.search(error.message):
                raise _failure(error) from error
        except HostUnavailable as error:
            hold.settle(meter.usage)
            raise _Passing(_sentence(error)) from error
        except (TurnEnded, ContextOverflow, NoAnswer, ValueError) as error:
            hold.settle(meter.usage)
            raise NoAnswer(_sentence(error)) from error
        else:
            hold.settle(meter.usage, digest=digest, answer=answer)
            return found
        self.plain.add(model)
        return self._once(model, question, account, read, digest)

    def _answer(self, model: str, body: Mapping[str, Any], meter: Meter, question: ModelQuestion) -> str:
        """The text of a whole answer; raises ModelFailed, what a harness raises for half an answer, and NoAnswer."""
        request = ModelRequest(body, {"anthropic-version": VERSION})
        with self.route(model).ask(request) as reply:
            meter.reads(reply.content_type)
            chunks = self._bounded(reply.chunks, meter)
            if reply.content_type.startswith(STREAM):
                message = assemble(events(_lines(chunks)))
            else:
                message = whole(_object(b"".join(chunks)))
        meter.end()
        return _text(message, question)

    def _bounded(self, chunks: Iterator[bytes], meter: Meter) -> Iterator[bytes]:
        """An answer as it comes, counted, and not longer in bytes or in time than anybody reads."""
        until, size = time.monotonic() + self.patience.answer, 0
        for chunk in chunks:
            meter.see(chunk)
            size += len(chunk)
            if size > LONGEST_ANSWER:
                raise NoAnswer(f"its answer is longer than {LONGEST_ANSWER >> 20} MiB")
            if time.monotonic() > until:
                raise NoAnswer(f"its answer took longer than {self.patience.answer:.0f} seconds")
            yield chunk


class _Passing(NoAnswer):
    """There is no answer now; `seconds` is how long the server asked to wait."""

    def __init__(self, why: str, seconds: float = 0.0) -> None:
        super().__init__(why, may_pass=True)
        self.seconds = seconds


def _failure(error: ModelFailed) -> NoAnswer:
    """What a refusal by the server means, in its words."""
    found = model_refusal(error)
    if found is None or found.why in {SuspensionReason.NEEDS_LOGIN, SuspensionReason.OVER_BUDGET}:
        said = " ".join(error.message.split())[:200]
        return NoAnswer(": ".join(filter(None, [f"{error.status} {error.kind}".strip(), said])), may_pass=True)
    return _Passing(found.reason, found.seconds)


def _text(message: Mapping[str, Any], question: ModelQuestion) -> str:
    """The text of a message that ended as an answer does; raises NoAnswer."""
    stop = str(message["stop_reason"])
    if stop in ENDS:
        raise NoAnswer(ENDS[stop].format(most=question.max_tokens))
    if stop not in DONE:
        raise NoAnswer(f"it stopped for another reason than its end: {stop[:40]!r}")
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NoAnswer("its answer is no JSON") from error
    return found if isinstance(found, dict) else {}


def _sentence(error: Exception) -> str:
    """An error as part of a sentence about the model."""
    return " ".join(str(error).split())[:300]
