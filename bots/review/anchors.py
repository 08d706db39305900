"""Decides where each finding is posted: on a line of the diff, or in the review's body. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bots.models import Finding, Level
from bots.review_rounds import RememberedFinding
from forge.diff import FileDiff

Files = Mapping[str, FileDiff]


@dataclass(frozen=True, slots=True)
class Placed:
    """The findings that a review says, by place, most severe first.

    `inline` are on lines that the diff shows: forges accept a comment on any other line too, and show it anywhere.
    `outside` are on no line of the diff, `overflow` exceed the most comments on lines.
    """

    inline: tuple[RememberedFinding, ...]
    overflow: tuple[RememberedFinding, ...]
    outside: tuple[RememberedFinding, ...]

    @property
    def all(self) -> tuple[RememberedFinding, ...]:
        """All of them."""
        return (*self.inline, *self.overflow, *self.outside)


def place(said: Iterable[RememberedFinding], files: Files, *, most: int) -> Placed:
    """Assign each finding to its place; `most` is the number of comments on lines."""
    ordered = by_severity(said)
    shown = [each for each in ordered if shown_line(each.finding, files) is not None]
    outside = tuple(each for each in ordered if shown_line(each.finding, files) is None)
    return Placed(tuple(shown[:most]), tuple(shown[most:]), outside)


def by_severity(findings: Iterable[RememberedFinding]) -> list[RememberedFinding]:
    """Findings in the order in which they are read."""
    return sorted(findings, key=lambda each: (_SEVERITY[each.finding.effective_level], each.number))


def shown_line(finding: Finding, files: Files) -> str | None:
    """The line of a finding in the new version; None if the diff does not show it."""
    file = files.get(finding.path)
    return None if file is None else file.new.get(finding.line)


_SEVERITY = {Level.RED: 0, Level.YELLOW: 1, Level.GREEN: 2}
