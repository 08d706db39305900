"""The files of a change as engines read them: numbered copies, never a checkout.

A copy's name is made here, so no name from a change reaches a command line or an engine's search
for its configuration, and no symbolic link leads out. Comments that silence an engine are removed
from a copy: a change cannot switch its reviewer off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path, PurePosixPath

MAX_BYTES = 4 * 1024 * 1024
"""The most bytes of a file that is analysed."""

_SILENCER = re.compile(
    r"ast-grep-ignore|(?:eslint|oxlint)-disable|#\s*yamllint\b|#\s*shellcheck\b(?!\s+shell=\w+\s*$)", re.MULTILINE
)
_LONE_RETURN = re.compile(r"\r(?!\Z)")
_SHEBANG = re.compile(r"#!.*\b(?:(?P<python>python[\d.]*)|(?:ba|da|k|a)?sh)\b")
_SUSPECT = re.compile(
    r"[A-Za-z0-9+/=_-]{16}|AP[0-9A-F]|AKC|BEGIN|eyJ|xox|://[^\s]*@|contrase"
    r"|(?i:secret|passw|pwd|token|auth|cred|(?:api|service|account|db|database|priv|private|client|key)_?(?:key|pass))"
)
"""What a line has that any of the detectors of secrets could find one on; most lines have nothing of it."""

_FOREIGN_SHELL = re.compile(r"#!.*\b(?:zsh|fish|t?csh|nu|pwsh|elvish|xonsh|rc)\b")
_OTHER_ENDS = re.compile("[\x85\u2028\u2029]")
"""They end a line for PyYAML and for ESLint (the first not), and for nobody else."""

_TEMPLATE = re.compile(r"^[ \t]*(?:\{\{|\{%)", re.MULTILINE)


class FileKind(Enum):
    """What a file is written in, as far as any engine knows."""

    PYTHON = "Python"
    SCRIPT = "JavaScript or TypeScript"
    RUST = "Rust"
    GO = "Go"
    SHELL = "shell"
    YAML = "YAML"
    DOCKER = "Dockerfile"
    NIX = "Nix"
    JSON = "JSON"
    TOML = "TOML"
    UNIT = "systemd unit"
    OTHER = "other text"


_KINDS = {
    **dict.fromkeys((".py", ".pyi"), FileKind.PYTHON),
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"), FileKind.SCRIPT),
    **dict.fromkeys((".sh", ".bash", ".dash", ".ksh"), FileKind.SHELL),
    **dict.fromkeys((".yml", ".yaml"), FileKind.YAML),
    **dict.fromkeys((".service", ".socket", ".timer", ".path", ".mount", ".target"), FileKind.UNIT),
    ".rs": FileKind.RUST,
    ".go": FileKind.GO,
    ".nix": FileKind.NIX,
    ".json": FileKind.JSON,
    ".toml": FileKind.TOML,
    ".dockerfile": FileKind.DOCKER,
}
_DOCKER = re.compile(r"(?:Dockerfile|Containerfile)(?:\.[\w.-]+)?", re.IGNORECASE)
_KEPT_NAMES = frozenset({"__init__", "action", "dependabot"})
"""Names without suffix that mean something to an engine."""

_KEPT_SUFFIXES = {
    *(".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"),
    *(".c", ".cfg", ".conf", ".cpp", ".cs", ".ini", ".java", ".php", ".properties", ".swift", ".tf"),
    *(".service", ".socket", ".timer", ".path", ".mount", ".target"),
}
_SUFFIXES = {
    FileKind.PYTHON: ".py",
    FileKind.RUST: ".rs",
    FileKind.GO: ".go",
    FileKind.SHELL: ".sh",
    FileKind.YAML: ".yaml",
    FileKind.DOCKER: ".dockerfile",
    FileKind.NIX: ".nix",
    FileKind.JSON: ".json",
    FileKind.TOML: ".toml",
    FileKind.UNIT: ".service",
    FileKind.OTHER: ".txt",
}
_BROKEN_LINES = frozenset({FileKind.YAML, FileKind.SCRIPT})
_LOCKED = re.compile(
    r"(?:^|/)(?:go\.sum|[^/]*[-.]lock(?:\.json|\.yaml|b)?|npm-shrinkwrap\.json|requirements[^/]*\.(?:lock|txt)|pylock[^/]*\.toml"
    r"|gradle\.lockfile|packages\.lock\.json|Package\.resolved|Manifest\.toml|\.terraform\.lock\.hcl|SHA\d+SUMS)$"
)
_PROSE = frozenset({".adoc", ".md", ".rst", ".txt"})
_TEST = re.compile(
    r"(?:^|/)(?:tests?|testdata|__tests__|spec)/|(?:^|/)(?:test_[^/]*|conftest\.py)$|[._-](?:test|spec)\.\w+$"
)


class UnreadableFile(Exception):
    """A file that an engine should have seen cannot be shown to it."""


@dataclass(frozen=True, slots=True)
class Source:
    """One changed file.

    `whole` and `added` name its copies: all of it, and one of the added lines that could hold a secret, which are the lines
    `suspect` of the other.
    `lines` are its lines as git counts them; the copies may have more of them, and `numbers` maps each to one of git's.
    `fresh` are the lines that the change brought. `base` is the file before the change, None for a new one and for one
    that could not be read; its `fresh` are the lines that the change took away.
    """

    path: str
    kind: FileKind
    whole: str
    added: str
    lines: tuple[str, ...]
    numbers: tuple[int, ...]
    fresh: frozenset[int]
    suspect: tuple[int, ...] = ()
    base: Source | None = None

    @property
    def is_test(self) -> bool:
        """Whether the file tests others."""
        return _TEST.search(self.path) is not None

    @property
    def is_prose(self) -> bool:
        """Whether the file is written for people only."""
        return PurePosixPath(self.path).suffix.lower() in _PROSE

    @property
    def is_locked(self) -> bool:
        """Whether a package manager writes the file: it is full of digests."""
        return _LOCKED.search(self.path) is not None

    def line(self, number: int) -> int:
        """Git's number for a line of a copy; past the end it is the last one."""
        return self.numbers[min(max(number, 1), len(self.numbers)) - 1] if self.numbers else 0

    def text(self, number: int) -> str:
        """A line as git counts it; empty outside of the file."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file before the change: its path then, and the numbers of the lines that the change took away."""

    path: str
    removed: frozenset[int]


@dataclass(frozen=True, slots=True)
class Before:
    """The files of the base: where they lie, and what each changed file (by its path after the change) was."""

    root: Path
    files: Mapping[str, OldFile]


def gather(
    root: Path, changed: Mapping[str, frozenset[int]], folder: Path, before: Before | None = None
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
            source = _copy(path, text, fresh, folder, str(number))
            old = before.files.get(path) if before else None
            base = _old(before.root, old, folder, f"{number}b") if before and old else None
            sources.append(replace(source, base=base) if base and base.kind is source.kind else source)
    return tuple(sources), tuple(skipped)


def _old(root: Path, old: OldFile, folder: Path, number: str) -> Source | None:
    """The copy of a file of the base; None if nobody can read it."""
    try:
        text = _read(root, old.path)
    except UnreadableFile:
        return None
    return None if text is None else _copy(old.path, text, old.removed, folder, number)


def _read(root: Path, path: str) -> str | None:
    """A file's text; None for what no engine knows: links, submodules, and anything that is no text."""
    file = root / path
    if file.is_symlink() or file.is_dir():
        return None
    if not file.resolve().is_relative_to(root.resolve()) or not file.is_file():
        raise UnreadableFile("is not in the checkout")
    known = _named(path) is not FileKind.OTHER
    size = file.stat().st_size
    if not known and size > MAX_BYTES and _is_binary(file):
        return None
    if size > MAX_BYTES:
        raise UnreadableFile(f"has {size} bytes, and {MAX_BYTES} is the limit")
    content = file.read_bytes()
    if not known and b"\0" in content:
        return None
    if b"\0" in content:
        raise UnreadableFile("holds zero bytes")
    return _decoded(content, strict=known)


def _is_binary(file: Path) -> bool:
    """Whether a large file is no text, as git decides it: by a zero byte near its beginning."""
    with file.open("rb") as content:
        return b"\0" in content.read(8000)


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
    if kind in _BROKEN_LINES:
        rows = [(count, _OTHER_ENDS.sub(" ", row)) for count, row in rows]
    name = _name(path, kind)
    whole, added = f"{number}/{name}", f"{number}/added{PurePosixPath(name).suffix}"
    (folder / number).mkdir()
    _write(folder / whole, "".join(f"{row}\n" for _, row in rows))
    suspect = [at for at, (count, row) in enumerate(rows) if count in fresh and _SUSPECT.search(row)]
    _write(folder / added, "".join(f"{rows[at][1]}\n" for at in suspect))
    known = fresh & set(range(1, len(lines) + 1))
    numbers = tuple(count for count, _ in rows)
    return Source(path, kind, whole, added, tuple(lines), numbers, known, tuple(at + 1 for at in suspect))


def _write(file: Path, text: str) -> None:
    file.write_bytes(_SILENCER.sub(lambda found: found[0][:-1] + "_", text).encode())


def _named(path: str) -> FileKind:
    """What a file's name says that it is written in."""
    name = PurePosixPath(path)
    return FileKind.DOCKER if _DOCKER.fullmatch(name.name) else _KINDS.get(name.suffix.lower(), FileKind.OTHER)


def _kind(path: str, text: str) -> FileKind:
    kind = _named(path)
    if kind is FileKind.YAML and _TEMPLATE.search(text):  # a template of YAML is none yet
        return FileKind.OTHER
    if kind is FileKind.SHELL and _FOREIGN_SHELL.match(text):
        return FileKind.OTHER
    if kind is FileKind.OTHER and not PurePosixPath(path).suffix and (match := _SHEBANG.match(text)):
        return FileKind.PYTHON if match["python"] else FileKind.SHELL
    return kind


def _name(path: str, kind: FileKind) -> str:
    """The name of a copy: ours, except for the few that mean something to an engine."""
    name = PurePosixPath(path)
    suffix = name.suffix.lower()
    return (name.stem if name.stem in _KEPT_NAMES else "file") + (
        suffix if suffix in _KEPT_SUFFIXES else _SUFFIXES[kind]
    )
