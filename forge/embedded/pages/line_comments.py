"""Review comments on lines of a diff, and where in the current diff each is shown. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from forge.embedded.pages.diff_view import File, hunk_lines
from forge.embedded.pages.page_context import PageContext
from forge.embedded.services import people, reviews
from forge.embedded.state import Row


def of_pull(page: PageContext, issue: Row) -> list[Row]:
    """All comments on lines, by review, file and line; those of pending reviews are hidden."""
    visible = [review for review in reviews.of_pull(page.site, issue) if review["state"] != "PENDING"]
    return [_comment(page, review, row) for review in visible for row in reviews.remarks(page.site, review)]


def _comment(page: PageContext, review: Row, row: Row) -> Row:
    """One comment: `line` is negative in the old file, `lines` is the code it was written below."""
    detail = json.loads(row["detail"])
    return {
        "id": row["id"],
        "at": row["created"],
        "author": people.by_id(page.site, row["user_id"]),
        "html": page.markdown(row["body"]),
        "path": detail["path"],
        "line": detail["line"],
        "lines": hunk_lines(detail["hunk"], detail["path"]),
        "review": review,
        "is_first": reviews.conversation(page.site, row)["id"] == row["id"],
        "resolver": people.by_id(page.site, detail["resolver"]) if "resolver" in detail else None,
    }


def place(files: Sequence[File], comments: Iterable[Row]) -> tuple[dict[tuple[str, int], list[Row]], list[Row]]:
    """Comments by path and position of the line below which they are shown; then those without such a line."""
    placed: dict[tuple[str, int], list[Row]] = {}
    unplaced = []
    for comment in comments:
        if position := _position(files, comment):
            placed.setdefault((comment["path"], position), []).append(comment)
        else:
            unplaced.append(comment)
    return placed, unplaced


def _position(files: Sequence[File], comment: Row) -> int:
    """The nearest line that has the same text as then, below the same text; 0 if there is none."""
    hunks = [hunk.lines for file in files if file.path == comment["path"] for hunk in file.hunks]
    then = [line.text for line in comment["lines"][-2:]]
    found = [
        lines[at].position
        for lines in hunks
        for at in range(len(lines))
        if [line.text for line in lines[max(0, at - 1) : at + 1]] == then and lines[at].position * comment["line"] > 0
    ]
    return min(found, key=lambda position: abs(position - comment["line"]), default=0)
