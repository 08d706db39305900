"""What a forge lacks and what is done about it: one list for doing and for planning. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

MISSING = "is missing"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is not as it should be: what, and how it is instead."""

    what: str
    why: str

    @property
    def makes(self) -> bool:
        """Whether it is made, and not mended."""
        return MISSING in self.why.split("; ")

    def done(self) -> str:
        """In words, when it was done."""
        return f"made {self.what}" if self.makes else f"mended {self.what}: {self.why}"

    def planned(self) -> str:
        """In words, when it would be done."""
        return f"would make {self.what}" if self.makes else f"would mend {self.what}: {self.why}"


@dataclass
class Steps:
    """The steps so far. With `doing` off nothing is done: whoever asks for consent is refused it."""

    told: Callable[[Step], None]
    doing: bool = True
    reasons: list[str] = field(default_factory=list)

    def agrees(self, why: str) -> bool:
        """Hear what is not as it should be; the consent that an admin asks for."""
        self.reasons.append(why)
        return self.doing

    def note(self, differs: bool, what: str) -> None:
        """End the look at one thing."""
        why = "; ".join(dict.fromkeys(self.reasons))
        self.reasons.clear()
        if differs:
            self.told(Step(what, why))

    def take(self, what: str, why: str, do: Callable[[], None]) -> None:
        """Do something that no admin does, and say so."""
        self.reasons.clear()
        if self.doing:
            do()
        self.told(Step(what, why))
