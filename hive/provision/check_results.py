"""Results of the doctor's checks: one line each, with a fix. Performs no I/O."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bots.models import Level


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check: its level, what was found, and how to fix it."""

    level: Level
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.level.value} {self.what}" + (f" → {self.fix}" if self.fix else "")

    def wrapped(self, width: int) -> str:
        """For a terminal of so many columns; the glyph takes two."""
        return textwrap.fill(
            str(self), width - 1, subsequent_indent="   ", break_on_hyphens=False, break_long_words=False
        )


def ok(what: str) -> CheckResult:
    """The check passed."""
    return CheckResult(Level.GREEN, what)


def warning(what: str, fix: str) -> CheckResult:
    """It works, but deserves attention."""
    return CheckResult(Level.YELLOW, what, fix)


def problem(what: str, fix: str) -> CheckResult:
    """It does not work, or an account has rights that it must not have."""
    return CheckResult(Level.RED, what, fix)


def kept(branches: Iterable[str]) -> Iterator[CheckResult]:
    """Branches of a probe that a rule of the project keeps from being deleted."""
    for branch in branches:
        yield warning(
            f"{branch} was created as a probe, and a rule keeps it from being deleted",
            "let no rule cover hive-doctor-*",
        )


def summary(signs: Iterable[CheckResult]) -> str:
    """The number of results of each level."""
    levels = [sign.level for sign in signs]
    return " · ".join(f"{levels.count(level)} {level.value}" for level in Level)
