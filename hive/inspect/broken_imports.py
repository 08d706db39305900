"""What a change breaks in files that it does not touch: imports of a module, or of a name in one, that is gone.

Python and JavaScript name what they import; their files are searched by git and read as text. Runs nothing of them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from bots.models import Category, Finding, Level
from forge.diff import FileDiff
from hive.git_mirror.commits import Commits, TreeEntry
from hive.scan.tree import ENGINE

MAX_BYTES, MAX_READ, MAX_FOUND = 1 << 20, 16 << 20, 10
"""The most bytes of one file and of all that are searched, and imports that are told of one: a change that breaks more is seen
all the same. The text of strangers is read by expressions that take no longer than it is long.
"""

_SCRIPTS = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx")
_ROOTS = frozenset({(), ("src",), ("lib",), ("python",)})
_DEFINED = re.compile(
    r"^(?P<deep>[ \t]*)(?:(?:async +)?(?:def|class) +(?P<made>\w+)|(?P<set>\w+) *(?::[^=\n]+)?=(?!=))", re.MULTILINE
)
_WORD = re.compile(r"\w+")
_ANY = re.compile(r"^def __getattr__|import +\*", re.MULTILINE)
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ ]+([\w.]+)[ ]+import[ ]+(\([^)]{0,1000}\)|[^\n#]+)|import[ ]+([\w., ]+))", re.MULTILINE
)
_REQUIRED = re.compile(
    r"""(?:\bfrom\s{0,9}|\bimport\s{0,9}(?:\(\s{0,9})?|\brequire\s{0,9}\(\s{0,9})(["'])(\.{1,2}/[^"'\n]+)\1"""
)
_COMMENT = re.compile(r"#[^\n]*")


@dataclass(frozen=True, slots=True)
class Lost:
    """What a change takes away: modules of Python, names in others, files of JavaScript."""

    modules: frozenset[str]
    names: Mapping[str, frozenset[str]]
    scripts: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.modules or self.names or self.scripts)


def broken_imports(commits: Commits, files: Sequence[FileDiff], old: str, new: str) -> Iterator[Finding]:
    """A finding for each import in the tree of `new` of what `new` has no more. Raises GitError."""
    present = {entry.path: entry for entry in commits.entries(new) if entry.mode.startswith("100")}
    lost = _lost(commits, files, old, new, present)
    if not lost:
        return
    words = {
        posixpath.splitext(posixpath.basename(_named(path)))[0] for path in (*lost.modules, *lost.names, *lost.scripts)
    }
    found = [present[path] for path in commits.files_with(new, words) if path in present]
    small = [entry for entry in found if entry.size <= MAX_BYTES]
    sizes = accumulate(entry.size for entry in small)
    wanted = [entry for entry, size in zip(small, sizes, strict=True) if size <= MAX_READ]
    for entry, content in zip(wanted, commits.blobs(wanted), strict=True):
        text = content.decode("utf-8", "replace")
        seen = (
            _python(entry.path, text, lost) if entry.path.endswith(".py") else _script(entry.path, text, lost, present)
        )
        for line, what in islice(seen, MAX_FOUND):
            yield Finding(
                *(
                    entry.path,
                    line,
                    Level.RED,
                    Category.BUG,
                    "import-of-what-is-gone",
                    "Imports what this change deletes",
                ),
                f"`{what}` is gone, so this file cannot be loaded any more. Change the import, or keep what it needs.",
                engine=ENGINE,
            )


def _lost(commits: Commits, files: Sequence[FileDiff], old: str, new: str, present: Mapping[str, TreeEntry]) -> Lost:
    gone = {file.old_path for file in files if file.old_path is not None and file.old_path not in present}
    modules = frozenset(path for path in gone if path.endswith(".py") and not _is_replaced(path, present))
    names: dict[str, frozenset[str]] = {}
    for file in files:
        if file.path is not None and file.path == file.old_path and file.path.endswith(".py") and file.removed:
            before, after = (_text(commits, sha, file.path) for sha in (old, new))
            missing = _defined(before) - _possible(after)
            if missing and not _ANY.search(after):
                names[file.path] = frozenset(missing)
    return Lost(modules, names, frozenset(path for path in gone if path.endswith(_SCRIPTS)))


def _text(commits: Commits, sha: str, path: str) -> str:
    return (commits.file(sha, path, most=MAX_READ) or b"").decode("utf-8", "replace")


def _is_replaced(path: str, present: Collection[str]) -> bool:
    """Whether a module became a package, or the other way round."""
    stem = path.removesuffix(".py").removesuffix("/__init__")
    return f"{stem}.py" in present or f"{stem}/__init__.py" in present


def _defined(text: str) -> set[str]:
    """The names that a module defines at its top."""
    return {match["made"] or match["set"] for match in _DEFINED.finditer(text) if not match["deep"]}


def _possible(text: str) -> set[str]:
    """The names that a module may have, from a generous reading: what is defined anywhere in it, and what it imports."""
    made = {match["made"] or match["set"] for match in _DEFINED.finditer(text)}
    return made.union(*(_WORD.findall(match[0]) for match in _IMPORT.finditer(text)))


def _named(path: str) -> str:
    """The file or the folder after which a module is called."""
    return path.removesuffix("/__init__.py").removesuffix("/index" + posixpath.splitext(path)[1])


def _python(path: str, text: str, lost: Lost) -> Iterator[tuple[int, str]]:
    for match in _IMPORT.finditer(text):
        if match[3] is not None:
            asked = [(part.split(" as ")[0].strip(), "") for part in match[3].split(",")]
        else:
            listed = _COMMENT.sub("", match[2]).strip("() \t\n").split(",")
            asked = [(match[1], part.split(" as ")[0].strip()) for part in listed]
        for module, name in asked:
            if (what := _missing(path, module, name, lost)) and not _is_guarded(text, match.start()):
                yield text.count("\n", 0, match.start()) + 1, what
                break


def _missing(path: str, module: str, name: str, lost: Lost) -> str:
    """What of an import is gone; empty if nothing is."""
    for gone in lost.modules:
        if _is(path, module, gone):
            return module
        if name and _is(path, f"{module.rstrip('.')}.{name}" if module.strip(".") else f"{module}{name}", gone):
            return name
    return next((name for changed, names in lost.names.items() if name in names and _is(path, module, changed)), "")


def _is(importer: str, module: str, path: str) -> bool:
    """Whether a module, as a file imports it, is the one of a path."""
    parts = tuple(path.removesuffix(".py").removesuffix("/__init__").split("/"))
    bare = module.lstrip(".")
    asked = tuple(filter(None, bare.split(".")))
    if dots := len(module) - len(bare):
        folder = tuple(importer.split("/"))[:-dots]
        return len(importer.split("/")) > dots - 1 and parts == (*folder, *asked)
    root = parts[: len(parts) - len(asked)]
    beside = tuple(importer.split("/"))[:-1]
    return bool(asked) and parts[len(root) :] == asked and (root in _ROOTS or (len(asked) == 1 and root == beside))


def _is_guarded(text: str, start: int) -> bool:
    """Whether an import stands in a `try` of its own, or in a block for type checkers."""
    before = text[max(0, start - 300) : start].rstrip().rpartition("\n")[2].strip()
    return before.startswith(
        ("try:", "if TYPE_CHECKING", "if typing.TYPE_CHECKING", "with suppress", "with contextlib")
    )


def _script(path: str, text: str, lost: Lost, present: Collection[str]) -> Iterator[tuple[int, str]]:
    for match in _REQUIRED.finditer(text):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[2]))
        stem = posixpath.splitext(target)[0] if target.endswith(_SCRIPTS) else target
        ways = {target, *(f"{base}{suffix}" for base in (stem, f"{target}/index") for suffix in _SCRIPTS)}
        if ways & lost.scripts and not any(way in present for way in ways):
            yield text.count("\n", 0, match.start(2)) + 1, match[2]
