"""What a turn is asked for in a person's own words, in parts. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineRemark:
    """A remark on a line of a pull request; `was` is that line, and `suggestion` what should replace it, where known."""

    path: str
    line: int
    text: str
    was: str | None = None
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """A request: an issue, a comment (without a title), or a review with its remarks on lines.

    `author` wrote it; `is_trusted` is whether that account may give work orders. `is_cut` is whether parts were left out,
    because no reader sees them or because it is too long.
    """

    title: str
    body: str
    author: str
    is_trusted: bool
    is_cut: bool = False
    remarks: tuple[LineRemark, ...] = ()
