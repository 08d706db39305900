"""The questions of a sweep, each of which may fail alone. Changes nothing on a forge.

What an account has no right to ask is asked no more for an hour, or until the worker is started again or
gets another token; what a forge stumbles over (500) is asked again at the next pass. A forge that is away is
nobody's fault here: the pass ends, remembers nothing, and the next one finds everything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from forge.protocol import Refused, Unavailable

log = logging.getLogger("hive.poller")

T = TypeVar("T")

BROKEN = 500
"""What a forge answers when it stumbles over one thing; the others can still be asked for."""

DENIED = 403
"""What a forge answers to somebody without the right to ask; 401 is a token that is refused altogether."""

AGAIN = timedelta(hours=1)
"""How long a refusal is believed: rights are given without a word to the hive."""


class SourceUnavailable(Exception):
    """One question has no answer now, and what is known of it stays; `stumbled` says that the next pass may have one."""

    def __init__(self, question: str, *, stumbled: bool = False) -> None:
        super().__init__(question)
        self.stumbled = stumbled


class Ask(Protocol):
    """Asks one question; raises Blind for one that has no answer now."""

    def __call__(self, what: str, where: object, question: Callable[[], T]) -> T:
        """The answer."""


def plainly(what: str, where: object, question: Callable[[], T]) -> T:
    """Ask, whatever comes of it."""
    return question()


@dataclass
class Sources:
    """What is asked of one organisation, and which of it is not answered."""

    refused: dict[str, str] = field(default_factory=dict)
    """Why a question is refused, by the question."""
    broken: dict[str, str] = field(default_factory=dict)
    """Over which questions the forge stumbled in this pass."""
    _until: dict[str, datetime] = field(default_factory=dict)

    def begin(self, now: datetime) -> None:
        """A pass begins: what was refused long ago may be asked again."""
        self.broken.clear()
        for question in [question for question, until in self._until.items() if until <= now]:
            del self._until[question], self.refused[question]

    def ask(self, what: str, where: object, question: Callable[[], T], *, now: datetime) -> T:
        """The answer; raises Blind for one that is refused or broken, and ForgeError for everything else."""
        name = f"{what} of {where}"
        if name in self.refused:
            raise SourceUnavailable(name)
        try:
            return question()
        except Refused as error:
            if error.status != DENIED:
                raise
            log.warning("source_refused what=%r error=%r", name, str(error)[:200])
            self.refused[name], self._until[name] = str(error)[:200], now + AGAIN
            raise SourceUnavailable(name) from error
        except Unavailable as error:
            if error.status != BROKEN:
                raise
            log.warning("source_broken what=%r error=%r", name, str(error)[:200])
            self.broken[name] = str(error)[:200]
            raise SourceUnavailable(name, stumbled=True) from error
