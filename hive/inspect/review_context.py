"""Collects what a model is shown of a change: its diff, the functions around it, what it uses from elsewhere. Runs nothing.

It is bounded by a number of tokens. What has no room is left out by a rule, never at random, and is named: the diffs of all files come
before the code around any, code before tests, and those before everything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice

from bots.model_review import ReviewTask
from bots.review.lock_files import are_lock_files
from bots.review_sources import DiffRow, SourceFile, hunks_of, numbered, tokens, visible_line
from forge.diff import FileDiff, parse
from forge.line_map import LineMap
from hive.git_mirror.commits import Commits
from hive.git_mirror.line_history import changed_lines, file_contents

NOTHING: frozenset[int] = frozenset()
AROUND = 3
"""Lines on either side of a fresh one that are shown with it."""

FOR_DIFFS, FOR_CODE = 0.7, 0.9
"""The shares of all tokens that diffs, and diffs with the code around them, may take."""

LARGEST = 8 << 20
"""Bytes of all files whose code is read."""

MAX_NAMES, MAX_SEARCHED, MAX_DEFINED = 12, 2 << 20, 8
"""Names whose definitions are looked for, bytes of the files in which, and definitions that are shown."""

DEFINITION_LINES = 12
MAX_FILES, MAX_DEFINING = 200, 300
"""Files that are searched for definitions, and characters of a line that may hold one."""

NO_ROOM = "has no room beside more important files"
TOO_LONG = "is larger than all that may be shown"
UNREADABLE = "is no text that can be shown"

_TESTS = re.compile(r"(?:^|/)(?:tests?|spec|__tests__)/|(?:^|[/_.])tests?[_.]|[_.](?:test|spec)\.", re.IGNORECASE)
_CODE = re.compile(
    r"\.(?:py|pyi|js|mjs|cjs|jsx|ts|mts|cts|tsx|go|rs|c|h|cc|cpp|hpp|java|kt|rb|php|cs|swift|scala|sh|bash|nix|sql|ex|exs|lua|pl)$"
)
_CALLED = re.compile(r"\b([A-Za-z_]\w{2,60})\s*\(")
_DEFINES = (
    r"[ \t]*(?:(?:export|public|private|protected|static|async|pub|default|abstract|final)[ \t]+){{0,4}}"
    r"(?:def|class|func|fn|function|type|interface|struct|enum|const|let|var|val)[ \t]+(?:\([^)\n]{{0,60}}\)[ \t]*)?(?P<name>{names})\b"
)
_NOT_DEFINED = (
    "and append assert catch def dict elif else except for format func function get if import in int isinstance join len list make"
    " new not open or print range require return self set sorted str super switch tuple while with yield"
)
_WORDS = frozenset(_NOT_DEFINED.split())
"""What is followed by a parenthesis and defined nowhere."""


@dataclass(frozen=True, slots=True)
class ReviewContext:
    """What a model is shown: files with the code around their diffs, definitions, and what it is not shown, with the reason."""

    files: tuple[tuple[SourceFile, str], ...]
    definitions: str = ""
    unread: tuple[tuple[str, str], ...] = ()

    @property
    def sources(self) -> Mapping[str, SourceFile]:
        """The files by their paths."""
        return {source.path: source for source, _ in self.files}


def collect(commits: Commits, task: ReviewTask, head: str, *, room: int) -> ReviewContext:
    """What a change brings up to `head`, in `room` tokens at the most; raises GitError and MalformedDiff."""
    wanted = {path: file for file in parse(commits.diff(task.base_sha, head)) if (path := _wanted(file, task))}
    fresh_of = _news(commits, wanted, task, head)
    texts = {
        path: body.decode("utf-8", "replace")
        for path, body in file_contents(commits, head, wanted, most=LARGEST).items()
        if b"\0" not in body
    }
    unread = [(path, UNREADABLE) for path in wanted if path not in texts and fresh_of(path) != NOTHING]
    sources = [
        SourceFile(path, hunks, tuple(texts[path].split("\n")))
        for path, file in wanted.items()
        if path in texts and (hunks := tuple(_narrowed(hunks_of(file), fresh_of(path))))
    ]
    sources.sort(key=_importance)
    kept, left_out, used = _with_room(sources, SourceFile.diff, room * FOR_DIFFS, 0)
    sizes = {source.path: tokens(source.diff()) for source in left_out}
    unread += [(path, TOO_LONG if size > room * FOR_DIFFS else NO_ROOM) for path, size in sizes.items()]
    codes = {source.path: source.code() for source in kept}
    around, _, used = _with_room(kept, lambda source: codes[source.path], room * FOR_CODE, used)
    with_code = {source.path for source in around}
    shown = tuple((source, codes[source.path] if source.path in with_code else "") for source in kept)
    return ReviewContext(shown, _definitions(commits, head, kept, int(room - used)), tuple(sorted(unread)))


def _wanted(file: FileDiff, task: ReviewTask) -> str:
    """The path of a file that a model should read, empty for one that it should not: nobody wrote it, or nobody wants it said."""
    if file.path is None or not file.regular or file.binary or not (file.new or file.removed):
        return ""
    return "" if are_lock_files([file.path]) or not task.policy.reviews(file.path) else file.path


def _news(
    commits: Commits, files: Mapping[str, FileDiff], task: ReviewTask, head: str
) -> Callable[[str], frozenset[int] | None]:
    """Tells of a file which lines are to be read, by their numbers: those that have changed since the last time, None for all."""
    if not task.since or not files or not commits.has(task.since):
        return lambda _: None
    since: dict[str, frozenset[int]] = {}
    for file in changed_lines(commits, task.since, head, then=(), now=files):
        if file.path is not None:
            since[file.path] = frozenset(_places(file))
    return lambda path: None if path in task.unread else since.get(path, NOTHING)


def _narrowed(hunks: Iterable[tuple[DiffRow, ...]], fresh: frozenset[int] | None) -> Iterator[tuple[DiffRow, ...]]:
    """Hunks with what is near fresh lines only; lines that were new before are no news, and shown as what is around them."""
    if fresh is None:
        yield from hunks
        return
    for hunk in hunks:
        news = [at for at, row in enumerate(hunk) if row.number in fresh]
        near = sorted({each for at in news for each in range(max(at - AROUND, 0), min(at + AROUND + 1, len(hunk)))})
        for _, group in groupby(enumerate(near), key=lambda each: each[1] - each[0]):
            yield tuple(_as_known(hunk[at], fresh) for _, at in group)


def _as_known(row: DiffRow, fresh: frozenset[int]) -> DiffRow:
    return replace(row, sign=" ") if row.sign == "+" and row.number not in fresh else row


def _places(file: FileDiff) -> Iterator[int]:
    """The lines of a new version that a diff without context is about: added ones, and those beside removed ones."""
    yield from file.added
    lines = LineMap.of(file) if not file.binary else None
    for number in file.removed:
        if lines is not None and number - 1 not in file.removed:
            above = lines.now(number - 1) if number > 1 else 0
            yield from (above or 0, (above or 0) + 1)


def _importance(source: SourceFile) -> tuple[int, int, str]:
    """Code before tests before all else, and what changes more before what changes less."""
    kind = 1 if _TESTS.search(source.path) else 0 if _CODE.search(source.path) else 2
    return kind, -len(source.changed), source.path


def _with_room(
    sources: Iterable[SourceFile], text: Callable[[SourceFile], str], room: float, used: int
) -> tuple[list[SourceFile], list[SourceFile], int]:
    """The files whose text still has room, those whose text has not, and how many tokens are used then."""
    kept, left_out = [], []
    for source in sources:
        size = tokens(text(source))
        if used + size > room:
            left_out.append(source)
        else:
            kept.append(source)
            used += size
    return kept, left_out, used


def _definitions(commits: Commits, head: str, sources: Sequence[SourceFile], room: int) -> str:
    """Where names that new lines call are defined, outside of the changed files: the first lines of each, as far as there is room."""
    names = list(islice(_called(sources), MAX_NAMES))
    if not names or room <= 0:
        return ""
    changed = {source.path for source in sources}
    found = [path for path in commits.files_with(head, names) if path not in changed and _CODE.search(path)]
    defines = re.compile(_DEFINES.format(names="|".join(map(re.escape, names))), re.MULTILINE)
    parts: list[str] = []
    for path, body in file_contents(commits, head, found[:MAX_FILES], most=MAX_SEARCHED).items():
        lines = body.decode("utf-8", "replace").split("\n")
        for number, line in enumerate(lines, 1):
            match = defines.match(line) if len(line) <= MAX_DEFINING else None
            if match is None or match["name"] not in names:
                continue
            names.remove(match["name"])
            text = f"{visible_line(path)}\n{numbered(lines, range(number, min(number + DEFINITION_LINES, len(lines) + 1)))}"
            room -= tokens(text)
            if room < 0 or len(parts) >= MAX_DEFINED:
                return "\n\n".join(parts)
            parts.append(text)
    return "\n\n".join(parts)


def _called(sources: Iterable[SourceFile]) -> Iterator[str]:
    """Names that new lines call and that their own file does not seem to define, each once."""
    seen: set[str] = set()
    for source in sources:
        for number in sorted(source.touched):
            text = source.lines[number - 1][:MAX_DEFINING] if number <= len(source.lines) else ""
            for name in _CALLED.findall(text):
                if name not in seen and name not in _WORDS:
                    seen.add(name)
                    yield name
