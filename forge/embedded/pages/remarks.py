"""What reviews say about lines: where that is now, and whether the line is still there. Changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from forge.embedded.git import Git, GitFailed
from forge.embedded.pages import changes
from forge.embedded.pages.changes import Line
from forge.embedded.pages.look import Html
from forge.embedded.pages.visit import Visit
from forge.embedded.services import people, reviews
from forge.embedded.state import Row

_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Remark:
    """One remark. `line` is where it was made, `place` where that is now: minus in the old file, 0 if it is gone."""

    id: int
    review: Row
    author: Row
    at: int
    body: Html
    path: str
    line: int
    place: int
    lines: tuple[Line, ...]
    begins: bool
    """Whether a conversation begins with it."""
    resolver: Row | None
    """Who called the conversation resolved."""

    @property
    def is_outdated(self) -> bool:
        """Whether the line was changed since."""
        return self.place == 0

    @property
    def is_pending(self) -> bool:
        """Whether only its author sees it yet."""
        return bool(self.review["state"] == "PENDING")

    def fits(self, line: Line) -> bool:
        """Whether it is about this line, and the line still says what it said."""
        return self.place == line.place and (not self.lines or self.lines[-1].text == line.text)


@dataclass
class Moves:
    """Where the lines of one commit are in another, looked up once for each file."""

    git: Git
    _known: dict[tuple[str, str, str], list[tuple[int, int, int]]] = field(default_factory=dict)

    def now(self, line: int, path: str, old: str, new: str) -> int:
        """The number that a line of `old` has in `new`; 0 if it was changed or is unknown."""
        if old == new:
            return line
        shift = 0
        for start, gone, come in self._hunks(old, new, path):
            first = start if gone else start + 1
            if line < first:
                break
            if line < first + gone:
                return 0
            shift += come - gone
        return line + shift

    def _hunks(self, old: str, new: str, path: str) -> list[tuple[int, int, int]]:
        key = (old, new, path)
        if key not in self._known:
            try:
                text = self.git.text("diff", "-U0", old, new, "--", path, env={"GIT_LITERAL_PATHSPECS": "1"})
            except GitFailed:
                text = f"@@ -1,{1 << 30} +0,0 @@"
            found = _HUNK.findall(text)
            self._known[key] = [(int(start), int(gone or 1), int(come or 1)) for start, gone, come in found]
        return self._known[key]


def of_pull(visit: Visit, issue: Row, pull: Row) -> list[Remark]:
    """All remarks that the viewer may see, by review, file and line."""
    site, moves = visit.site, Moves(visit.site.git(visit.repo))
    mine = visit.viewer["id"] if visit.viewer else 0
    return [
        _remark(visit, review, row, moves, pull)
        for review in reviews.of_pull(site, issue)
        if review["state"] != "PENDING" or review["user_id"] == mine
        for row in reviews.remarks(site, review)
    ]


def _remark(visit: Visit, review: Row, row: Row, moves: Moves, pull: Row) -> Remark:
    about = json.loads(row["detail"])
    path, line = about["path"], about["line"]
    if line > 0:
        place = moves.now(line, path, review["sha"], pull["head_sha"])
    else:
        place = -moves.now(-line, path, about["sha"], pull["merge_base"])
    author, body = people.by_id(visit.site, row["user_id"]), visit.prose(row["body"])
    lines = changes.excerpt(about["hunk"], path)
    begins = reviews.conversation(visit.site, row)["id"] == row["id"]
    resolver = people.by_id(visit.site, about["resolver"]) if "resolver" in about else None
    return Remark(row["id"], review, author, row["created"], body, path, line, place, lines, begins, resolver)


def by_file(said: Iterable[Remark]) -> dict[str, list[Remark]]:
    """Remarks by the file that they are about."""
    found: dict[str, list[Remark]] = {}
    for remark in said:
        found.setdefault(remark.path, []).append(remark)
    return found
