"""Applies unified diffs that people give: checked first, applied whole or not at all, and a hunk that does not fit is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hive.agent.engines.mechanic.checkout import REGULAR, Checkout
from hive.agent.errors import GitToolError, ToolError

MAX_FILES = 200
NULL = "/dev/null"
BINARY = "the patch has binary parts, which I do not apply"
LINKS = "the patch makes {path} a link or a repository within the repository, which I do not do"
OUTSIDE = "the patch names {path}, which is no path within the repository"
NO_FILE = "the patch changes {path}, which is not there"
THERE = "the patch creates {path}, which is there already"
NO_HUNK = "the patch has no hunk that I can read"
HUNK = "hunk {number} of {path} (`{header}`) does not fit: {why}"
NOWHERE = "the file does not have the line {line}"
ELSEWHERE = "the lines that it changes do not stand together there; the first one is on line {at}"
NOT_APPLIED = "git does not apply it: {said}"
APPLIED = "it is in the branch already"

_HUNK = re.compile(r"@@ -(?P<start>\d+)(?:,(?P<old>\d+))? \+\d+(?:,(?P<new>\d+))? @@")
_MODE = re.compile(r"(?:new file mode|new mode) (?P<mode>\d+)")
_MOVED = re.compile(r"(?:rename|copy) (?:from|to) (?P<path>.+)")
_FAILED = re.compile(r"patch failed: (?P<path>.+):(?P<start>\d+)$", re.MULTILINE)


@dataclass(slots=True)
class PatchHunk:
    """One hunk: its head, where it starts in the old file, and its lines with their signs."""

    header: str
    start: int
    lines: list[str] = field(default_factory=list)

    @property
    def old(self) -> list[str]:
        """The lines that it expects."""
        return [line[1:] for line in self.lines if line[:1] in {"", " ", "-"}]


@dataclass(slots=True)
class FilePatch:
    """The changes of one file; `old` and `new` are its paths as written, prefix included."""

    head: list[str] = field(default_factory=list)
    old: str = ""
    new: str = ""
    hunks: list[PatchHunk] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join([*self.head, *(line for hunk in self.hunks for line in (hunk.header, *hunk.lines))])


def parse(text: str) -> list[FilePatch]:
    """The files of a patch; what stands around them is left out. The counts of hunks decide what is a line of theirs."""
    found: list[FilePatch] = []
    lines = text.rstrip("\n").split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        after = lines[at + 1] if at + 1 < len(lines) else ""
        if line.startswith("diff --git "):
            found.append(FilePatch([line]))
        elif line.startswith("--- ") and after.startswith("+++ "):
            if not found or found[-1].old or found[-1].hunks:
                found.append(FilePatch())
            found[-1].old, found[-1].new = _name(line), _name(after)
            found[-1].head += [line, after]
            at += 1
        elif found and found[-1].old and (hunk := _HUNK.match(line)):
            at = _read_hunk(lines, at, hunk, found[-1])
            continue
        elif found and not found[-1].hunks:
            found[-1].head.append(line)
        at += 1
    return found


def _read_hunk(lines: list[str], at: int, head: re.Match[str], file: FilePatch) -> int:
    old, new = (int(count) if count is not None else 1 for count in (head["old"], head["new"]))
    hunk = PatchHunk(lines[at], int(head["start"]))
    file.hunks.append(hunk)
    at += 1
    while at < len(lines) and (old > 0 or new > 0 or lines[at].startswith("\\") or _goes_on(lines, at)):
        sign = lines[at][:1]
        if sign not in {"", " ", "+", "-", "\\"} or _is_signature(lines, at):
            break
        hunk.lines.append(lines[at])
        old -= sign in {"", " ", "-"}
        new -= sign in {"", " ", "+"}
        at += 1
    return at


def _goes_on(lines: list[str], at: int) -> bool:
    """Whether a line belongs to a hunk whose counts are too small: people edit patches by hand."""
    is_head = lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")
    return lines[at][:1] in {"+", "-", " "} and not is_head


def _is_signature(lines: list[str], at: int) -> bool:
    """Whether a line is the signature of git format-patch: two dashes, and git's version below them."""
    below = lines[at + 1] if at + 1 < len(lines) else ""
    return lines[at].rstrip() == "--" and bool(re.match(r"\d+\.\d+|$", below))


def _name(line: str) -> str:
    return line[4:].partition("\t")[0].strip().strip('"')


def check(patch: list[FilePatch]) -> None:
    """Refuse what no patch of a text needs; raises ToolError. Git itself refuses paths that lead out of the tree as well."""
    if not patch:
        raise ToolError(NO_HUNK)
    if len(patch) > MAX_FILES:
        raise ToolError(f"the patch changes more than {MAX_FILES} files")
    for file in patch:
        for line in file.head:
            if line.startswith(("GIT binary patch", "Binary files ")):
                raise ToolError(BINARY)
            mode, moved = _MODE.match(line), _MOVED.match(line)
            if mode is not None and mode["mode"] not in REGULAR:
                raise ToolError(LINKS.format(path=_shown(file)))
            if moved is not None:
                check_path(moved["path"].strip('"'))
        for name in (file.old, file.new):
            if name and name != NULL:
                check_path(name)


def check_path(name: str) -> None:
    """Refuse a path that leads out of the tree, or to git's own files; raises ToolError."""
    parts = name.replace("\\", "/").split("/")
    is_gits = any(re.fullmatch(r"(?i)\.git[ .]*|git~\d", part.partition(":")[0]) for part in parts)
    if name.startswith(("/", "~")) or ".." in parts or is_gits or "\0" in name or re.match(r"[A-Za-z]:", name):
        raise ToolError(OUTSIDE.format(path=_code(name)))


def _shown(file: FilePatch) -> str:
    return _code(plain_path(file.new if file.new != NULL else file.old) or "a file")


def _code(text: str) -> str:
    return "`" + re.sub(r"[`\s]+", " ", text)[:200].strip() + "`"


def plain_path(name: str) -> str:
    """A path without git's prefix."""
    return name[2:] if name.startswith(("a/", "b/")) else name


def apply(checkout: Checkout, text: str) -> list[str]:
    """Apply a patch, and return the paths that it changes; raises ToolError, and everything is as it was then."""
    patch = parse(text)
    check(patch)
    depth = _depth(patch)
    before = checkout.stage()
    modes = dict(checkout.modes())
    _fit_line_ends(checkout, patch, depth)
    given = "\n".join(map(str, patch)) + "\n"
    options: tuple[str, ...] = (f"-p{depth}", "--recount", "--whitespace=nowarn")
    if _is_exact(
        checkout, patch, depth
    ):  # git wants context after a change that is not at the end; people leave it out
        options = (*options, "--unidiff-zero")
    if checkout.git.succeeds("apply", "--cached", "--reverse", "--check", *options, "-", stdin=given):
        return []
    try:
        checkout.git("apply", "--index", "--3way", *options, "-", stdin=given)
    except GitToolError as error:
        checkout.restore(before)
        raise ToolError("; ".join(_why(checkout, patch, depth, options, given)) or _said(error)) from error
    checkout.stage()
    now = checkout.modes()
    changed = [path for path in {**modes, **now} if path in touched(patch, depth)]
    for path, mode in now.items():
        if mode not in REGULAR and modes.get(path) != mode:
            checkout.restore(before)
            raise ToolError(LINKS.format(path=_code(path)))
    return changed


def touched(patch: list[FilePatch], depth: int) -> set[str]:
    """The paths that a patch names."""
    found: set[str] = set()
    for file in patch:
        moved = [each["path"].strip('"') for line in file.head if (each := _MOVED.match(line))]
        found |= {*(_stripped(name, depth) for name in (file.old, file.new) if name and name != NULL), *moved}
        if file.head and (git := re.fullmatch(r"diff --git a/(.+) b/(.+)", file.head[0])):
            found |= {git[1], git[2]}
    return found


def _depth(patch: list[FilePatch]) -> int:
    """How many parts of each path are git's: 1 for `a/` and `b/`, 0 for a plain diff."""
    names = [name for file in patch for name in (file.old, file.new) if name and name != NULL]
    is_git = any(line.startswith("diff --git ") for file in patch for line in file.head)
    return 1 if is_git or all(name.startswith(("a/", "b/")) for name in names) else 0


def _stripped(name: str, depth: int) -> str:
    return name.split("/", depth)[-1] if depth else name


def _fit_line_ends(checkout: Checkout, patch: list[FilePatch], depth: int) -> None:
    """Give hunks the line ends of their file: a forge's page has only one kind."""
    for file in patch:
        name = _stripped(file.old, depth)
        text = checkout.text(name) if file.old not in {"", NULL} else None
        if text and text.count("\r\n") == text.count("\n") > 0:
            for hunk in file.hunks:
                hunk.lines = [f"{line}\r" if line[:1] in {" ", "+", "-"} else line for line in hunk.lines]


def _is_exact(checkout: Checkout, patch: list[FilePatch], depth: int) -> bool:
    """Whether each hunk of each existing file has one place only, by all the lines that it names."""
    for file in patch:
        text = checkout.text(_stripped(file.old, depth)) if file.old not in {"", NULL} else None
        lines = [] if text is None else text.split("\n")
        for hunk in file.hunks if file.old != NULL else ():
            old = hunk.old
            starts = [
                at for at, line in enumerate(lines) if old and line == old[0] and lines[at : at + len(old)] == old
            ]
            if len(starts) != 1:
                return False
    return True


def _why(checkout: Checkout, patch: list[FilePatch], depth: int, options: tuple[str, ...], given: str) -> Iterator[str]:
    """Why a patch does not apply: each file that is missing, or in the way, and each hunk that does not fit."""
    for file in patch:
        name = _stripped(file.new if file.old == NULL else file.old, depth)
        if not file.old:
            continue
        text = checkout.text(name)
        if file.old == NULL and text is not None:
            yield THERE.format(path=_code(name))
        elif file.old != NULL and text is None:
            yield NO_FILE.format(path=_code(name))
        elif file.old != NULL and text is not None:
            yield from _misfits(file, name, text.split("\n"))
    try:
        checkout.git("apply", "--check", *options, "-", stdin=given)
    except GitToolError as error:
        for failed in _FAILED.finditer(str(error)):
            number, hunk = _hunk_at(patch, failed["path"], int(failed["start"]), depth)
            if hunk is not None and not _is_misfit(hunk, (checkout.text(failed["path"]) or "").split("\n")):
                why = "its surroundings differ from the file's"
                yield HUNK.format(number=number, path=_code(failed["path"]), header=_head(hunk), why=why)


def _misfits(file: FilePatch, name: str, lines: list[str]) -> Iterator[str]:
    for number, hunk in enumerate(file.hunks, 1):
        if why := _is_misfit(hunk, lines):
            yield HUNK.format(number=number, path=_code(name), header=_head(hunk), why=why)


def _is_misfit(hunk: PatchHunk, lines: list[str]) -> str:
    """Why a hunk has no place in a file; empty if it has one."""
    old = hunk.old
    starts = (at for at, line in enumerate(lines) if old and line == old[0])
    if not old or any(lines[at : at + len(old)] == old for at in starts):
        return ""
    known = set(lines)
    missing = next((line for line in old if line not in known), None)
    if missing is not None:
        return NOWHERE.format(line=_code(missing[:100]) if missing.strip() else "that is blank there")
    return ELSEWHERE.format(at=lines.index(old[0]) + 1)


def _head(hunk: PatchHunk) -> str:
    return re.sub(r"[`\s]+", " ", hunk.header)[:80].strip()


def _hunk_at(patch: list[FilePatch], path: str, start: int, depth: int) -> tuple[int, PatchHunk | None]:
    for file in patch:
        if _stripped(file.old, depth) == path:
            for number, hunk in enumerate(file.hunks, 1):
                if hunk.start == start:
                    return number, hunk
    return 0, None


def _said(error: GitToolError) -> str:
    return NOT_APPLIED.format(said=_code(str(error)))
