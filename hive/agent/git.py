"""Runs git with our own configuration only. The token is known only as an environment variable of git.

Remotes are `http://forge.hive/owner/name.git` in `.git/config`; the port of the relay is different in every
process, so each git gets it as a setting.

A command may have written anything into `.git`, and git runs what a repository's configuration names: filters,
helpers, editors, signers, monitors. So that file is restored before each git, byte for byte.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hive.agent.child_process import MOST_SAID, Deadlines, complaint, watch
from hive.agent.directory_trees import below, remove_path
from hive.agent.errors import GitToolError, HostUnavailable, LeaseLost
from hive.agent.git_env import ISOLATED
from hive.agent.git_env import settings as git_settings
from hive.agent.sandbox import NONE, Sandbox
from hive.agent.turn import TurnBrief

FORGE = "http://forge.hive/"
DEADLINES = Deadlines(silence=300.0, longest=3600.0)
"""How long one git may be silent, and how long it may take: a slow forge is no fault."""

CONFIG = """\
[core]
\trepositoryformatversion = {version}
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
{extensions}[remote "origin"]
\turl = {url}
\tfetch = +refs/heads/*:refs/remotes/origin/*
"""
SHA256 = "[extensions]\n\tobjectformat = sha256\n"
"""The only setting that a clone keeps of its own: the hash function of its objects."""

LONGEST_CONFIG = 1 << 16
"""The most bytes of a configuration that are read: ours is short, and a command may have made the file any size."""

FOREIGN = ("config.worktree", "commondir", "info/attributes", "info/grafts", "objects/info/alternates", "shallow.lock")
"""Files of `.git` that lead git elsewhere, or to other programs, and that no clone of ours has."""

_NO_FORGE = ("unable to access", "RPC failed", "early EOF", "hung up unexpectedly", "died of signal")
"""Messages of git about a broken connection to the forge, or a killed helper of its own."""

_NO_ROOM = ("No space left on device", "Disk quota exceeded", "Read-only file system", "Cannot allocate memory")
"""Messages of git about a machine that is short of something now."""

_FINAL = re.compile("returned error: 4(?!08|25|29)")
"""A forge's refusal; a slow or busy one (408, 425, 429) lets in later."""

_NO_TOKEN = "could not read Username"  # noqa: S105 - git's words for a 401 when it may not ask
_BEHIND = ("fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref", "incorrect old value")
"""Messages about a push to a branch that was moved: by git before the push, by a forge at that moment."""


class Forbidden(GitToolError):
    """The forge was asked and does not let us."""


class Behind(GitToolError):
    """The branch on the forge holds commits that are not here."""


class MergeConflict(GitToolError):
    """What others pushed and what was done here touch the same lines."""


def environment(turn: TurnBrief, port: int) -> dict[str, str]:
    """The complete environment of git: committer, remote, token; nothing of the system or the user, no language."""
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
        # Since git 2.55 it waits by itself as long as a busy forge asks for (Retry-After); before, it gives up and is run again.
        "http.maxRetries": "3",
        "http.maxRetryTime": "60",
        # Git would run what a nested repository is configured to run, just to look into it.
        "diff.ignoreSubmodules": "all",
        "submodule.recurse": "false",
        "fetch.recurseSubmodules": "false",
        "protocol.allow": "never",
        "protocol.http.allow": "always",
        # Where user ids are mapped, the folder's owner is not who we are.
        "safe.directory": "*",
    }
    own = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent"}
    return {**own, **ISOLATED, **identity(turn), **git_settings(settings.items())}


def identity(turn: TurnBrief) -> dict[str, str]:
    """The committer, for our git and that of commands alike: there is no other configuration."""
    return {
        f"GIT_{who}_{what}": said
        for who in ("AUTHOR", "COMMITTER")
        for what, said in (("NAME", turn.author), ("EMAIL", turn.email))
    }


class GitCommand:
    """Git in one clone of ours of one repository, `owner/name`."""

    def __init__(
        self,
        path: Path,
        env: Mapping[str, str],
        repo: str,
        sandbox: Sandbox = NONE,
        deadlines: Deadlines = DEADLINES,
    ) -> None:
        self.path = path
        self._deadlines = deadlines
        self._sandbox = sandbox
        self._env = env
        self._url = f"{FORGE}{repo}.git"

    def clone(self, *how: str) -> None:
        """Clone to the path, without a work tree; nothing has written there yet. `how` are additional options."""
        self.path.mkdir()
        self._sandbox.give(self.path)
        self._run("clone", "--progress", "--no-checkout", "--template=", *how, self._url, ".")
        info = self.path / ".git" / "info"
        info.mkdir(exist_ok=True)
        self._sandbox.give(info)

    def __call__(self, *words: str, stdin: str = "") -> str:
        """The output of git, stripped; raises GitToolError and its subclasses, LeaseLost, HostUnavailable."""
        return self.raw(*words, stdin=stdin).decode(errors="replace").strip()

    def raw(self, *words: str, stdin: str = "", most: int = MOST_SAID) -> bytes:
        """The output of git byte for byte: names of files may be any. More than `most` bytes are a GitToolError."""
        self._make_ours()
        return self._run(*words, stdin=stdin, most=most)

    def as_is(self, *words: str) -> None:
        """Run git in a folder that nobody else has written to: its configuration is git's own."""
        self._run(*words)

    def succeeds(self, *words: str, stdin: str = "") -> bool:
        """Whether git succeeds."""
        try:
            self(*words, stdin=stdin)
        except GitToolError:
            return False
        return True

    def damage(self) -> str:
        """What makes this no clone that git can be let into: the name of the first such thing; empty if there is none.

        A fifo would be waited for, and a link leads to what others configured.
        """
        for entry in (self.path, self.path / ".git"):
            with suppress(OSError):
                if not entry.is_symlink() and entry.is_dir():
                    continue
            return entry.name
        try:
            for found in below(self.path / ".git"):
                if not (found.is_file(follow_symlinks=False) or found.is_dir(follow_symlinks=False)):
                    return Path(found.path).relative_to(self.path).as_posix()
        except OSError as error:  # closed to us, or deeper than a path can be long
            return f".git ({error.strerror})"
        return ""

    def nested(self) -> list[str]:
        """Repositories within the work tree, as paths from its top: their configuration is not ours."""
        found: list[str] = []
        waiting = [os.fspath(self.path)]
        while waiting:
            here = Path(waiting.pop())
            try:
                with os.scandir(here) as entries:
                    names = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
            except OSError:  # git cannot read it either, and says so
                continue
            if here != self.path and ".git" in names:
                found.append(here.relative_to(self.path).as_posix())
            else:
                waiting += [f"{here}/{name}" for name, is_folder in names.items() if is_folder and name != ".git"]
        return found

    def _make_ours(self) -> None:
        """Restore the configuration if it is not ours, byte for byte."""
        config = self.path / ".git" / "config"
        try:
            if config.is_symlink() or not config.is_file():
                remove_path(config)
            said = config.read_bytes() if config.exists() and config.stat().st_size <= LONGEST_CONFIG else b""
            hashed_so = b"objectformat = sha256" in said
            extensions = SHA256 if hashed_so else ""
            ours = CONFIG.format(version=int(hashed_so), extensions=extensions, url=self._url).encode()
            if said != ours:
                draft = config.with_name("config.hive")
                remove_path(draft)
                draft.write_bytes(ours)
                self._sandbox.give(draft)
                draft.replace(config)
            for name in FOREIGN:
                remove_path(config.with_name(name) if "/" not in name else config.parent / name)
        except OSError as error:
            raise GitToolError(f"git cannot be let into this clone: {error}") from error

    def _run(self, *words: str, stdin: str = "", most: int = MOST_SAID) -> bytes:
        try:
            process = subprocess.Popen(
                self._sandbox.git(words, self.path),
                cwd=self.path,
                env=self._env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise GitToolError(f"git {words[0]} cannot be run: {error}") from error
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            with suppress(BrokenPipeError), process.stdin as told:
                told.write(stdin.encode("utf-8", "replace"))
            came = watch(process, process.stdout, process.stderr, self._deadlines, most=most)
        if came.overflowed:
            raise GitToolError(f"git {words[0]}: {came.stopped}")
        if came.stopped:
            raise HostUnavailable(f"git {words[0]} was stopped: {came.stopped}")
        if came.status < 0:  # by whom, it cannot say
            raise HostUnavailable(f"git {words[0]} was killed by signal {-came.status}")
        if came.status == 1 and words[0] == "merge-tree":
            raise MergeConflict(came.out.decode(errors="replace").strip())
        if came.status:
            raise _failure(words[0], complaint(came.errors.decode(errors="replace")))
        return came.out


def _failure(verb: str, said: str) -> GitToolError | LeaseLost | HostUnavailable:
    message = f"git {verb}: {said}"
    if _NO_TOKEN in said:
        return LeaseLost(message)
    if any(words in said for words in _NO_ROOM):
        return HostUnavailable(message)
    if any(words in said for words in _NO_FORGE):
        return Forbidden(message) if _FINAL.search(said) else HostUnavailable(message)
    if verb == "push" and any(words in said for words in _BEHIND):
        return Behind(message)
    return GitToolError(message)
