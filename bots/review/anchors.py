"""Decides where each finding is posted: on a line of the diff, or in the review's body. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bots.models import Finding, Level
from forge.diff import FileDiff

MAX_INLINE = 10
"""The most comments on lines in one review; more of them are not read."""

Files = Mapping[str, FileDiff]


@dataclass(frozen=True, slots=True)
class Placed:
    """The findings of one review by place, most severe first.

    `inline` are on lines that the diff shows: forges accept a comment on any other line too, and show it anywhere.
    `outside` are on no line of the diff, `overflow` exceed the most comments on lines.
    """

    inline: tuple[Finding, ...]
    overflow: tuple[Finding, ...]
    outside: tuple[Finding, ...]
    green: tuple[Finding, ...]

    @property
    def numbered(self) -> tuple[Finding, ...]:
        """Those that want something, as they are numbered from 1."""
        return (*self.inline, *self.overflow, *self.outside)

    def count(self, level: Level) -> int:
        """The number of findings of a level, after the quick-fix rule."""
        return sum(item.effective_level is level for item in (*self.numbered, *self.green))


def place(findings: Iterable[Finding], files: Files) -> Placed:
    """Assign each finding to its place."""
    ordered = sorted(findings, key=lambda item: (_SEVERITY[item.effective_level], item.path, item.line))
    green = tuple(item for item in ordered if item.effective_level is Level.GREEN)
    wanting = [item for item in ordered if item.effective_level is not Level.GREEN]
    shown = [item for item in wanting if old_line(item, files) is not None]
    outside = tuple(item for item in wanting if old_line(item, files) is None)
    return Placed(tuple(shown[:MAX_INLINE]), tuple(shown[MAX_INLINE:]), outside, green)


def old_line(finding: Finding, files: Files) -> str | None:
    """The line of a finding in the new version; None if the diff does not show it."""
    file = files.get(finding.path)
    return None if file is None else file.new.get(finding.line)


_SEVERITY = {Level.RED: 0, Level.YELLOW: 1, Level.GREEN: 2}
