"""Changes between two commits: files, counts, and the hunk of a code comment."""

from __future__ import annotations

import re
from dataclasses import dataclass

from forge.embedded.git import Git, GitFailed

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@.*")
_STATUS = {"A": "added", "D": "deleted", "R": "renamed", "C": "copied"}
_AROUND = 4
"""Lines that a remark shows: its own and those above it."""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One changed file; `status` is Forgejo's word."""

    path: str
    status: str
    additions: int
    deletions: int
    previous: str = ""


def changes(git: Git, old: str, new: str) -> list[ChangedFile]:
    """The files that differ, renames found."""
    out = git.raw("diff-tree", "-r", "-z", "-M", "--raw", "--numstat", "--no-abbrev", old, new).decode(errors="replace")
    tokens = iter(out.split("\0")[:-1])
    found: dict[str, tuple[str, str]] = {}
    rows: list[ChangedFile] = []
    for token in tokens:
        if token.startswith(":"):
            letter, first = token.split()[4][0], next(tokens)
            path = next(tokens) if letter in "RC" else first
            found[path] = (_STATUS.get(letter, "changed"), first if letter in "RC" else "")
            continue
        plus, minus, path = token.split("\t", 2)
        if not path:
            next(tokens)
            path = next(tokens)
        status, previous = found[path]
        rows.append(ChangedFile(path, status, _number(plus), _number(minus), previous))
    return rows


def text(git: Git, old: str, new: str, *paths: str) -> bytes:
    """The unified diff."""
    return git.raw("diff", "-p", "-M", old, new, "--", *paths, env={"GIT_LITERAL_PATHSPECS": "1"})


def patch(git: Git, old: str, new: str) -> bytes:
    """The commits as mails."""
    return git.raw("format-patch", "--stdout", f"{old}..{new}")


def identity(git: Git, old: str, new: str) -> str:
    """The patch id: the same for the same change, wherever it is applied."""
    diff = text(git, old, new)
    return git.raw("patch-id", "--stable", stdin=diff).decode().split(" ", 1)[0] if diff else ""


def hunk(git: Git, old: str, new: str, path: str, *, line: int, on_old: bool) -> str:
    """The part of a file's diff that ends with a line, cut to a few lines; empty outside of the diff."""
    try:
        lines = text(git, old, new, path).decode(errors="replace").splitlines()
    except GitFailed:
        return ""
    for start, header in enumerate(lines):
        if match := _HUNK.match(header):
            body = _until(lines[start + 1 :], int(match[1]), int(match[2]), line=line, on_old=on_old)
            if body:
                return _cut(header, int(match[1]), int(match[2]), body)
    return ""


def _until(lines: list[str], old: int, new: int, *, line: int, on_old: bool) -> list[str]:
    """The lines of a hunk up to the one that is meant; none if it is not in there."""
    for n, text_line in enumerate(lines):
        mark = text_line[:1]
        if mark not in {" ", "+", "-", "\\"}:
            return []
        if (mark != ("+" if on_old else "-")) and (old if on_old else new) == line and mark != "\\":
            return lines[: n + 1]
        old += mark in " -"
        new += mark in " +"
    return []


def _cut(header: str, old: int, new: int, body: list[str]) -> str:
    """Keep the last lines, with a header that fits; a short hunk keeps its own."""
    if len(body) <= _AROUND:
        return "\n".join([header, *body])
    gone, kept = body[:-_AROUND], body[-_AROUND:]
    old += sum(line[0] in " -" for line in gone)
    new += sum(line[0] in " +" for line in gone)
    before, after = sum(line[0] in " -" for line in kept), sum(line[0] in " +" for line in kept)
    return "\n".join([f"@@ -{old},{before} +{new},{after} @@", *kept])


def _number(text_number: str) -> int:
    return int(text_number) if text_number.isdigit() else 0
