"""Records what a bot reads, and plays it back to it later."""

from __future__ import annotations

import json
import typing
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from functools import cache
from hashlib import sha256
from typing import Any, cast

from bots.bot import Context, Evaluator, History, Reviewer, Scanner
from bots.classification import Classifier
from bots.models import Team
from forge.models import Issue, Ref
from forge.protocol import Conflict, ForgeError, Invalid, NotFound, Reader, Refused, Unavailable
from hive.codec import Codec

PARTS: dict[str, type] = {
    "forge": Reader,
    "scanner": Scanner,
    "evaluator": Evaluator,
    "history": History,
    "classifier": Classifier,
    "reviewer": Reviewer,
}
"""The parts of a context that answer questions; there need not be a reviewer."""

ERRORS: dict[str, type[ForgeError]] = {
    "error": ForgeError,
    "unavailable": Unavailable,
    "not_found": NotFound,
    "refused": Refused,
    "conflict": Conflict,
    "invalid": Invalid,
}
"""Errors of a forge by the names under which a recording holds them."""

_ERROR_NAMES = {kind: name for name, kind in ERRORS.items()}

LONGEST = 2 << 20
"""The maximum bytes of a compressed recording; of a longer one only the fact is kept."""


class NotRecorded(Exception):
    """A request that is not in the recording."""


class Unplayable(Exception):
    """A recording that is unreadable, or was too long to be kept."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One request and its answer as JSON, or its error: name, message and status."""

    question: str
    answer: str = ""
    error: tuple[str, str, int] | None = None


@dataclass
class Recording:
    """All requests of one job, its time, and the team: a value while recording, its digest when read back."""

    now: datetime
    team: Team | str
    said: list[RecordedCall] = field(default_factory=list)
    _raw: list[tuple[str, str, str, object]] = field(default_factory=list)

    def pack(self) -> bytes:
        """The recording as the ledger keeps it."""
        said = [[one.question, one.answer, one.error] for one in (*self.said, *(_answered(*raw) for raw in self._raw))]
        packed = zlib.compress(json.dumps([self.now.isoformat(), self.who, said]).encode(), 1)
        return packed if len(packed) <= LONGEST else b""

    @property
    def who(self) -> str:
        """The digest of the team."""
        return self.team if isinstance(self.team, str) else digest(self.team)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked."""
        return not (self.said or self._raw)

    @property
    def issues(self) -> dict[Ref, Issue]:
        """The issues that were read, by what they are, each as it was read last."""
        return {answer.ref: answer for *_, answer in self._raw if isinstance(answer, Issue)}

    def note(self, part: str, method: str, question: str, answer: object) -> None:
        """Something was answered, or raised."""
        self._raw.append((part, method, question, answer))


def unpack(body: bytes) -> Recording:
    """Decode a stored recording; raises Unplayable."""
    try:
        now, team, said = json.loads(zlib.decompress(body))
    except (zlib.error, ValueError) as error:
        raise Unplayable("the recording was too long to be kept") from error
    return Recording(
        datetime.fromisoformat(now), team, [RecordedCall(q, a, tuple(e) if e else None) for q, a, e in said]
    )


def recorded(ctx: Context) -> tuple[Context, Recording]:
    """A context that answers like `ctx`, and the recording of its answers."""
    recording = Recording(ctx.now, ctx.team)

    def part_of(name: str) -> object:
        part = getattr(ctx, name)
        return None if part is None else _Recorder(name, part, recording)

    return _with(ctx, part_of), recording


def played(ctx: Context, recording: Recording) -> Context:
    """A context that answers from a recording; `ctx` provides the team. Unknown requests raise NotRecorded."""
    answers: dict[str, deque[RecordedCall]] = {}
    for said in recording.said:
        answers.setdefault(said.question, deque()).append(said)
    has_reviewer = any(said.question.startswith("reviewer.") for said in recording.said)
    parts = {part: _Player(part, answers) for part in PARTS if part != "reviewer" or has_reviewer}
    return replace(_with(ctx, parts.get), now=recording.now)


def digest(thing: object) -> str:
    """Digest of a value; equal values have equal digests in every process, independent of class names."""
    return sha256(repr(_plain(thing)).encode()).hexdigest()[:16]


def _plain(thing: object) -> object:
    """The same value in plain types, so that its repr names no class and follows no hash."""
    if isinstance(thing, Enum):
        return thing.value
    if is_dataclass(thing):
        return [(each.name, _plain(getattr(thing, each.name))) for each in fields(thing)]
    if isinstance(thing, Mapping):
        return sorted((repr(_plain(key)), repr(_plain(value))) for key, value in thing.items())
    if isinstance(thing, frozenset | set):
        return sorted(repr(_plain(each)) for each in thing)
    if isinstance(thing, list | tuple):
        return [_plain(each) for each in thing]
    if isinstance(thing, datetime):
        return thing.isoformat()  # a time zone that was read from JSON is another object
    return thing


def _with(ctx: Context, part_of: Callable[[str], object]) -> Context:
    # The parts answer any method of their protocols: mypy cannot see that.
    forge, scanner, evaluator, history, classifier, reviewer = (cast("Any", part_of(part)) for part in PARTS)
    return Context(forge, ctx.team, scanner, evaluator, history, classifier, ctx.now, reviewer)


class _Recorder:
    """One part of a context that records its answers."""

    def __init__(self, part: str, inner: object, recording: Recording) -> None:
        self.part = part
        self.inner = inner
        self.recording = recording

    def __getattr__(self, method: str) -> Callable[..., object]:
        asked = getattr(self.inner, method)

        def ask(*args: object, **named: object) -> object:
            question = _question(self.part, method, args, named)
            try:
                answer: object = asked(*args, **named)
            except ForgeError as error:
                self.recording.note(self.part, method, question, error)
                raise
            self.recording.note(self.part, method, question, answer)
            return answer

        return ask


@dataclass(frozen=True)
class _Player:
    """One part of a context that plays answers back; the last one is repeated."""

    part: str
    answers: dict[str, deque[RecordedCall]]

    def __getattr__(self, method: str) -> Callable[..., object]:
        def ask(*args: object, **named: object) -> object:
            left = self.answers.get(_question(self.part, method, args, named))
            if not left:
                raise NotRecorded(f"{self.part}.{method}")
            said = left.popleft() if len(left) > 1 else left[0]
            if said.error is not None:
                name, words, status = said.error
                raise ERRORS.get(name, ForgeError)(words, status=status)
            return _codec(self.part, method).loads(said.answer)

        return ask


def _question(part: str, method: str, args: tuple[object, ...], named: dict[str, object]) -> str:
    asked = digest((args, named))
    return f"{part}.{method}:{asked}"


def _answered(part: str, method: str, question: str, answer: object) -> RecordedCall:
    if isinstance(answer, ForgeError):
        return RecordedCall(question, error=(_ERROR_NAMES.get(type(answer), "error"), str(answer), answer.status))
    return RecordedCall(question, _codec(part, method).dumps(answer))


@cache
def _codec(part: str, method: str) -> Codec[Any]:
    hints = typing.get_type_hints(getattr(PARTS[part], method))
    return Codec(hints["return"])
