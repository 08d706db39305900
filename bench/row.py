"""What a measurement is worth: a value beside its peer, the goal it was given, and the table of all of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "out" / "latest.json"


class Unmeasured(Exception):
    """Something cannot be measured here, or came to no end; the message says why."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What was promised: of the ratio to the peer, or of the value itself."""

    bound: float
    at_least: bool = False
    of_ratio: bool = False

    def is_met(self, row: Row) -> bool:
        """Whether a row keeps the promise."""
        value = row.ratio if self.of_ratio else row.value
        return value >= self.bound if self.at_least else value <= self.bound

    def text(self, unit: str) -> str:
        """The promise, such as `≥ 1.5×` or `≤ 20 ms`."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}{'×' if self.of_ratio else f' {unit}'.rstrip()}"


def times(bound: float) -> Goal:
    """At least so many times the peer's."""
    return Goal(bound, at_least=True, of_ratio=True)


def at_most_times(bound: float) -> Goal:
    """At most so many times the peer's."""
    return Goal(bound, of_ratio=True)


def at_most(bound: float) -> Goal:
    """At most so much, in the row's unit."""
    return Goal(bound)


@dataclass(frozen=True, slots=True)
class Row:
    """A value, its peer's from the same run if it has one, and what was promised of it if anything was."""

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float = 0.0
    goal: Goal | None = None

    @property
    def ratio(self) -> float:
        """How many times the peer's."""
        return self.value / self.peer_value if self.peer_value else 0.0

    def cells(self) -> tuple[str, ...]:
        """The row of the table: mark, name, value, ratio, peer, goal."""
        mark = "" if self.goal is None else "✓" if self.goal.is_met(self) else "✗"
        ratio = f"{self.ratio:.2f}×" if self.peer_value else ""
        peer = f"{self.peer} {_short(self.peer_value)}" if self.peer else ""
        goal = "" if self.goal is None else self.goal.text(self.unit)
        return mark, self.name, f"{_short(self.value)} {self.unit}".rstrip(), ratio, peer, goal

    def record(self) -> Mapping[str, Any]:
        """The row as JSON."""
        goal = None if self.goal is None else self.goal.text(self.unit)
        met = None if self.goal is None else self.goal.is_met(self)
        return {**asdict(self), "ratio": round(self.ratio, 4), "goal": goal, "met": met}


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows that could not be measured, and why."""

    name: str
    why: str

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        return "–", self.name, "", "", f"not measured: {self.why}", ""

    def record(self) -> Mapping[str, Any]:
        """The row as JSON."""
        return {"name": self.name, "unmeasured": self.why}


def report(rows: Iterable[Row | Gap]) -> None:
    """Say each row when it is known, then print the table and write it as JSON."""
    known = []
    for row in rows:
        known.append(row)
        print("  ".join(filter(None, row.cells())), file=sys.stderr, flush=True)
        _write(known)
    table = [("", "", "value", "ratio", "beside", "goal"), *(row.cells() for row in known)]
    widths = [max(len(cells[column]) for cells in table) for column in range(6)]
    print()
    for cells in table:
        mark, name, value, ratio, peer, goal = (
            cell.rjust(width) if column in (2, 3) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        print(f"{mark} {name}  {value}  {ratio}  {peer}  {goal}".rstrip())
    with_goal = [row for row in known if isinstance(row, Row) and row.goal is not None]
    met = sum(row.goal.is_met(row) for row in with_goal if row.goal is not None)
    print(f"\n{met} of {len(with_goal)} goals are met; written to {OUT.relative_to(OUT.parent.parent.parent)}")


def _write(rows: Iterable[Row | Gap]) -> None:
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([row.record() for row in rows], indent=1, ensure_ascii=False) + "\n")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
