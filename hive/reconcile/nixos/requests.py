"""What a hive may ask of root: a verb, an agent's name, and fields with bounds. Nothing here runs anything.

A request is one line of JSON. It names no path, no unit, no option and no command: those are made from the name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hive.reconcile.nix_build import NAME, SHA

MOST_BYTES = 128 << 10
"""The length of a request."""

SYSTEM = re.compile(r"/nix/store/[0-9a-df-np-sv-z]{32}-[A-Za-z0-9_+.?=-]{1,200}", re.ASCII)
KEY = re.compile(r"[0-9a-f]{16,128}", re.ASCII)
CURSOR = re.compile(r"(?:[a-z]=[0-9a-f]{1,32};?){0,10}", re.ASCII)
"""A place in the journal, as journalctl tells it; empty for the time `since`, in seconds of the epoch."""

MOST_WORDS = 400


class BadVerb(Exception):
    """A request that is not one; the message is the reason, for people."""


def _matching(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _between(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _is_entry(value: Any) -> bool:
    """Words without the zero byte that ends each in the file that the container reads."""
    words = value if isinstance(value, list) and 0 < len(value) <= MOST_WORDS else [None]
    return all(isinstance(word, str) and "\0" not in word and word.isprintable() for word in words)


VERBS: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "configure": {
        "sha": _matching(SHA),
        "memory_mb": _between(64, 1 << 20),
        "cpu_percent": _between(1, 102_400),
        "tasks": _between(16, 1 << 20),
    },
    "point": {"system": _matching(SYSTEM)},
    "start": {"key": _matching(KEY), "entry": _is_entry, "hold": lambda value: type(value) is bool},
    "hold": {},
    "reload": {},
    "restart": {},
    "stop": {},
    "kill": {},
    "observe": {},
    "logs": {"lines": _between(1, 1000), "cursor": _matching(CURSOR), "since": _between(0, 1 << 40)},
    "destroy": {},
}
"""Each verb, and what it takes beside the name: all of it, and nothing else."""


@dataclass(frozen=True, slots=True)
class RootRequest:
    """A request that was checked."""

    verb: str
    name: str
    fields: Mapping[str, Any]

    @classmethod
    def parse(cls, line: bytes) -> RootRequest:
        """Read a line; raises BadVerb."""
        try:
            data = json.loads(line)
        except (RecursionError, ValueError) as error:
            raise BadVerb("a request is one line of JSON") from error
        if not isinstance(data, dict):
            raise BadVerb("a request is an object")
        verb, name = data.pop("verb", None), data.pop("name", None)
        if not isinstance(verb, str) or verb not in VERBS:
            raise BadVerb(f"there is no verb {verb!r:.40}; there are {', '.join(VERBS)}")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise BadVerb(f"{name!r:.40} is no name of an agent with such a container ({NAME.pattern})")
        taken = VERBS[verb]
        if data.keys() != taken.keys():
            raise BadVerb(f"{verb} takes {', '.join(taken) or 'nothing but a name'}")
        for key, holds in taken.items():
            if not holds(data[key]):
                raise BadVerb(f"{verb}: {key} cannot be {data[key]!r:.60}")
        return cls(verb, name, data)

    @property
    def machine(self) -> str:
        """The container's name."""
        return f"h-{self.name}"

    @property
    def unit(self) -> str:
        """The unit of NixOS that is the container."""
        return f"container@{self.machine}.service"
