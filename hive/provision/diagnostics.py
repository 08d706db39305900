"""What a doctor finds: one line each, with how to mend it. Performs no I/O."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bots.models import Level


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One finding: how bad, what is so, and what to do about it."""

    level: Level
    what: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.level.value} {self.what}" + (f" → {self.mend}" if self.mend else "")

    def wrapped(self, width: int) -> str:
        """For a terminal of so many columns; the glyph takes two."""
        return textwrap.fill(
            str(self), width - 1, subsequent_indent="   ", break_on_hyphens=False, break_long_words=False
        )


def ok(what: str) -> CheckResult:
    """All is well."""
    return CheckResult(Level.GREEN, what)


def warning(what: str, mend: str) -> CheckResult:
    """It works, and should be looked at."""
    return CheckResult(Level.YELLOW, what, mend)


def problem(what: str, mend: str) -> CheckResult:
    """It does not work, or somebody may what he should not."""
    return CheckResult(Level.RED, what, mend)


def kept(branches: Iterable[str]) -> Iterator[CheckResult]:
    """Branches of a trial that a rule of the project protects from being taken away."""
    for branch in branches:
        yield warning(
            f"{branch} was made to try, and a rule keeps it from being deleted", "let no rule cover hive-doctor-*"
        )


def summary(signs: Iterable[CheckResult]) -> str:
    """How many of each there are."""
    levels = [sign.level for sign in signs]
    return " · ".join(f"{levels.count(level)} {level.value}" for level in Level)
