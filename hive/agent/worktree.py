"""A clone with a branch of ours: made ready, caught up with, committed, pushed; never by force, never over others' work."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from hive.agent.commit_check import CommitCheck
from hive.agent.directory_trees import below, remove_path
from hive.agent.errors import GitToolError, ToolError
from hive.agent.git import Forbidden, GitCommand, MergeConflict
from hive.agent.log import log
from hive.agent.replay import conflicting, replayed
from hive.agent.sandbox import NONE, Sandbox
from hive.agent.tree_view import TreeView
from hive.agent.unix_http import RetryPolicy

_OF_A_RUN = re.compile(r"^Run: \d+$", re.MULTILINE)
DROPPINGS = "__pycache__/\n*.py[cod]\n.pytest_cache/\nnode_modules/\n"
"""What a project's checks leave behind and is never committed."""

IN_CONFLICT = (
    "Somebody else pushed to {branch} meanwhile, and your work touches the same lines in: {files}. What they did is "
    "at {theirs}: bring both together (`git merge {theirs}`, fix the files, `git commit`), and submit again."
)
DAMAGED = "The clone is damaged: {what} is not what git put there. Put it right, or start from a fresh clone next turn."


class BranchConflict(ToolError):
    """What others pushed is in conflict with a commit of ours, which stays: git merges commits only."""


class WorkTree:
    """A clone of one repository, on a branch of ours."""

    def __init__(
        self,
        path: Path,
        env: Mapping[str, str],
        retry: RetryPolicy,
        sandbox: Sandbox = NONE,
        *,
        repo: str,
        base: str,
        branch: str,
    ) -> None:
        self.path = path
        self._sandbox = sandbox
        self._git = GitCommand(path, env, repo, sandbox)
        self._clone = GitCommand(path.with_name(f"{path.name}.part"), env, repo, sandbox)
        self._retry = retry
        self.base = base
        self._base = f"refs/remotes/origin/{base}"
        self._branch = branch
        self._theirs = f"refs/remotes/origin/{branch}"
        self._check = CommitCheck(path, self._git)
        self.view = TreeView(self._git, self._base, self._theirs)

    def prepare(self) -> None:
        """Clone, or catch up with the forge. A tree that git cannot use is moved away, and cloned again."""
        if self._git.damage():
            self._begin()
            return
        try:
            self._unlock()
            self._fetch()
            self._follow()
        except Forbidden:
            raise
        except GitToolError as error:
            log("cloned again", why=error)
            self._begin()

    def commit(self, message: str) -> None:
        """Commit everything, if there is anything; repositories within the tree are no part of it.

        Raises ToolError for what would be lost or kept by accident.
        """
        if damage := self._git.damage():
            raise ToolError(DAMAGED.format(what=damage))
        nested = self._git.nested()
        self._check.refuse_accidents(nested)
        self._git("add", "--all", "--", ".", *(f":(exclude,top,literal){path}" for path in nested))
        is_merge = self._git.succeeds("rev-parse", "--verify", "--quiet", "MERGE_HEAD")  # even if it changes nothing
        if is_merge or not self._git.succeeds("diff", "--cached", "--quiet", "--ignore-submodules=all"):
            self._git("commit", "--quiet", "--no-verify", "--file=-", stdin=message)

    def add_trailers(self, trailers: str) -> None:
        """Give the newest commit these trailers, if it is not on the forge yet and has none of a run."""
        newest = next(iter(self.view.unpushed()), None)
        if newest is not None and not _OF_A_RUN.search(newest[1]):
            said = f"{newest[1].strip()}\n\n{trailers}"
            self._git("commit", "--quiet", "--amend", "--no-verify", "--only", "--allow-empty", "--file=-", stdin=said)

    def moved(self) -> tuple[str, int] | None:
        """The base as the forge has it now, by a short name, and how many commits it is further; None if it is not.

        Not tried again if the forge does not answer: it is asked again later.
        """
        before = self._git("rev-parse", self._base)
        self._git("fetch", "--prune", "--no-tags", "origin")
        count = int(self._git("rev-list", "--count", f"{before}..{self._base}"))
        return (self._git("rev-parse", "--short", self._base), count) if count else None

    def uncommit(self, before: str) -> None:
        """Take back the newest commit, if it is the only one after `before`; the files stay as they are."""
        if self._git("rev-list", "--parents", "-n", "1", "HEAD").split()[1:] == [before]:
            self._git("reset", "--quiet", "--mixed", before)

    def hash_function(self) -> str:
        """The hash function of its objects."""
        return self._git("rev-parse", "--show-object-format")

    def take_in(self) -> bool:
        """Put what is committed here behind what others pushed to our branch and to the base; False if that was nothing.

        Raises BranchConflict, with the names of the files, when that is in conflict; everything is as it was then.
        """
        self._fetch()
        return any([self._put_behind(self._theirs), self._put_on_base()])

    def push(self) -> None:
        """Push HEAD to our branch on the forge; raises Behind if another push was faster."""
        self._talk("push", "--progress", "origin", f"HEAD:refs/heads/{self._branch}")

    def _put_behind(self, upstream: str, *, as_merge: bool = False) -> bool:
        if not self._git.succeeds("rev-parse", "--verify", "--quiet", upstream) or self._has(upstream, "HEAD"):
            return False
        name = upstream.removeprefix("refs/remotes/origin/")
        try:
            onto = replayed(self._git, upstream, f"Merge what others pushed to {name}", as_merge=as_merge)
        except MergeConflict as conflict:
            files = ", ".join(conflicting(str(conflict))) or "files of the same name"
            raise BranchConflict(IN_CONFLICT.format(branch=name, files=files, theirs=f"origin/{name}")) from conflict
        self._git("reset", "--quiet", "--keep", onto)
        log("took in", branch=name)
        return True

    def _put_on_base(self) -> bool:
        """Commits that the forge has stay as they are there: the base is merged into them."""
        return self._put_behind(self._base, as_merge=self.view.is_pushed())

    def _follow(self) -> None:
        """Take in what others pushed to our branch, then merge the base. Unsaved work stays as it is."""
        is_saved = not self._git("status", "--porcelain", "--ignore-submodules=all")
        for newer in (self._theirs, self._base) if is_saved else (self._theirs,):
            if self._has("HEAD", newer) and not self._git.succeeds("merge", "--quiet", "--ff-only", newer):
                log("not followed", branch=newer)  # unsaved work is in the way; it is taken in when that is committed
        if is_saved:
            try:
                self._put_behind(self._theirs)
            except ToolError:
                log("conflict", branch=self._branch)  # reported at the push, where it can be fixed

    def _begin(self) -> None:
        """Clone beside the place and move there when done: a tree that exists is whole."""
        part = self._clone.path

        def clone_again() -> None:  # a clone that was killed has left its directory behind
            remove_path(part)
            self._clone.clone()

        self._retry.call(clone_again)
        exclude = part / ".git" / "info" / "exclude"
        exclude.write_text(DROPPINGS)
        self._sandbox.give(exclude)
        self._clone("checkout", "--quiet", "--no-track", "-B", self._branch, self._start())
        if self.path.is_symlink() or self.path.exists():
            aside = self.path.with_name(f"{self.path.name}.damaged")
            remove_path(aside)
            self.path.rename(aside)
        part.rename(self.path)

    def _start(self) -> str:
        """The start of our branch: what was pushed there before, unless it is in the base by now."""
        pushed = self._clone.succeeds("rev-parse", "--verify", "--quiet", self._theirs)
        merged = pushed and self._clone.succeeds("merge-base", "--is-ancestor", self._theirs, self._base)
        return self._theirs if pushed and not merged else self._base

    def _has(self, older: str, newer: str) -> bool:
        """Whether one commit is reachable from another."""
        return self._git.succeeds("merge-base", "--is-ancestor", older, newer)

    def _unlock(self) -> None:
        """Remove the locks of a killed git; no other git works here."""
        for lock in [found.path for found in below(self.path / ".git") if found.name.endswith(".lock")]:
            remove_path(Path(lock))

    def _fetch(self) -> None:
        self._talk("fetch", "--progress", "--prune", "--no-tags", "origin")

    def _talk(self, *words: str) -> None:
        """Run git against the forge, again if the connection was broken."""
        self._retry.call(lambda: self._git(*words))
