"""What is known at one point of a function: which variables hold request data, and what was checked. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from hive.scan.taint.proofs import Proofs

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Trail:
    """How request data came to a place: the lines it passed, the variables it was in, the joins it went through.

    `fit` are the uses for which it is in order: it was escaped for them, or they have been told already.
    """

    lines: frozenset[int] = frozenset()
    through: frozenset[str] = frozenset()
    joins: frozenset[int] = frozenset()
    fit: frozenset[str] = frozenset()

    def __or__(self, other: Trail) -> Trail:
        return Trail(
            self.lines | other.lines, self.through | other.through, self.joins | other.joins, self.fit & other.fit
        )


@dataclass(slots=True)
class KnownState:
    """The state at one point; `dirty` maps a variable to the trail of what it holds."""

    dirty: dict[str, Trail] = field(default_factory=dict)
    checked: frozenset[str] = frozenset()
    aliases: dict[str, Proofs] = field(default_factory=dict)

    def copy(self) -> KnownState:
        """The same, to go another way from here."""
        return KnownState(dict(self.dirty), self.checked, dict(self.aliases))

    def prove(self, proofs: Proofs) -> None:
        """Forget the dirt of what was checked, and of what was made from it; after a `*`, of what it was made of, too."""
        if proofs:
            whole = [self.dirty[name[1:]] for name in proofs if name[0] == "*" and name[1:] in self.dirty]
            proofs = proofs.union(*(trail.through for trail in whole))
            self.checked |= proofs
            self.dirty = {
                name: trail
                for name, trail in self.dirty.items()
                if name not in proofs and proofs.isdisjoint(trail.through)
            }

    def assign(self, name: str, trail: Trail | None) -> None:
        """A variable holds something else now."""
        self.aliases.pop(name, None)
        self.checked = frozenset(text for text in self.checked if name not in _WORD.findall(text))
        if trail is None:
            self.dirty.pop(name, None)
        else:
            self.dirty[name] = replace(trail, through=trail.through | {name})

    def merge(self, other: KnownState) -> None:
        """Two ways meet: dirty on one is dirty, checked is what was checked on both."""
        for name, trail in other.dirty.items():
            self.dirty[name] = self.dirty[name] | trail if name in self.dirty else trail
        self.checked &= other.checked
        self.aliases = {name: proofs for name, proofs in self.aliases.items() if other.aliases.get(name) == proofs}
