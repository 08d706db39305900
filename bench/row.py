"""One measured claim, and the table of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

OUT = Path(__file__).parent / "out" / "latest.json"


@dataclass(frozen=True, slots=True)
class Row:
    """A value beside its peer, measured in the same run; `ratio` is value / peer_value."""

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float

    @property
    def ratio(self) -> float:
        """How many times the peer's."""
        return self.value / self.peer_value if self.peer_value else 0.0


def report(rows: Iterable[Row]) -> None:
    """Print the table and write it as JSON."""
    rows = list(rows)
    width = max(len(row.name) for row in rows)
    print(f"\n{'':{width}}  {'value':>9} {'':6}  {'ratio':>7}  peer")
    for row in rows:
        peer = f"{row.peer} {_short(row.peer_value)}"
        print(f"{row.name:{width}}  {_short(row.value):>9} {row.unit:6}  {row.ratio:6.2f}×  {peer}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([{**asdict(row), "ratio": round(row.ratio, 4)} for row in rows], indent=1) + "\n")
    print(f"\nwritten to {OUT.relative_to(OUT.parent.parent.parent)}")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
