"""One git process on the host: our settings only, bounded in time, memory and output, and ended with its helpers."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from forge.tls import bundle

# GitPython runs git when it is imported and fails where there is none: asked here, it waits until it is used.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git.cmd import Git
from git.exc import GitCommandNotFound

from hive.agent.child_process import ChildResult, Deadlines, Share, confine, watch
from hive.agent.git_env import ISOLATED, settings
from hive.git_mirror.errors import GitInterrupted, TooLarge, failure

SILENCE_SECONDS = 120.0
"""The longest silence of git or of the forge, in seconds; a transfer may take any time."""

LOCAL = Deadlines(silence=SILENCE_SECONDS, longest=SILENCE_SECONDS)
TALKING = Deadlines(silence=2 * SILENCE_SECONDS, longest=3600.0)
"""The limits for commands that read the mirror only, and for those that talk to the forge: git notices a silent forge first."""

SHARE = Share(memory=512 << 20, file=8 << 30, output=64 << 20, cpu=60)
"""What one git may use. Measured (2.39): a fetch of 260 MB with a blob of 80 MB, and all that is asked of it, take half of the memory."""

HARMLESS = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "fullPathname",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)
"""What git finds wrong (git-fsck(1)) with objects that old tools wrote, and that can be worked with: one of
them would refuse all of a history. Whatever else it refuses stays refused: `..`, `.git`, hostile `.gitmodules`."""

_SAFE = (
    ("core.hooksPath", os.devnull),
    ("core.bigFileThreshold", "32m"),  # what is larger is read piece by piece, and is no text
    ("gc.auto", "0"),
    ("http.followRedirects", "false"),
    ("http.maxRetries", "3"),  # git 2.55: how often it waits for a busy forge, and how long (Retry-After)
    ("http.maxRetryTime", "60"),
    ("pack.threads", "2"),  # each takes its share of the memory
    ("protocol.allow", "never"),
    ("protocol.http.allow", "always"),
    ("protocol.https.allow", "always"),
    ("transfer.fsckObjects", "true"),
    *((f"fetch.fsck.{found}", "ignore") for found in HARMLESS),
)


@dataclass(frozen=True, slots=True)
class GitProcess:
    """Runs git in a directory; `more` are variables of its environment, which name no program."""

    path: Path
    share: Share = SHARE
    more: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        *words: str,
        config: Mapping[str, str] | None = None,
        deadlines: Deadlines = LOCAL,
        at: Path | None = None,
        given: BinaryIO | None = None,
    ) -> str:
        """The output as text; raises GitError and its subclasses."""
        status, out = self.call(*words, config=config, deadlines=deadlines, at=at, given=given)
        if status:
            raise failure(words[0], status, out)
        return out

    def call(
        self,
        *words: str,
        config: Mapping[str, str] | None = None,
        deadlines: Deadlines = LOCAL,
        at: Path | None = None,
        given: BinaryIO | None = None,
    ) -> tuple[int, str]:
        """The status and what git answered, or else what it complained of. Raises GitInterrupted if it was killed."""
        status, out, errors = self._execute(words, config or {}, deadlines, at or self.path, given)
        answered = status == 0 or (status == 1 and out)
        return status, (out if answered else errors).decode("utf-8", "surrogateescape").rstrip("\n")

    def read(self, *words: str, given: BinaryIO | None = None) -> bytes:
        """The output byte by byte; `given` is a file that git reads as its input."""
        status, out, errors = self._execute(words, {}, LOCAL, self.path, given)
        if status:
            raise failure(words[0], status, errors.decode("utf-8", "replace"))
        return out

    def _execute(
        self,
        words: tuple[str, ...],
        config: Mapping[str, str],
        deadlines: Deadlines,
        at: Path,
        given: BinaryIO | None,
    ) -> tuple[int, bytes, bytes]:
        environment = {**_environment(config), **self.more}
        try:
            # Its own process group, which is killed as one.
            process: Any = Git(at).execute(
                ["git", *words], istream=given, as_process=True, env=environment, start_new_session=True
            )
        except GitCommandNotFound as error:
            raise GitInterrupted("git is not installed, or its directory is gone") from error
        # A fetch computes longer: it reads all of a repository.
        cpu = self.share.cpu if deadlines is LOCAL else max(self.share.cpu, int(deadlines.longest / 2))
        confine(process.proc.pid, replace(self.share, cpu=cpu))
        came = watch(process.proc, process.stdout, process.stderr, deadlines, most=self.share.output)
        return _unbroken(words[0], came)


def _unbroken(verb: str, came: ChildResult) -> tuple[int, bytes, bytes]:
    """Status, output and error output of a git that ended by itself; raises TooLarge and GitInterrupted."""
    if came.overflowed:
        raise TooLarge(f"git {verb}: {came.stopped}")
    if came.stopped:
        raise GitInterrupted(f"git {verb} was stopped: {came.stopped}")
    if -came.status in (signal.SIGXCPU, signal.SIGXFSZ):
        raise TooLarge(f"git {verb} was ended by {signal.Signals(-came.status).name}: it took more than it may")
    if came.status < 0:
        raise GitInterrupted(f"git {verb} was killed by signal {-came.status}")
    return came.status, came.out, came.errors


def _environment(config: Mapping[str, str]) -> dict[str, str]:
    """Settings by environment: other processes of this machine see arguments, but not these."""
    believed = {"GIT_SSL_CAINFO": bundle()} if bundle() else {}  # git reads it before its settings
    return {**ISOLATED, **believed, **settings([*_SAFE, *config.items()])}
