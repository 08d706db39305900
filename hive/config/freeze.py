"""Freeze windows: times of the week, in UTC, in which a merged configuration waits. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Final

from annotated_types import MaxLen

from hive.codec import STRICT
from hive.config.yaml_loader import shown

FROZEN: Final = "it was merged in a freeze window, which is over at {until:%Y-%m-%d %H:%M} UTC"
"""Why something waits."""

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
_MOMENT = rf"(?:({'|'.join(DAYS)}) )?([01][0-9]|2[0-3]):([0-5][0-9])"
_WINDOW = re.compile(f"{_MOMENT}-{_MOMENT}")
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """When merged configurations are deployed."""

    freeze: Annotated[tuple[str, ...], MaxLen(50)] = ()
    """Windows, in UTC, in which a merged configuration waits: `fri 16:00-mon 08:00` each week, `22:00-06:00` each day."""

    __pydantic_config__: ClassVar = STRICT


DEFAULT_DEPLOY = DeploySettings()


@dataclass(frozen=True, slots=True)
class FreezeWindow:
    """A window that comes again: it begins `begin` after a Monday's midnight, lasts `length`, and again after `every`."""

    begin: timedelta
    length: timedelta
    every: timedelta

    def end(self, at: datetime) -> datetime | None:
        """When the window that a moment is in is over; None if it is in none."""
        since = (at - _MONDAY - self.begin) % self.every
        return at + (self.length - since) if since < self.length else None


def read_window(text: str) -> FreezeWindow:
    """A window as it is written; raises ValueError."""
    found = _WINDOW.fullmatch(text.lower())
    if found is None:
        raise ValueError(f"should be as `fri 16:00-mon 08:00` or `22:00-06:00` (it is {shown(text)})")
    first, last = found.groups()[:3], found.groups()[3:]
    if (first[0] is None) != (last[0] is None):
        raise ValueError(f"should name a day at both ends, or at none (it is {shown(text)})")
    every = DAY if first[0] is None else WEEK
    begin, end = _moment(first), _moment(last)
    if begin == end:
        raise ValueError(f"should end at another time than it begins (it is {shown(text)})")
    return FreezeWindow(begin, (end - begin) % every, every)


def mistake(text: str) -> str:
    """What is wrong with a window; empty if nothing is."""
    try:
        read_window(text)
    except ValueError as error:
        return str(error)
    return ""


def frozen_until(windows: Iterable[FreezeWindow], at: datetime) -> datetime | None:
    """When all windows that follow on one another from a moment on are over; None if it is in none.

    Windows that leave no time between them end a week later, for the purpose of an answer: `is_endless` refuses them.
    """
    every, until = tuple(windows), at
    while until < at + WEEK:
        ends = [end for window in every if (end := window.end(until)) is not None]
        if not ends:
            break
        until = max(ends)
    return until if until > at else None


def is_endless(windows: Iterable[FreezeWindow]) -> bool:
    """Whether windows leave no minute in which anything is deployed."""
    until = frozen_until(windows, _MONDAY)
    return until is not None and until >= _MONDAY + WEEK


def _moment(words: tuple[str | None, ...]) -> timedelta:
    day, hour, minute = words
    return timedelta(days=DAYS.index(day) if day else 0, hours=int(hour or 0), minutes=int(minute or 0))


def is_frozen(why: str) -> bool:
    """Whether a reason to wait is a freeze window."""
    return why.startswith(FROZEN.partition("{")[0])
