"""The host users of agents that root starts: two ids for each, which no one else has."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

FIRST = 1_900_000_000
"""Above the ranges of distributions, LDAP and systemd (its containers end at 1879048191), below 2³¹."""

PAIRS = 1 << 26
TRIAL = FIRST - 2
"""The pair that a sandbox is tried with."""

EVALUATOR = FIRST - 3
"""The user as which root evaluates what others wrote."""

NAME = "uid"


def is_root_of_the_host() -> bool:
    """Whether this process may become any user: root, and not of a namespace that has only few."""
    return os.geteuid() == 0 and all(_is_mapped(uid) for uid in (FIRST, FIRST + 2 * PAIRS - 1))


def may_be_hosts_root() -> bool:
    """Whether a process that this one starts could be uid 0 outside of all namespaces."""
    return os.geteuid() == 0 and any(inside == 0 and outside == 0 for inside, outside, _ in _mapped())


def uid_of(agent: Path) -> int:
    """The first of the two users of an agent, whose directory on the host this is; the second follows.

    It is chosen once, by the directory's path, and stays: the agent's files belong to it.
    """
    kept = agent / NAME
    if kept.exists():
        return int(kept.read_text())
    taken = {int(path.read_text()) for path in agent.parent.glob(f"*/{NAME}")}
    uid = next(uid for uid in _candidates(agent) if uid not in taken and not _is_somebody(uid))
    draft = agent / f".{NAME}.new"
    draft.write_text(str(uid))
    draft.chmod(0o600)
    draft.replace(kept)
    return uid


def hand_over(folder: Path, uid: int) -> None:
    """Let an agent and its commands read what the host has made for it; where it sees that, it cannot write."""
    for path in (folder, *folder.rglob("*")):
        found = path.lstat()
        os.chown(path, uid, uid + 1, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            path.chmod(stat.S_IMODE(found.st_mode) | (found.st_mode & 0o500) >> 3)


def _candidates(agent: Path) -> Iterator[int]:
    start = int.from_bytes(hashlib.sha256(os.fsencode(agent.resolve())).digest()[:8], "big")
    return (FIRST + 2 * ((start + step) % PAIRS) for step in range(PAIRS))


def _is_somebody(uid: int) -> bool:
    for one in (uid, uid + 1):
        try:
            pwd.getpwuid(one)
        except KeyError:
            continue
        return True
    return False


def _is_mapped(uid: int) -> bool:
    return any(inside <= uid < inside + count for inside, _, count in _mapped())


def _mapped() -> list[tuple[int, int, int]]:
    """The users that there are here: the first inside, the first outside, how many."""
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    return [(int(inside), int(outside), int(count)) for inside, outside, count in map(str.split, lines)]
