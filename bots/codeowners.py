"""CODEOWNERS: whose review which paths want, in the two languages of forges. Performs no I/O.

Forgejo and Gitea read patterns as regular expressions of whole paths (https://forgejo.org/docs/latest/user/code-owners/): all that
match add up, `!` means every path that does not match, and one backslash of two is eaten. GitHub reads globs
(https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners):
the last one that matches counts. Patterns that could take long are left out: matching takes time in proportion to the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

MOST_RULES = 500
MOST_PATHS = 300
LONGEST_PATH = 300
LONGEST_PATTERN = 200
MOST_STARS = 2
"""Unbounded repetitions in a regular expression: with two, time is at most the square of the path's length."""

_OWNER = re.compile(r"@?([A-Za-z0-9][A-Za-z0-9._-]{0,99})")
_UNSAFE = re.compile(r"\((?=\?)|\)[*+?{]|\\[1-9]|[*+?}][*+{]")
_STAR = re.compile(r"[*+]|\{\d*,\}")
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")


class OwnersDialect(Enum):
    """The language of the patterns."""

    REGEX = "Forgejo and Gitea"
    GLOB = "GitHub"


@dataclass(frozen=True, slots=True)
class OwnersRule:
    """One line: its pattern, and the logins of its owners; teams and addresses are left out."""

    pattern: str
    owners: tuple[str, ...]


def owners_of(text: str, dialect: OwnersDialect, paths: Iterable[str]) -> tuple[str, ...]:
    """The logins of those who own any of the paths, each once."""
    rules = list(read_rules(text, dialect))[:MOST_RULES]
    wanted = [path for path in paths if len(path) <= LONGEST_PATH][:MOST_PATHS]
    found = _by_glob(rules, wanted) if dialect is OwnersDialect.GLOB else _by_regex(rules, wanted)
    return tuple(dict.fromkeys(found))


def read_rules(text: str, dialect: OwnersDialect) -> Iterator[OwnersRule]:
    """The lines of a file; GitHub knows rules without an owner, which leave a path to nobody."""
    for line in text.splitlines():
        words = [_unescaped(word) for word in re.findall(r"(?:\\.|[^\s\\#])+|#.*", line) if not word.startswith("#")]
        if not words or len(words[0]) > LONGEST_PATTERN:
            continue
        owners = tuple(name[1] for word in words[1:] if (name := _OWNER.fullmatch(word)))
        if owners or (dialect is OwnersDialect.GLOB and len(words) == 1):
            yield OwnersRule(words[0], owners)


def _unescaped(word: str) -> str:
    r"""A word with each backslash taken off that stands before something: `\\.` is `\.`, and `\.` is `.`."""
    return re.sub(r"\\(.)", r"\1", word)


def _by_regex(rules: Sequence[OwnersRule], paths: Sequence[str]) -> Iterator[str]:
    for rule in rules:
        negated = rule.pattern.startswith("!")
        pattern = _compiled(rule.pattern.removeprefix("!"))
        if pattern is not None and any((pattern.search(path) is None) == negated for path in paths):
            yield from rule.owners


def _compiled(text: str) -> re.Pattern[str] | None:
    """A pattern of a whole path; None for one that is invalid, or that may take long."""
    flags = re.IGNORECASE if text.startswith("(?i)") else re.NOFLAG
    bare = text.removeprefix("(?i)")
    plain = _CLASS.sub("x", re.sub(r"\\.", "x", bare))
    # Go takes the first star of `*.py` as a repetition of the anchor before it: then nothing is anchored there.
    starts = bare.startswith("*")
    if (
        _UNSAFE.search(plain.removeprefix("*"))
        or _UNSAFE.search(bare.removeprefix("*"))
        or len(_STAR.findall(plain)) > MOST_STARS + starts
    ):
        return None
    try:
        return re.compile(bare[1:] + r"\Z" if starts else rf"\A(?:{bare})\Z", flags)
    except (re.error, OverflowError):
        return None


def _by_glob(rules: Sequence[OwnersRule], paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        last = next((rule for rule in reversed(rules) if matches_glob(rule.pattern, path)), None)
        if last is not None:
            yield from last.owners


def matches_glob(pattern: str, path: str) -> bool:
    """Whether a pattern of GitHub's matches a file; a directory's name means all that is in it, `dir/*` only its own files."""
    if pattern.startswith("!") or "[" in pattern:
        return False  # GitHub does not know them
    anchored = "/" in pattern.rstrip("/")
    parts = pattern.strip("/").split("/")
    if not anchored:
        parts = ["**", *parts]
    if pattern.endswith("/"):
        return _segments([*parts, "**", "*"], path.split("/"))
    below = [] if parts[-1] in {"*", "**"} and anchored else [[*parts, "**", "*"]]
    return any(_segments(each, path.split("/")) for each in [parts, *below])


def _segments(parts: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the parts of a pattern match the parts of a path: a table of what is reachable, row by row."""
    reached = {0}
    for part in parts:
        if part == "**":
            reached = set(range(min(reached), len(names) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(names) and _wild(part, names[at])}
    return len(names) in reached


def _wild(part: str, name: str) -> bool:
    """Whether `*` and `?` match a name, by going back to the last star only."""
    at = star = mark = 0
    seen = False
    index = 0
    while index < len(name):
        if at < len(part) and part[at] == "*":
            seen, star, mark = True, at, index
            at += 1
        elif at < len(part) and part[at] in {"?", name[index]}:
            at += 1
            index += 1
        elif seen:
            mark += 1
            at, index = star + 1, mark
        else:
            return False
    return all(letter == "*" for letter in part[at:])
