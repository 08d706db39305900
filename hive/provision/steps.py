"""What a forge lacks, as steps that are either performed or only planned. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

MISSING = "is missing"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is not as it should be, and how it is instead."""

    what: str
    why: str

    @property
    def makes(self) -> bool:
        """Whether it is created, not fixed."""
        return MISSING in self.why.split("; ")

    def done(self) -> str:
        """The sentence about a performed step."""
        return f"created {self.what}" if self.makes else f"fixed {self.what}: {self.why}"

    def planned(self) -> str:
        """The sentence about a planned step."""
        return f"would create {self.what}" if self.makes else f"would fix {self.what}: {self.why}"


@dataclass
class Steps:
    """The steps so far. With `doing` off nothing is performed: consent is refused."""

    report: Callable[[Step], None]
    doing: bool = True
    reasons: list[str] = field(default_factory=list)

    def agrees(self, why: str) -> bool:
        """Note a difference, and return whether it may be fixed: the consent that an admin asks for."""
        self.reasons.append(why)
        return self.doing

    def note(self, differs: bool, what: str) -> None:
        """Finish the check of one thing."""
        why = "; ".join(dict.fromkeys(self.reasons))
        self.reasons.clear()
        if differs:
            self.report(Step(what, why))

    def take(self, what: str, why: str, do: Callable[[], None]) -> None:
        """Perform and report a step that needs no admin."""
        self.reasons.clear()
        if self.doing:
            do()
        self.report(Step(what, why))
