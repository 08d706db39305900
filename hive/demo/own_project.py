"""Your project for the demo: checked before anything is started, and never written to."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from hive.config import BadYaml, read_checks
from hive.instance.instance import StartupError
from hive.reconcile.build import BASE, PACKAGES

LARGEST = 1 << 30
"""Bytes of history that are copied: the small forge is for trying out."""

GIT_SECONDS = 120.0
LANGUAGES = {
    ".c": "C",
    ".cc": "C++",
    ".cpp": "C++",
    ".cs": "C#",
    ".css": "CSS",
    ".ex": "Elixir",
    ".go": "Go",
    ".hs": "Haskell",
    ".html": "HTML",
    ".java": "Java",
    ".js": "JavaScript",
    ".jsx": "JavaScript",
    ".kt": "Kotlin",
    ".lua": "Lua",
    ".mjs": "JavaScript",
    ".nix": "Nix",
    ".php": "PHP",
    ".pl": "Perl",
    ".py": "Python",
    ".rb": "Ruby",
    ".rs": "Rust",
    ".scala": "Scala",
    ".sh": "shell",
    ".swift": "Swift",
    ".tf": "Terraform",
    ".ts": "TypeScript",
    ".tsx": "TypeScript",
    ".vue": "Vue",
    ".zig": "Zig",
}
PROSE = frozenset({".adoc", ".md", ".org", ".rst", ".tex", ".txt"})
_QUIET = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "color.ui=never")
_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "hive demo"), ("EMAIL", "demo@forge.invalid"))
}
RENAME = "Rename `old_name` to `new_name`"
_DEFINED = re.compile(
    r"^[ \t]*(?:export |pub |async |static |public )*(?:def|func|fn|function|class) ([A-Za-z]\w{2,40})\b", re.MULTILINE
)
SQUASHED = "The project as it is at {sha}, without its history"


@dataclass(frozen=True, slots=True)
class Project:
    """What is to be copied: one commit, and what an operator should know of it."""

    path: Path
    sha: str
    is_shallow: bool
    language: str
    """The one that most of its files are written in; empty for a project of prose, or of nothing known."""
    files: tuple[str, ...]
    notes: tuple[str, ...]

    def rename(self) -> str:
        """An issue that needs no thinking: another name for a function of its main file."""
        try:
            text = _git(self.path, "cat-file", "blob", "--end-of-options", f"{self.sha}:{self._main_file()}")
        except StartupError:
            text = ""
        found = _DEFINED.search(text)
        return f"Rename `{found[1]}` to `new_{found[1]}`" if found else RENAME

    def suggestion(self, *, thinks: bool) -> str:
        """What to file next; a scripted model does no more than what is written in the issue."""
        if not thinks:
            return "file an issue with a ```diff block in it and watch it; with ANTHROPIC_API_KEY set, any issue"
        if self.language:
            return f"file “Add a test for {self._main_file()}” and watch it"
        return f"file “Find what is unclear in {self._main_file()}, and fix it” and watch it"

    def _main_file(self) -> str:
        fits = [path for path in self.files if LANGUAGES.get(PurePosixPath(path).suffix, "") == self.language]
        prose = [path for path in self.files if PurePosixPath(path).suffix in PROSE]
        named = fits if self.language else prose or [path for path in self.files if not path.startswith(".")]
        return min(named, key=lambda path: (path.count("/"), "test" in path.lower(), path), default="the project")


def look_at(path: Path, *, largest: int = LARGEST) -> Project:
    """Check a git repository; raises StartupError, with what to do, for one that cannot be used."""
    if not path.is_dir():
        raise StartupError(f"{path} is no directory; --project takes a git repository")
    _is_repository(path)
    try:
        sha = _git(path, "rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}")
    except StartupError as error:
        raise StartupError(f"{path} has no commit yet; commit something, and try again") from error
    if _config(path, "--get", "extensions.objectformat") == "sha256":
        raise StartupError(f"{path} names its objects by SHA-256, which forges do not take; choose another --project")
    if _config(path, "--get-regexp", r"^remote\..*\.promisor$") or _config(path, "--get", "extensions.partialclone"):
        raise StartupError(f"{path} is a partial clone and lacks files of its history; clone it without --filter")
    shallow = _git(path, "rev-parse", "--is-shallow-repository") == "true"
    size = _size(path)
    if size > largest:
        fix = "choose a smaller --project" if shallow else "try a copy: git clone --depth 1 file://PATH COPY"
        raise StartupError(f"{path} holds {size >> 20} MB of history, more than the demo copies; {fix}")
    files = tuple(filter(None, _git(path, "ls-tree", "-r", "-z", "--name-only", "--full-tree", sha).split("\0")))
    if not files:
        raise StartupError(f"{path} has no file in its newest commit; commit something, and try again")
    return Project(path, sha, shallow, _language(files), files, tuple(_notes(path, sha, shallow=shallow)))


def _is_repository(path: Path) -> None:
    try:
        _git(path, "rev-parse", "--git-dir")
    except StartupError as error:
        if "dubious ownership" in str(error):
            fix = f"git config --global --add safe.directory {shlex.quote(str(path.resolve()))}"
            raise StartupError(f"{path} belongs to another user, and git does not trust it; {fix}") from error
        raise StartupError(f"{path} is no git repository; run git init in it and commit, or choose another") from error


def _language(files: tuple[str, ...]) -> str:
    counted = Counter(LANGUAGES[suffix] for path in files if (suffix := PurePosixPath(path).suffix) in LANGUAGES)
    return counted.most_common(1)[0][0] if counted else ""


def _notes(path: Path, sha: str, *, shallow: bool) -> Iterator[str]:
    """What is otherwise than one might expect."""
    if shallow:
        yield "a shallow clone: its newest commit is copied, without history"
    if _git(path, "rev-parse", "--is-bare-repository") == "false":
        changed = len(_git(path, "status", "--porcelain", "--ignore-submodules").splitlines())
        if changed:
            yield f"{changed} uncommitted change{'s' * (changed > 1)} stay{'s' * (changed == 1)} here: what is committed is copied"
    modes = {line.split(" ", 1)[0] for line in _git(path, "ls-tree", "-r", "--full-tree", sha).splitlines()}
    if "160000" in modes:
        yield "its submodules are not copied"
    missing = _missing(path, sha)
    if missing:
        yield f"its .hive.yaml asks for {', '.join(missing)}, which agents do not have: they will say so"


def _missing(path: Path, sha: str) -> list[str]:
    """The commands of its own checks that agents lack."""
    try:
        checks = read_checks(_git(path, "cat-file", "blob", "--end-of-options", f"{sha}:.hive.yaml"))
    except BadYaml as error:
        raise StartupError(f"{path / '.hive.yaml'} is broken: {error.problems[0]}; fix it, and commit that") from error
    except StartupError:
        return []
    have = {command for package in BASE for command in PACKAGES.get(package, (package,))}
    return sorted({words[0] for check in checks if (words := check.split()) and words[0] not in have})


def _size(path: Path) -> int:
    """Bytes of a repository's objects."""
    facts = dict(line.split(": ", 1) for line in _git(path, "count-objects", "-v").splitlines() if ": " in line)
    return 1024 * sum(int(facts.get(key, "0")) for key in ("size", "size-pack"))


@contextmanager
def copied(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The commit to push, and the environment to push it with.

    A shallow clone cannot be pushed to an empty forge (git says "shallow update not allowed"): its newest
    state becomes a commit of its own, in a temporary directory, not in the repository.
    """
    if _git(path, "rev-parse", "--is-shallow-repository") != "true":
        yield "HEAD", {}
        return
    sha = _git(path, "rev-parse", "--verify", "HEAD^{commit}")
    objects = _git(path, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    with TemporaryDirectory(prefix="hive-demo-") as place:
        env = {"GIT_OBJECT_DIRECTORY": place, "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects}
        words = ("commit-tree", "-m", SQUASHED.format(sha=sha[:12]), f"{sha}^{{tree}}")
        yield _git(path, *words, env={**env, **_AUTHOR}), env


def _config(path: Path, *asked: str) -> str:
    try:
        return _git(path, "config", *asked)
    except StartupError:
        return ""


def _git(path: Path, *words: str, env: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(path), *_QUIET, *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_SECONDS,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(env or {})},
        )
    except subprocess.TimeoutExpired as error:
        raise StartupError(f"git {words[0]} in {path} takes too long; choose another --project") from error
    if done.returncode:
        raise StartupError(
            f"git {words[0]} in {path} failed: {(done.stderr.strip().splitlines() or ['it says nothing'])[-1]}"
        )
    return done.stdout.rstrip("\n")
