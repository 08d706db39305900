"""Wire names: the names of types where they are stored, such as in the ledger's `jobs.event_type` and `effects.kind`.

Each class defines its own, so it can be renamed without touching what is stored. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar


class WireNamed:
    """A type that is stored by name: `class PullMerged(WireNamed, wire="pull_request_merged")`."""

    __slots__ = ()
    WIRE: ClassVar[str]

    def __init_subclass__(cls, *, wire: str = "") -> None:
        if wire:  # a dataclass with slots is made twice, and the second time without keywords
            cls.WIRE = wire


def by_wire_name(kinds: Iterable[type[Any]]) -> Mapping[str, type[Any]]:
    """Index classes by their wire names; raises ValueError for a class without one, or two with the same."""
    found: dict[str, type[Any]] = {}
    for kind in kinds:
        name: str | None = vars(kind).get("WIRE")  # an inherited one is another class's
        if not name:
            raise ValueError(f"{kind.__qualname__} has no wire name")
        if name in found:
            raise ValueError(f"{kind.__qualname__} and {found[name].__qualname__} have the same wire name {name!r}")
        found[name] = kind
    return MappingProxyType(found)
