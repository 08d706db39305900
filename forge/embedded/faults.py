"""Fault rules: which deliveries and responses fail, how, and how often.

A rule says what happens, to which deliveries or answers, how often and after how many. The first rule that
fits acts. Nothing is left to chance: a rule that acts on one in n chooses by its seed and by how many it saw.
"""

from __future__ import annotations

import random
import threading
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

DELIVERIES = ("drop", "duplicate", "delay", "reorder", "corrupt", "replay")
"""Never sent · sent twice · sent late · sent after the next one · a byte flipped, so that no signature fits · sent again under a new uuid."""
ANSWERS = ("429", "502", "html", "hang", "cut", "half", "done")
"""Too many requests · no gateway · a page with 200 · no answer · a closed connection · half of the answer · 500, but the request was performed.

The request is also performed for `half`; for all others it is not.
"""


class InvalidRule(ValueError):
    """An invalid rule; the message names the field."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule; `event`, `method` and `path` are globs in which `*` matches anything."""

    kind: str
    event: str = "*"
    """Of deliveries: their fine event, as `pull_request_comment`."""
    method: str = "*"
    path: str = "*"
    """Of answers: what follows the address of the forge, as `/api/v1/repos/*/issues`."""
    times: int = 1
    """How often it acts."""
    after: int = 0
    """How many it lets pass first."""
    seconds: float = 1.0
    """How late a delivery is, how long an answer hangs, or what `Retry-After` says."""
    one_in: int = 1
    """Of how many it takes one, by its seed."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in DELIVERIES + ANSWERS:
            raise InvalidRule(f"kind: {self.kind!r} is none of {', '.join(DELIVERIES + ANSWERS)}")
        for name, least in (("times", 0), ("after", 0), ("seconds", 0), ("one_in", 1)):
            if getattr(self, name) < least:
                raise InvalidRule(f"{name}: {getattr(self, name)} is less than {least}")

    def takes(self, nth: int) -> bool:
        """Whether it applies to the nth match."""
        return nth >= self.after and random.Random(f"{self.seed} {nth}").randrange(self.one_in) == 0


@dataclass(slots=True)
class _Count:
    """How often a rule matched, and how often it was applied."""

    seen: int = 0
    acted: int = 0


class Faults:
    """The rules of one forge, for any thread."""

    def __init__(self) -> None:
        self._rules: list[tuple[Fault, _Count]] = []
        self._lock = threading.Lock()
        self.over = threading.Event()
        """Set when the forge ends: nothing hangs any longer."""

    def add(self, kind: str, **about: Any) -> None:
        """Add a rule; raises InvalidRule."""
        self.put(Fault(kind, **about))

    def put(self, *rules: Fault) -> None:
        """Add rules."""
        with self._lock:
            self._rules += [(rule, _Count()) for rule in rules]

    def plan(self, seed: int, *kinds: str, one_in: int = 4, **about: Any) -> None:
        """Add one rule for each kind that applies to one in `one_in`, for good; deterministic by its seed."""
        about = {"times": 1 << 30, "one_in": one_in} | about
        self.put(*(Fault(kind, seed=seed * len(kinds) + n, **about) for n, kind in enumerate(kinds)))

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

    def listed(self) -> list[dict[str, Any]]:
        """The rules, each with its number of matches and of applications."""
        with self._lock:
            return [asdict(rule) | asdict(count) for rule, count in self._rules]

    def of_delivery(self, event: str) -> Fault | None:
        """The fault to inject into a delivery, if any."""
        return self._first(DELIVERIES, lambda rule: fnmatchcase(event, rule.event))

    def of_answer(self, method: str, path: str) -> Fault | None:
        """The fault to inject into the response to a request, if any."""
        return self._first(ANSWERS, lambda rule: fnmatchcase(method, rule.method) and fnmatchcase(path, rule.path))

    def _first(self, kinds: tuple[str, ...], fits: Any) -> Fault | None:
        found = None
        with self._lock:
            for rule, count in self._rules:
                if rule.kind not in kinds or not fits(rule):
                    continue
                count.seen += 1
                if found is None and count.acted < rule.times and rule.takes(count.seen - 1):
                    count.acted += 1
                    found = rule
        return found


def read(given: Any) -> Fault:
    """Parse a rule that came over HTTP; raises InvalidRule."""
    if not isinstance(given, dict) or not isinstance(given.get("kind"), str):
        raise InvalidRule("kind: a rule is an object with a kind")
    kinds = {field.name: str(field.type) for field in fields(Fault)}
    for name, value in given.items():
        if name not in kinds:
            raise InvalidRule(f"{name}: a rule has {', '.join(kinds)}")
        wanted: Any = {"str": str, "int": int, "float": (int, float)}[kinds[name]]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise InvalidRule(f"{name}: {value!r} is not of type {kinds[name]}")
    return Fault(**given)
