"""Git by lists of words: clone, catch up, commit, push. Knows the token only as an environment variable of git.

Remotes read `http://forge.hive/owner/name.git` in `.git/config`; the port of the relay changes with every
process, so where that leads is told to each git anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hive.agent.child import Deadlines, complaint, watch
from hive.agent.errors import GitFailed, Lost, Unavailable
from hive.agent.turn import Turn
from hive.agent.wire import Patience

FORGE = "http://forge.hive/"
DEADLINES = Deadlines(silence=300.0, longest=3600.0)
"""How long one git may be silent, and how long it may take: a slow forge is no fault."""

_NO_FORGE = ("unable to access", "RPC failed", "early EOF", "hung up unexpectedly", "died of signal")
"""What git says when the way to the forge is broken rather than closed, or its own helper was killed."""

_NO_TOKEN = "could not read Username"  # noqa: S105 - git's words for a 401 when it may not ask

DROPPINGS = "__pycache__/\n*.py[cod]\n.pytest_cache/\nnode_modules/\n"
"""What running a project's checks leaves behind and nobody means to commit."""


def environment(turn: Turn, port: int) -> dict[str, str]:
    """All that git is told: who commits, the way to the forge, the token; nothing of system or user, no language."""
    relay = f"http://127.0.0.1:{port}/"
    settings = {
        f"url.{relay}git/.insteadOf": FORGE,
        f"http.{relay}.extraHeader": f"Authorization: Bearer {turn.token}",
        "core.hooksPath": "/dev/null",
        "core.fsmonitor": "false",
        "maintenance.auto": "false",
        "gc.auto": "0",
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": f"{DEADLINES.silence / 2:.0f}",
        # Where user ids are mapped, the folder's owner is not who we are.
        "safe.directory": "*",
    }
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": turn.author,
        "GIT_AUTHOR_EMAIL": turn.email,
        "GIT_COMMITTER_NAME": turn.author,
        "GIT_COMMITTER_EMAIL": turn.email,
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


class WorkTree:
    """A clone of one repository, on a branch of ours."""

    def __init__(
        self, path: Path, env: Mapping[str, str], patience: Patience, *, repo: str, base: str, branch: str
    ) -> None:
        self.path = path
        self._env = env
        self._patience = patience
        self._repo = repo
        self._base = f"refs/remotes/origin/{base}"
        self._branch = branch
        self._theirs = f"refs/remotes/origin/{branch}"

    def prepare(self) -> None:
        """Clone, or catch up with what was pushed meanwhile; a tree with work of ours in it is left alone."""
        if self.path.exists():
            self._catch_up()
        else:
            self._clone()

    def commit(self, message: str) -> None:
        """Commit everything, if there is anything."""
        self._git("add", "--all")
        if self._git("status", "--porcelain"):
            self._git("commit", "--quiet", "--no-verify", "--file=-", stdin=message)

    def is_ahead(self) -> bool:
        """Whether there is a commit that the base does not have."""
        return self._git("rev-list", "--count", f"{self._base}..HEAD") != "0"

    def unpushed(self) -> list[tuple[str, str]]:
        """The commits that are not on the forge yet: short names and messages, newest first."""
        known = [f"^{self._theirs}"] if self._succeeds("rev-parse", "--verify", "--quiet", self._theirs) else []
        rows = self._git("log", "-z", "--format=%h%n%B", f"{self._base}..HEAD", *known).split("\0")
        return [(name, said) for name, _, said in (row.partition("\n") for row in rows) if name]

    def push(self) -> None:
        """Bring HEAD to our branch on the forge; never by force."""
        self._talk("push", "--progress", "origin", f"HEAD:refs/heads/{self._branch}")

    def _catch_up(self) -> None:
        self._unlock()
        self._talk("fetch", "--progress", "--prune", "origin")
        if self._git("status", "--porcelain"):
            return
        for newer in (self._theirs, self._base):
            if self._is_ancestor("HEAD", newer):
                self._git("merge", "--quiet", "--ff-only", newer)

    def _clone(self) -> None:
        """Clone beside the place and move there when done: a tree that exists is whole."""
        part = self.path.with_name(f"{self.path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)

        def anew() -> None:  # a clone that was killed has left its directory behind
            shutil.rmtree(part, ignore_errors=True)
            self._git("clone", "--progress", "--no-checkout", f"{FORGE}{self._repo}.git", part.name, at=part.parent)

        self._patience.insist(anew)
        (part / ".git" / "info").mkdir(exist_ok=True)
        (part / ".git" / "info" / "exclude").write_text(DROPPINGS)
        self._git("checkout", "--quiet", "--no-track", "-B", self._branch, self._start(part), at=part)
        part.rename(self.path)

    def _start(self, at: Path) -> str:
        """Where our branch begins: at what an earlier run pushed there, unless the base has that by now."""
        pushed = self._succeeds("rev-parse", "--verify", "--quiet", self._theirs, at=at)
        return self._theirs if pushed and not self._is_ancestor(self._theirs, self._base, at=at) else self._base

    def _is_ancestor(self, older: str, newer: str, *, at: Path | None = None) -> bool:
        return self._succeeds("merge-base", "--is-ancestor", older, newer, at=at)

    def _unlock(self) -> None:
        """Remove the locks of a git that was killed; nobody else works here."""
        for lock in (self.path / ".git").rglob("*.lock"):
            lock.unlink()

    def _succeeds(self, *words: str, at: Path | None = None) -> bool:
        try:
            self._git(*words, at=at)
        except GitFailed:
            return False
        return True

    def _talk(self, *words: str, at: Path | None = None) -> None:
        """Let git speak with the forge, again if the way was broken."""
        self._patience.insist(lambda: self._git(*words, at=at))

    def _git(self, *words: str, stdin: str = "", at: Path | None = None) -> str:
        process = subprocess.Popen(
            ["git", *words],
            cwd=at or self.path,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            with suppress(BrokenPipeError), process.stdin as told:
                told.write(stdin.encode("utf-8", "replace"))
            came = watch(process, process.stdout, process.stderr, DEADLINES)
        if came.stopped:
            raise Unavailable(f"git {words[0]} was stopped: {came.stopped}")
        if came.status < 0:  # by whom, it cannot say
            raise Unavailable(f"git {words[0]} was killed by signal {-came.status}")
        if came.status:
            raise _failure(words[0], complaint(came.errors.decode(errors="replace")))
        return came.out.decode(errors="replace").strip()


def _failure(verb: str, said: str) -> GitFailed | Lost | Unavailable:
    message = f"git {verb}: {said}"
    if _NO_TOKEN in said:
        return Lost(message)
    if any(words in said for words in _NO_FORGE) and "returned error: 4" not in said:
        return Unavailable(message)
    return GitFailed(message)
