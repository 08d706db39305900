"""Checks what a push holds, on the host and before the forge sees it: a pipeline would run with the first byte that arrives.

The rule: branches of the agent's own that only grow, by commits of the agent; protected paths as the base branch has them,
without a grant; no secrets; nothing too large.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from hive.config.protected_paths import PROTECTED, is_covered
from hive.gateway.outbound import Outbound
from hive.gateway.push_protocol import NotAllowed, PushHead
from hive.git_mirror.errors import GitError, GitInterrupted
from hive.git_mirror.mirror import Mirror
from hive.git_mirror.quarantine import PushedObject, Quarantine, empty_tree, quarantine
from hive.ledger import Turn

MAX_FILE = 16 << 20
MAX_FILES = 64 << 20
MAX_OBJECTS = 100_000
"""The most bytes of one file and of all that a push brings, and how many files, directories and commits."""

SHOWN = 10
NOT_FORWARD = "fetch first: the branch {branch} has commits that this push would remove; a push only adds to a branch, so put your commits on top of them"
BLOCKED = (
    "the forge has a branch {blocking}, and where there is one git makes no branch {branch}: an operator has to rename or delete it. "
    "Say so at the end of your turn"
)
NOT_YOURS = "commit {sha} names {found} as its {role}; your commits are by {wanted}, as author and as committer (git commit --amend --reset-author)"
GUARDED = (
    "these paths are protected, and you have no grant for them: {paths}. Leave them as the base branch has them. If the task needs them, "
    "say so at the end of your turn: an operator can make the change, or grant it in hive.yaml"
)
LARGE = "{path} has {size} MB, and {most} MB is the most for one file"
HEAVY = "the files of this push have {size} MB together, and {most} MB is the most"
CROWDED = "this push has more than {most} files, directories and commits"
BROKEN = "the objects of this push cannot be read: {why}"
_PERSON = re.compile(rb"^(author|committer) ([^\n]*?) [0-9]+ [+-][0-9]{4}$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PushTarget:
    """Where a push goes: the path of the repository on the forge, and its default branch."""

    path: str
    base: str


@dataclass(frozen=True, slots=True)
class PushCheck:
    """What one agent may push. `identity` is `name <email>`; `directory` is where pushes wait, `mirror` what they are compared with."""

    outbound: Outbound
    identity: str
    mirror: Callable[[str], Mirror]
    directory: Path
    protected: Sequence[str] = PROTECTED
    granted: Sequence[str] = ()

    @contextmanager
    def checked(self, turn: Turn, into: PushTarget, head: PushHead, pack: BinaryIO, *, most: int) -> Iterator[Path]:
        """The pack to pass on.

        Raises NotAllowed with a sentence for the agent, Denied if a secret is in it, OSError while the forge is unavailable
        or the machine has no room.
        """
        mirror = self.mirror(into.path)
        try:
            mirror.fetch_heads()
        except GitError as error:
            raise OSError(f"{into.path} cannot be compared with the push: {error}") from error
        with quarantine(mirror, self.directory) as pushed:
            try:
                pushed.unpack(pack, most=most)
                tips = self._verify(turn, pushed, into.base, head)
                yield pushed.packed(tips)
            except GitInterrupted as error:
                raise OSError(str(error)) from error
            except GitError as error:
                raise NotAllowed(BROKEN.format(why=error)) from error

    def _verify(self, turn: Turn, pushed: Quarantine, base: str, head: PushHead) -> list[str]:
        tips = [update.new for update in head.updates]
        onto = pushed.head(base)
        roots = [pushed.merge_base(onto, tip) for tip in tips] if onto else []
        for number, update in enumerate(head.updates):
            branch = update.ref.removeprefix("refs/heads/")
            old = pushed.head(branch)
            if blocking := next((name for name in above(branch) if pushed.head(name)), ""):
                raise NotAllowed(BLOCKED.format(branch=branch, blocking=blocking))
            if old and not pushed.is_ancestor(old, update.new):
                raise NotAllowed(NOT_FORWARD.format(branch=branch))
            self._keeps_protected(pushed, update.new, [*roots[number : number + 1], onto, old])
        objects = pushed.objects(tips)
        _fits(objects)
        self.outbound.check(turn, [("the name of the branch", "\n".join(each.ref for each in head.updates).encode())])
        for each, data in pushed.contents(objects):
            if each.kind == "commit":
                self._is_own(each.sha, data)
            where = {"commit": f"commit {each.sha[:10]}", "tree": "the names of files"}.get(each.kind, each.path)
            self.outbound.check_file(turn, where, data, partial(_before, pushed, roots, each.path))
        return tips

    def _keeps_protected(self, pushed: Quarantine, tip: str, known: Sequence[str]) -> None:
        """Refuse a tip whose protected files differ from all of: where it left the base, the base, and what the branch has already."""
        changed: set[str] | None = None
        for commit in dict.fromkeys(filter(None, known)) or (empty_tree(tip),):
            differing = {path for path in pushed.changed(commit, tip) if self._is_guarded(path)}
            changed = differing if changed is None else changed & differing
            if not changed:
                return
        if changed:
            paths = ", ".join(sorted(changed)[:SHOWN]) + (", …" if len(changed) > SHOWN else "")
            raise NotAllowed(GUARDED.format(paths=paths))

    def _is_guarded(self, path: str) -> bool:
        return is_covered(path, self.protected) and not is_covered(path, self.granted)

    def _is_own(self, sha: str, commit: bytes) -> None:
        """Refuse a commit that names anybody else: who did what is read from it later."""
        header = commit.partition(b"\n\n")[0]
        found = {match[1].decode(): match[2].decode("utf-8", "replace") for match in _PERSON.finditer(header)}
        for role in ("author", "committer"):
            if found.get(role) != self.identity:
                shown = found.get(role, "nobody")[:100]
                raise NotAllowed(NOT_YOURS.format(sha=sha[:10], found=shown, role=role, wanted=self.identity))


def above(branch: str) -> list[str]:
    """Names of branches that cannot be beside this one: `agent` and `agent/iris` for `agent/iris/issue-1`."""
    parts = branch.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _fits(objects: Sequence[PushedObject]) -> None:
    if len(objects) > MAX_OBJECTS:
        raise NotAllowed(CROWDED.format(most=MAX_OBJECTS))
    for each in objects:
        if each.size > MAX_FILE:
            raise NotAllowed(LARGE.format(path=each.path or each.kind, size=each.size >> 20, most=MAX_FILE >> 20))
    size = sum(each.size for each in objects)
    if size > MAX_FILES:
        raise NotAllowed(HEAVY.format(size=size >> 20, most=MAX_FILES >> 20))


def _before(pushed: Quarantine, roots: Sequence[str], path: str) -> bytes:
    """A file as it was where the branches left the base; empty for a new one."""
    return b"".join(pushed.file(root, path) for root in roots) if path else b""
