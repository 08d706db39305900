"""The requests of a poll, each of which may fail alone. Changes nothing on a forge.

A request that is refused for lack of rights is not repeated for an hour, or until the worker is restarted or gets another
token. One that the forge fails at (500) is repeated by the next poll. If the forge is unavailable the poll ends,
remembers nothing, and the next one finds everything.
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
"""The statuses of a refused request; 401 is a rejected token instead."""

AGAIN = timedelta(hours=1)
"""How long a refusal is remembered: rights are granted without notice."""


class SourceUnavailable(Exception):
    """A request has no answer now, and the last known one stays; `stumbled` is whether the next poll may get one."""

    def __init__(self, question: str, *, stumbled: bool = False) -> None:
        super().__init__(question)
        self.stumbled = stumbled


class Ask(Protocol):
    """Makes one request; raises SourceUnavailable if it has no answer now."""

    def __call__(self, what: str, where: object, question: Callable[[], T]) -> T:
        """The answer."""


def plainly(what: str, where: object, question: Callable[[], T]) -> T:
    """Make the request, without regard to earlier refusals."""
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
        """Start a poll: requests that were refused long ago may be made again."""
        self.broken.clear()
        for question in [question for question, until in self._until.items() if until <= now]:
            del self._until[question], self.refused[question]

    def ask(self, what: str, where: object, question: Callable[[], T], *, now: datetime) -> T:
        """The answer; raises SourceUnavailable for one that is refused or broken, and ForgeError for everything else."""
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
