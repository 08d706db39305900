"""Protected paths: files that decide what runs on a forge, who reviews, and what agents are told. Performs no I/O.

A pattern is read as in `.gitignore`: with a slash at its beginning or within it starts at the top, without one it fits at any depth. It
covers what is below it, and also a file or a link in the place of a directory. `*` stands for any letters of one name. Upper and lower case are one.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

PROTECTED: Final = (
    *("/.forgejo/", "/.gitea/", "/.github/", "/.woodpecker/", "/.woodpecker.y*ml", "/.drone.y*ml"),
    *("CODEOWNERS", "/.hive.yaml", ".claude/", ".mcp.json", "AGENTS.md", "CLAUDE*.md"),
)
"""Pipelines, reviewers, the checks of a repository, and the instructions of agents."""


def is_covered(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path is one of those that patterns describe."""
    parts = path.casefold().split("/")
    return any(_fits(parts, pattern.casefold()) for pattern in patterns)


def mistake(pattern: str) -> str:
    """What is wrong with a pattern; empty if nothing is."""
    names = pattern.removeprefix("/").removesuffix("/").split("/")
    if not all(names) or {".", ".."} & set(names) or not pattern.isprintable():
        return "should be a path of the repository as in .gitignore: /.github/, AGENTS.md, docs/*.md"
    return ""


def _fits(parts: list[str], pattern: str) -> bool:
    wanted = pattern.strip("/").split("/")
    is_anchored = pattern.startswith("/") or len(wanted) > 1
    for begin in range(1 if is_anchored else len(parts)):
        found = parts[begin : begin + len(wanted)]
        if len(found) == len(wanted) and all(map(fnmatchcase, found, wanted)):
            return True
    return False
