"""What git allows as a reference, and what its failures mean. Runs no git."""

from __future__ import annotations

import re
import signal

from hive.agent.child_process import complaint

_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.(?:/|$)|\.lock(?:/|$)|/$|^refs/heads/-")
"""What git allows in no reference (git-check-ref-format), and branches that would read as options."""

_PASSES = re.compile(
    "unable to access|RPC failed|early EOF|hung up unexpectedly|unexpected disconnect|died of signal|Could not resolve"
    "|too slow|timed out|Connection (?:reset|refused)|could not read (?:Username|Password)|Authentication failed"
    "|No space left|Disk quota|Read-only file system|Input/output error|Cannot allocate memory"
    "|Too many open files|temporarily unavailable|[Uu]nable to create|[Cc]annot lock ref|unable to write"
)
_OTHER_HASH = re.compile(r"mismatched algorithms: client [a-z0-9]+; server (sha1|sha256)\b")
_TOO_MUCH = re.compile(f"[Oo]ut of memory|died of signal (?:{signal.SIGXCPU:d}|{signal.SIGXFSZ:d})\\b")
"""Messages of git when it, or a child of it, hit a limit of `hive.agent.child_process.confine`: a retry would too."""

_STAYS = re.compile("returned error: 4(?!01|07|08|25|29)")
"""Messages of git about problems that time can solve; a forge's refusal is not one."""


class GitError(Exception):
    """Git failed; the message has the command and the end of its output, without secrets."""


class GitInterrupted(GitError):
    """Git failed for now: because of the forge, the network or this machine; a retry may help.

    Every other failure is about the request itself, and a retry fails too.
    """


class TooLarge(GitError):
    """What git was asked for takes more of this machine, or is larger, than anything from outside may."""


class FileTooLarge(TooLarge):
    """A file, by its path, has more bytes than its reader takes."""

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        super().__init__(f"{path} has {size} bytes")


class Unrelated(GitError):
    """Two histories have no commit in common."""


class OtherHash(GitError):
    """The objects of a repository have another hash function than those of its mirror: `theirs`, as git names it."""

    def __init__(self, message: str, theirs: str) -> None:
        super().__init__(message)
        self.theirs = theirs


UNRELATED = "the two histories have no commit in common: what is merged has to begin at a commit of the branch that it goes into"


def is_ref(text: str) -> bool:
    """Whether a text is a full reference as git allows them: `#`, `&`, `(`, `%`, `+`, `@` and letters of all people are."""
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return False
    return text.startswith("refs/") and not _NO_REF.search(text) and length <= MAX_REF


MAX_REF = 1000
"""Bytes of a reference: longer ones are no file names."""


def failure(verb: str, status: int, said: str) -> GitError:
    """Tell temporary failures of git from permanent ones."""
    said = complaint(said)[-300:]
    if _TOO_MUCH.search(said):
        return TooLarge(f"git {verb} needs more memory or time than it may take: {said}")
    if other := _OTHER_HASH.search(said):
        return OtherHash(
            f"git {verb}: its objects are named by {other[1]}, unlike those that are known of it", other[1]
        )
    if "refusing to merge unrelated histories" in said:
        return Unrelated(UNRELATED)
    kind = GitInterrupted if _PASSES.search(said) and not _STAYS.search(said) else GitError
    return kind(f"git {verb}: {said or f'status {status}'}")
