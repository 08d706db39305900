"""The files of a change as engines read them: numbered copies, never a checkout.

A copy's name is made here, so no name from a change reaches a command line or an engine's search
for its configuration, and no symbolic link leads out. Comments that silence an engine are removed
from a copy: a change cannot switch its reviewer off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath

MAX_BYTES = 4 * 1024 * 1024
"""The most bytes of a file that is analysed."""

_SILENCER = re.compile(r"ast-grep-ignore|#\s*yamllint\b|#\s*shellcheck\b(?!\s+shell=\w+\s*$)", re.MULTILINE)
_LONE_RETURN = re.compile(r"\r(?!\Z)")
_SHEBANG = re.compile(r"#!.*\b(?:(?P<python>python[\d.]*)|(?:ba|da|k|a)?sh)\b")
_TEMPLATE = re.compile(r"^[ \t]*(?:\{\{|\{%)", re.MULTILINE)


class FileKind(Enum):
    """What a file is written in, as far as any engine knows."""

    PYTHON = "Python"
    SCRIPT = "JavaScript or TypeScript"
    RUST = "Rust"
    GO = "Go"
    SHELL = "shell"
    YAML = "YAML"
    OTHER = "other text"


_KINDS = {
    **dict.fromkeys((".py", ".pyi"), FileKind.PYTHON),
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"), FileKind.SCRIPT),
    **dict.fromkeys((".sh", ".bash", ".dash", ".ksh"), FileKind.SHELL),
    **dict.fromkeys((".yml", ".yaml"), FileKind.YAML),
    ".rs": FileKind.RUST,
    ".go": FileKind.GO,
}
_KEPT_SUFFIXES = {
    *(".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"),
    *(".c", ".cfg", ".conf", ".cpp", ".cs", ".ini", ".java", ".php", ".properties", ".swift", ".tf", ".toml"),
}
_SUFFIXES = {
    FileKind.PYTHON: ".py",
    FileKind.RUST: ".rs",
    FileKind.GO: ".go",
    FileKind.SHELL: ".sh",
    FileKind.YAML: ".yaml",
    FileKind.OTHER: ".txt",
}
_PROSE = frozenset({".adoc", ".md", ".rst", ".txt"})
_TEST = re.compile(
    r"(?:^|/)(?:tests?|testdata|__tests__|spec)/|(?:^|/)(?:test_[^/]*|conftest\.py)$|[._-](?:test|spec)\.\w+$"
)


class UnreadableFile(Exception):
    """A file that an engine should have seen cannot be shown to it."""


@dataclass(frozen=True, slots=True)
class Source:
    """One changed file.

    `whole` and `added` name its copies: all of it, and one in which every unchanged line is empty.
    `lines` are its lines as git counts them; the copies may have more of them, and `numbers` maps each to one of git's.
    """

    path: str
    kind: FileKind
    whole: str
    added: str
    lines: tuple[str, ...]
    numbers: tuple[int, ...]
    fresh: frozenset[int]

    @property
    def is_test(self) -> bool:
        """Whether the file tests others."""
        return _TEST.search(self.path) is not None

    @property
    def is_prose(self) -> bool:
        """Whether the file is written for people only."""
        return PurePosixPath(self.path).suffix.lower() in _PROSE

    def line(self, number: int) -> int:
        """Git's number for a line of a copy; past the end it is the last one."""
        return self.numbers[min(max(number, 1), len(self.numbers)) - 1] if self.numbers else 0


def gather(
    root: Path, changed: Mapping[str, frozenset[int]], folder: Path
) -> tuple[tuple[Source, ...], tuple[tuple[str, str], ...]]:
    """Copy what engines may read; returns the sources, and what cannot be read, with reasons."""
    sources, skipped = [], []
    for number, (path, fresh) in enumerate(sorted(changed.items())):
        if not fresh and not (root / path).is_file():  # a link that was only renamed: nothing came with it
            continue
        try:
            text = _read(root, path)
        except UnreadableFile as reason:
            skipped.append((path, str(reason)))
            continue
        if text is not None:
            sources.append(_copy(path, text, fresh, folder, str(number)))
    return tuple(sources), tuple(skipped)


def _read(root: Path, path: str) -> str | None:
    """A file's text; None for what no engine knows: links, submodules, and anything that is no text."""
    file = root / path
    if file.is_symlink() or file.is_dir():
        return None
    if not file.resolve().is_relative_to(root.resolve()) or not file.is_file():
        raise UnreadableFile("is not in the checkout")
    known = PurePosixPath(path).suffix.lower() in _KINDS
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise UnreadableFile(f"has {size} bytes, and {MAX_BYTES} is the limit")
    content = file.read_bytes()
    if not known and b"\0" in content:
        return None
    if b"\0" in content:
        raise UnreadableFile("holds zero bytes")
    return _decoded(content, strict=known)


def _decoded(content: bytes, *, strict: bool) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        if strict:
            raise UnreadableFile(f"is not UTF-8 at byte {error.start}") from error
    return content.decode("utf-8", "replace")


def _copy(path: str, text: str, fresh: frozenset[int], folder: Path, number: str) -> Source:
    lines = text.removesuffix("\n").split("\n") if text else []
    # A carriage return ends a line for Python and most engines, and does not for git: code could hide behind it.
    rows = [(count, row) for count, line in enumerate(lines, start=1) for row in _LONE_RETURN.split(line)]
    kind = _kind(path, text)
    suffix = _suffix(path, kind)
    stem = "__init__" if PurePosixPath(path).stem == "__init__" else "file"
    whole, added = f"{number}/{stem}{suffix}", f"{number}/added{suffix}"
    (folder / number).mkdir()
    _write(folder / whole, "".join(f"{row}\n" for _, row in rows))
    _write(folder / added, "".join(f"{row}\n" if count in fresh else "\n" for count, row in rows))
    return Source(
        path, kind, whole, added, tuple(lines), tuple(count for count, _ in rows), fresh & set(range(1, len(lines) + 1))
    )


def _write(file: Path, text: str) -> None:
    file.write_bytes(_SILENCER.sub(lambda found: found[0][:-1] + "_", text).encode())


def _kind(path: str, text: str) -> FileKind:
    suffix = PurePosixPath(path).suffix.lower()
    kind = _KINDS.get(suffix, FileKind.OTHER)
    if kind is FileKind.YAML and _TEMPLATE.search(text):  # a template of YAML is none yet
        return FileKind.OTHER
    if kind is FileKind.OTHER and not suffix and (match := _SHEBANG.match(text)):
        return FileKind.PYTHON if match["python"] else FileKind.SHELL
    return kind


def _suffix(path: str, kind: FileKind) -> str:
    suffix = PurePosixPath(path).suffix.lower()
    return suffix if suffix in _KEPT_SUFFIXES else _SUFFIXES[kind]
