"""Where lines of one version of a file are in another, by a diff without context. Performs no I/O.

Exact: what a diff neither removes nor adds are the same lines in the same order on both sides.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from forge.diff import FileDiff


class LineMap:
    """The lines that both versions of a file have, each with its number in either."""

    def __init__(self, removed: Iterable[int], added: Iterable[int]) -> None:
        """`removed` are numbers of lines of the old version, `added` of the new one."""
        self._removed, self._added = sorted(removed), sorted(added)
        # What is below the n-th removed or added line and on both sides: n lines fewer than its number says.
        self._kept_below_removed = [number - at for at, number in enumerate(self._removed)]
        self._kept_below_added = [number - at for at, number in enumerate(self._added)]

    @classmethod
    def of(cls, file: FileDiff) -> LineMap:
        """The map of one file of a diff without context (`git diff -U0`); raises ValueError for another diff."""
        if len(file.new) != len(file.added):
            raise ValueError(f"the diff of {file.path or file.old_path!r} shows lines that are not changed")
        return cls(file.old, file.added)

    def now(self, line: int) -> int | None:
        """The number of an old line in the new version; None if it was removed or changed."""
        return _across(line, self._removed, self._kept_below_added)

    def then(self, line: int) -> int | None:
        """The number of a new line in the old version; None if it was added or changed."""
        return _across(line, self._added, self._kept_below_removed)

    def instead(self, line: int) -> tuple[int, int]:
        """The first and the last of the new lines that stand where an old one was removed; (0, 0) without any."""
        at = bisect_left(self._removed, line)
        if at == len(self._removed) or self._removed[at] != line:
            return 0, 0
        kept = self._kept_below_removed[at]
        first, end = bisect_left(self._kept_below_added, kept), bisect_right(self._kept_below_added, kept)
        return (self._added[first], self._added[end - 1]) if first < end else (0, 0)


def _across(line: int, gone: list[int], kept_below: list[int]) -> int | None:
    at = bisect_left(gone, line)
    if at < len(gone) and gone[at] == line:
        return None
    kept = line - at
    return kept + bisect_right(kept_below, kept)
