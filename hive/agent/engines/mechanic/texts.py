"""Changes of plain text that are given to the letter. Performs no I/O."""

from __future__ import annotations

import re
from difflib import get_close_matches

from hive.agent.errors import ToolError

MAX_PLACES = 2_000
LF, CRLF = "\n", "\r\n"


def fitted(text: str, given: str) -> str:
    """What was given, with the line ends of a text whose lines all end by CRLF."""
    plain = given.replace(CRLF, LF)
    return plain.replace(LF, CRLF) if text.count(CRLF) == text.count(LF) > 0 else plain


def replaced(text: str, old: str, new: str, *, whole: bool = False) -> tuple[str, int]:
    """A text with every occurrence replaced, and how many these are; `whole` leaves it within longer words."""
    old, new = fitted(text, old), fitted(text, new)
    if not old or old == new:
        raise ToolError("the old text and the new one are the same" if old else "the old text is empty")
    if not whole:
        return text.replace(old, new), text.count(old)
    return re.sub(bounded(old), lambda _: new, text, count=0), len(re.findall(bounded(old), text))


def bounded(word: str) -> str:
    """A pattern for a text that does not continue a word, nor is continued by one."""
    before = r"(?<!\w)" if word[:1].isalnum() or word[:1] == "_" else ""
    after = r"(?!\w)" if word[-1:].isalnum() or word[-1:] == "_" else ""
    return before + re.escape(word) + after


def line_replaced(text: str, line: int, new: str, old: str | None, path: str) -> str:
    """A text with a line, or the lines of `old`, replaced; looked for near `line`, which may have moved."""
    lines = text.split(LF)
    end = "\r" if lines[0].endswith("\r") else ""
    fresh = [f"{each}{end}" for each in new.split(LF)] if new else []
    if old is None:
        if not 0 < line <= len(lines) - (not lines[-1]):
            raise ToolError(f"`{path}` has no line {line}")
        return LF.join([*lines[: line - 1], *fresh, *lines[line:]])
    for wanted in (old.split(LF), _less_space(old)):
        new_lines = fresh if wanted == old.split(LF) else [f"{each}{end}" for each in _less_space(new)] if new else []
        places = _places(lines, [f"{each}{end}" for each in wanted])
        if places and (at := _nearest(places, line)) is not None:
            return LF.join([*lines[:at], *new_lines, *lines[at + len(wanted) :]])
        if places:
            raise ToolError(f"what should be replaced stands {len(places)} times in `{path}`; say on which line")
    if fresh and _places(lines, fresh):
        return text
    raise ToolError(f"what should be replaced does not stand in `{path}`: `{_short(old)}`")


def _less_space(text: str) -> list[str]:
    """Lines less the space that some write behind the sign of a diff, if all have it."""
    lines = text.split(LF)
    return [line[1:] for line in lines] if all(line[:1] in {" ", ""} for line in lines) else lines


def _places(lines: list[str], wanted: list[str]) -> list[int]:
    starts = (at for at, line in enumerate(lines) if line == wanted[0])
    return [at for at in starts if lines[at : at + len(wanted)] == wanted]


def _nearest(places: list[int], line: int) -> int | None:
    """The place that is meant: the only one, or the nearest to a line if one is named."""
    if len(places) == 1:
        return places[0]
    return min(places, key=lambda at: abs(at + 1 - line)) if line else None


def lines_added(text: str, lines: tuple[str, ...], place: str, beside: str, path: str) -> str:
    """A text with lines added; unchanged if they stand together in it already."""
    end = CRLF if text.count(CRLF) == text.count(LF) > 0 else LF
    rows = text.split(end)
    has_end = not rows[-1]
    rows = rows[:-1] if has_end else rows
    if text and _places(rows, list(lines)):
        return text
    match place:
        case "top":
            rows = [*lines, *rows]
        case "before" | "after":
            at = _beside(rows, beside, path) + (place == "after")
            rows = [*rows[:at], *lines, *rows[at:]]
        case _:
            rows = [*rows, *lines]
    return end.join(row for row in rows) + (end if has_end or not text or place == "end" else "")


def _beside(rows: list[str], beside: str, path: str) -> int:
    found = [at for at, row in enumerate(rows) if row.strip() == beside.strip()]
    found = found or [at for at, row in enumerate(rows) if beside in row]
    if len(found) != 1:
        raise ToolError(f"the line `{_short(beside)}` stands {len(found)} times in `{path}`")
    return found[0]


def lines_deleted(text: str, lines: tuple[str, ...], path: str) -> str:
    """A text less lines that stand together in it; one line may be named less its indentation."""
    end = CRLF if text.count(CRLF) == text.count(LF) > 0 else LF
    rows = text.split(end)
    places = _places(rows, list(lines))
    if not places and len(lines) == 1:
        places = [at for at, row in enumerate(rows) if row.strip() == lines[0].strip()]
    if len(places) != 1:
        near = get_close_matches(lines[0], rows, 1)
        hint = f"; the nearest is `{_short(near[0])}`" if near and not places else ""
        raise ToolError(f"`{_short(lines[0])}` stands {len(places)} times in `{path}`{hint}")
    return end.join([*rows[: places[0]], *rows[places[0] + len(lines) :]])


def _short(text: str) -> str:
    return re.sub(r"[`\s]+", " ", text).strip()[:100]
