"""Renames an identifier by its tokens: in Python as Python reads it, in other languages as a whole word. Performs no I/O."""

from __future__ import annotations

import io
import keyword
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from hive.agent.errors import ToolError

PYTHON = frozenset({".py", ".pyi"})
_SUFFIXES = (
    ".c .cc .clj .cpp .cs .css .cxx .d .dart .erl .ex .exs .go .graphql .h .hh .hpp .hs .html .java .jl .js .jsx .kt .kts .less .lua"
    " .m .mjs .cjs .ml .mm .nim .nix .php .pl .pm .proto .ps1 .r .rb .rs .sass .scala .scss .sh .bash .zsh .sql .svelte .swift .tf"
    " .ts .tsx .mts .cts .v .vue .zig"
)
CODE = frozenset(_SUFFIXES.split())
PROSE = frozenset({".md", ".markdown", ".mdx"})
NAME = re.compile(r"[A-Za-z_$][\w$-]{0,199}")
_FIELD = re.compile(r"\{\{|\}\}|\{|\}")
_SPAN = re.compile(
    r"(?P<fence>^[ \t]*(?:```|~~~).*?^[ \t]*(?:```|~~~)[ \t]*$)|(?P<code>`+[^`\n]+`+)", re.DOTALL | re.MULTILINE
)
_ALL = re.compile(r"__all__\s*(?:\+?=|:)")


@dataclass(frozen=True, slots=True)
class Occurrences:
    """What a file has of a name: its text with it renamed, the lines of that, and the lines where it was left."""

    text: str
    renamed: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    has_new: tuple[int, ...] = ()
    """The lines where the new name is in use already."""


def plain_name(name: str) -> str:
    """An identifier as it is written alone; raises ToolError for what is none."""
    name = name.strip().removesuffix("()")
    if not NAME.fullmatch(name):
        raise ToolError(f"`{name[:80]}` is no identifier that I can rename; name it alone, less what it belongs to")
    return name


def kind(path: str) -> str:
    """How a file is read: `python`, `code`, `prose`, or not at all."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in PYTHON:
        return "python"
    return "code" if suffix in CODE else "prose" if suffix in PROSE else ""


def rename(path: str, text: str, old: str, new: str, *, in_text: bool = False) -> Occurrences:
    """What a file has of a name; `in_text` renames it in comments and strings of Python as well."""
    if old not in text:
        return Occurrences(text, has_new=tuple(_lines(text, new)))
    match kind(path):
        case "python" if not in_text:
            return _python(path, text, old, new)
        case "python" | "code":
            return _words(text, old, new)
        case "prose":
            return _spans(text, old, new)
    return Occurrences(text, left=tuple(_lines(text, old)))


def _word(name: str) -> re.Pattern[str]:
    hyphen = "-" if "-" in name else ""
    return re.compile(rf"(?<![\w${hyphen}]){re.escape(name)}(?![\w${hyphen}])")


def _lines(text: str, name: str) -> Iterator[int]:
    found = _word(name)
    for number, line in enumerate(text.split("\n"), 1):
        if found.search(line):
            yield number


def _words(text: str, old: str, new: str) -> Occurrences:
    renamed = tuple(_lines(text, old))
    return Occurrences(_word(old).sub(lambda _: new, text), renamed, has_new=tuple(_lines(text, new)))


def _spans(text: str, old: str, new: str) -> Occurrences:
    """Prose: only what is marked as code is code."""
    after = _SPAN.sub(lambda span: _word(old).sub(lambda _: new, span[0]), text)
    before, then = text.split("\n"), after.split("\n")
    renamed = tuple(number for number, pair in enumerate(zip(before, then, strict=True), 1) if pair[0] != pair[1])
    return Occurrences(after, renamed, left=tuple(_lines(after, old)))


def _python(path: str, text: str, old: str, new: str) -> Occurrences:
    if not new.isidentifier() or keyword.iskeyword(new):
        raise ToolError(f"`{new}` is no name that Python takes")
    lines = text.split("\n")
    edits: list[tuple[int, int, int, str]] = []
    has_new: list[int] = []
    exported = False
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            row, start = token.start
            if token.type == tokenize.NAME:
                exported = exported or (token.string == "__all__" and bool(_ALL.match(token.line.lstrip())))
                if token.string == old:
                    edits.append((row, start, token.end[1], new))
                elif token.string == new:
                    has_new.append(row)
            elif token.type == tokenize.NEWLINE:
                exported = False
            elif token.type == tokenize.STRING and old in token.string:
                edits += _in_string(token, old, new, exported=exported)
    except (tokenize.TokenError, SyntaxError) as error:
        raise ToolError(f"`{path}` cannot be read as Python: {error.args[0]}") from error
    for row, start, end, after in sorted(edits, reverse=True):
        lines[row - 1] = lines[row - 1][:start] + after + lines[row - 1][end:]
    changed = "\n".join(lines)
    renamed = tuple(sorted({row for row, *_ in edits}))
    return Occurrences(changed, renamed, tuple(_lines(changed, old)), tuple(has_new))


def _in_string(token: tokenize.TokenInfo, old: str, new: str, *, exported: bool) -> Iterator[tuple[int, int, int, str]]:
    """A string is text, but for the names that `__all__` exports, and for what stands in the braces of an f-string."""
    literal = token.string
    quote = min(at for mark in "\"'" if (at := literal.find(mark)) >= 0)
    if exported and literal[quote:].strip("\"'") == old:
        yield token.start[0], token.start[1], token.end[1], literal.replace(old, new)
    elif "f" in literal[:quote].lower() and token.start[0] == token.end[0]:
        after = _in_fields(literal, old, new)
        if after != literal:
            yield token.start[0], token.start[1], token.end[1], after


def _in_fields(literal: str, old: str, new: str) -> str:
    """An f-string as Python 3.11 reads it, in one token: renamed within its braces only."""
    parts: list[str] = []
    depth = start = 0
    for brace in _FIELD.finditer(literal):
        if len(brace[0]) == 2 and not depth:
            continue
        piece = literal[start : brace.start()]
        parts += [_word(old).sub(lambda _: new, piece) if depth else piece, brace[0]]
        start = brace.end()
        depth = max(0, depth + sum(1 if each == "{" else -1 for each in brace[0]))
    return "".join([*parts, literal[start:]])
