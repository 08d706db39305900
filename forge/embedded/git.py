"""Git in bare repositories, in a closed environment. Knows no users and no permissions."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from forge.embedded import objects

ZERO = "0" * 40
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
SHA = re.compile(r"[0-9a-f]{40}")
_COMMIT = "%x01%H%n%T%n%P%n%an%n%ae%n%at%n%cn%n%ce%n%ct%n%B"
_CHANGES = ("--diff-merges=first-parent", "--no-renames", "--root", "--raw", "--no-abbrev", "--numstat")
_RAW = re.compile(r"\n?:\d+ \d+ [0-9a-f]+ [0-9a-f]+ (?P<status>[A-Z])")
_COUNTS = re.compile(r"(?P<plus>\d+|-)\t(?P<minus>\d+|-)\t", re.DOTALL)


class GitFailed(Exception):
    """Git failed; the text is its error message."""


class Moved(GitFailed):
    """A ref does not point to the expected commit."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who made a commit, and when."""

    name: str
    email: str
    when: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit with the files that it changes compared to its first parent."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Status letter by path: A, D, M or T."""
    additions: int = 0
    deletions: int = 0


class Entry(NamedTuple):
    """One entry of a tree."""

    mode: str
    kind: str
    sha: str
    size: int
    path: str


def environment(**more: str) -> dict[str, str]:
    """The environment of a git process: our configuration only, no prompts, no localisation."""
    settings = {
        "safe.directory": "*",
        "core.hooksPath": os.devnull,
        "core.quotePath": "false",
        "gc.auto": "0",
        "receive.autogc": "false",
        "protocol.file.allow": "always",
        "init.defaultBranch": "main",
    }
    keys = {f"GIT_CONFIG_KEY_{n}": key for n, key in enumerate(settings)}
    values = {f"GIT_CONFIG_VALUE_{n}": value for n, value in enumerate(settings.values())}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "GIT_DEFAULT_REF_FORMAT": "files",  # `resolve` reads them
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        **keys,
        **values,
        **more,
    }


def valid_branch(name: str) -> bool:
    """Whether git takes this as the name of a branch."""
    bad = re.compile(r"^[-/.]|\.\.|//|@\{|[\x00-\x20\x7f~^:?*\[\\]|\.lock(/|$)|/\.|[/.]$|^@$|^HEAD$")
    return bool(name) and not bad.search(name)


class Git:
    """One bare repository.

    `quarantine` lets it see objects that a push has not brought in yet, `kept` are open files that
    its processes hold.
    """

    def __init__(self, path: Path, quarantine: Mapping[str, str] | None = None, kept: tuple[int, ...] = ()) -> None:
        self.path = path
        self._quarantine = dict(quarantine or {})
        self._kept = kept
        self.recall = objects.Recollection(path, lasts=not quarantine)

    def raw(
        self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, at: Path | None = None
    ) -> bytes:
        """The output of a git command, started in the repository or `at` a work tree; raises GitFailed with its error message."""
        done = subprocess.run(
            ["git", *words],
            cwd=at or self.path,
            input=stdin,
            capture_output=True,
            pass_fds=self._kept,
            env=environment(**{"GIT_DIR": str(self.path), **self._quarantine, **(env or {})}),
        )
        if done.returncode:
            raise GitFailed(done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace"))
        return done.stdout

    def text(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """The same as text, without the last line's end."""
        return self.raw(*words, stdin=stdin.encode(), env=env).decode(errors="replace").removesuffix("\n")

    def says(self, *words: str) -> bool:
        """Whether a command exits with 0."""
        try:
            self.raw(*words)
        except GitFailed:
            return False
        return True

    def init(self, default_branch: str) -> None:
        """Create the repository."""
        self.path.mkdir(parents=True)
        objects.MEMORY.forget(self.path)
        self.text("init", "-q", "--bare", "--template=", f"--initial-branch={default_branch}", str(self.path))

    def resolve(self, name: str, kind: str = "commit") -> str:
        """The sha of the commit (or `tree`, `blob`) that a branch, tag, full ref or sha means; empty for none."""
        candidates = (
            [name]
            if SHA.fullmatch(name) or name.startswith("refs/")
            else [f"refs/heads/{name}", f"refs/tags/{name}", name]
        )
        for candidate in candidates:
            try:
                if found := _meant(self, candidate, kind):
                    return found
            except GitFailed:
                continue
        return ""

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """All refs and what they point to."""
        lines = self.text("for-each-ref", "--format=%(objectname) %(refname)", prefix).splitlines()
        return {name: sha for sha, name in (line.split(" ", 1) for line in lines)}

    def objects(self) -> dict[str, tuple[str, str]]:
        """All refs, each with the kind and the name of the object that it points to."""
        lines = self.text("for-each-ref", "--format=%(objecttype) %(objectname) %(refname)").splitlines()
        return {name: (kind, sha) for kind, sha, name in (line.split(" ", 2) for line in lines)}

    def move(self, moves: Sequence[tuple[str, str, str]]) -> None:
        """Move refs (`ref, old, new`) all at once or not at all; raises Moved."""
        lines = [
            f"update {ref}\0{new}\0{old}\0" if new != ZERO else f"delete {ref}\0{old}\0" for ref, old, new in moves
        ]
        try:
            self.text("update-ref", "-z", "--stdin", stdin="".join(lines))
        except GitFailed as error:
            raise Moved(str(error).removeprefix("fatal: ")) from error

    def point(self, ref: str, sha: str) -> None:
        """Set a ref that the forge keeps for itself."""
        self.text("update-ref", ref, sha)

    def borrow(self, other: Git, ref: str) -> None:
        """Fetch the objects of a ref of another repository, without a ref."""
        if other.path != self.path:
            self.text("fetch", "-q", "--no-tags", "--no-write-fetch-head", str(other.path), ref)

    def contains(self, new: str, old: str) -> bool:
        """Whether `old` is an ancestor of `new`, or the same."""
        return old == new or self.says("merge-base", "--is-ancestor", old, new)

    def merge_base(self, one: str, other: str) -> str:
        """The best common ancestor; empty without one."""
        try:
            return self.text("merge-base", one, other)
        except GitFailed:
            return ""

    def commits(self, *selection: str, changes: bool = True) -> list[Commit]:
        """The commits of a revision selection, newest first."""
        words = ["log", "-z", f"--format={_COMMIT}", *(_CHANGES if changes else ()), *selection, "--"]
        return _commits(self.raw(*words).decode(errors="replace"))

    def commit(self, sha: str) -> Commit:
        """One commit."""
        return self.recall("commit", sha, lambda: self.commits("-1", sha))[0]

    def count(self, *selection: str) -> int:
        """How many commits a selection has."""
        return int(self.text("rev-list", "--count", *selection, "--"))

    def tree(self, treeish: str, path: str = "", *, recursive: bool = False) -> list[Entry]:
        """The entries of a tree, or the one at `path`; trees come before what is in them."""
        words = [
            "ls-tree",
            "-z",
            "-l",
            "--full-tree",
            *(["-r", "-t"] if recursive else []),
            treeish,
            "--",
            *([path] if path else []),
        ]
        try:
            said = self.recall(f"tree {recursive} {path}", treeish, lambda: self.raw(*words))
        except GitFailed:
            return []
        return [_entry(line) for line in said.decode(errors="replace").split("\0")[:-1]]

    def blob(self, sha: str) -> bytes:
        """The content of a blob."""
        return self.recall("blob", sha, lambda: self.raw("cat-file", "blob", sha))

    def store(self, content: bytes) -> str:
        """Store a blob; answers its sha."""
        sha = objects.store(self.path, "blob", content)
        self.recall("blob", sha, lambda: content)
        return sha

    def last_change(self, sha: str, path: str) -> Commit:
        """The newest commit up to `sha` that changed `path`."""
        words = ("log", "-z", "-1", f"--format={_COMMIT}", sha, "--", path)
        ask = partial(self.raw, *words, env={"GIT_LITERAL_PATHSPECS": "1"})
        return _commits(self.recall(f"last {path}", sha, ask).decode(errors="replace"))[0]

    def write_commit(
        self, tree: str, parents: Sequence[str], message: str, author: Signature, committer: Signature
    ) -> str:
        """Create a commit object; no ref moves."""
        env = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": f"{author.when} +0000",
            "GIT_COMMITTER_NAME": committer.name,
            "GIT_COMMITTER_EMAIL": committer.email,
            "GIT_COMMITTER_DATE": f"{committer.when} +0000",
        }
        flags = [word for parent in parents for word in ("-p", parent)]
        return self.text("commit-tree", *flags, tree, stdin=message.rstrip("\n") + "\n", env=env)

    def write_tree(self, base: str, changes: Mapping[str, str | None]) -> str:
        """The tree of `base` with blobs set at paths, or removed for None."""
        return objects.TreeWriter(self.path, partial(_entries, self)).write(base, changes)


def _meant(git: Git, name: str, kind: str) -> str:
    branch = name.removeprefix("refs/heads/")
    if branch != name and valid_branch(branch):
        sha = _tip(git.path, name)
        if not sha or (kind == "commit" and SHA.fullmatch(sha)):
            return sha
        name = sha if SHA.fullmatch(sha) else name
    ask = partial(git.text, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{{kind}}}")
    return git.recall(f"is {kind}", name, ask)


def _tip(repository: Path, ref: str) -> str:
    """The commit of a branch, which is a file or a line of one; empty for none."""
    try:
        return (repository / ref).read_text().strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        pass
    try:
        lines = (repository / "packed-refs").read_text().splitlines()
    except FileNotFoundError:
        return ""
    return next((line[:40] for line in lines if line[41:] == ref), "")


def _entries(git: Git, treeish: str) -> dict[bytes, tuple[str, str]]:
    said = git.recall("entries", treeish, lambda: git.raw("ls-tree", "-z", "--full-tree", treeish))
    rows = (line.partition(b"\t") for line in said.split(b"\0")[:-1])
    return {name: (about[:6].decode(), about[-40:].decode()) for about, _, name in rows}


def _entry(line: str) -> Entry:
    about, path = line.split("\t", 1)
    mode, kind, sha, size = about.split()
    return Entry(mode, kind, sha, int(size) if size.isdigit() else 0, path)


def _commits(text: str) -> list[Commit]:
    """Read what `git log -z --raw --numstat` printed: a header, then paths with status, then counts."""
    tokens = iter(text.split("\0"))
    found: list[Commit] = []
    for token in tokens:
        if token.startswith("\x01"):
            files: dict[str, str] = {}
            counts = [0, 0]
            found.append(_header(token[1:], files))
        elif raw := _RAW.match(token):
            files[next(tokens)] = raw["status"]
        elif number := _COUNTS.match(token):
            counts[0] += int(number["plus"]) if number["plus"] != "-" else 0
            counts[1] += int(number["minus"]) if number["minus"] != "-" else 0
            found[-1] = _counted(found[-1], *counts)
    return found


def _header(text: str, files: Mapping[str, str]) -> Commit:
    sha, tree, parents, name, email, when, by, by_email, at, message = text.split("\n", 9)
    author, committer = Signature(name, email, int(when)), Signature(by, by_email, int(at))
    return Commit(sha, tree, tuple(parents.split()), author, committer, message, files)


def _counted(commit: Commit, additions: int, deletions: int) -> Commit:
    return replace(commit, additions=additions, deletions=deletions)
