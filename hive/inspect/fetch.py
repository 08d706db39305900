"""Fetches a pull request by its number; refuses any head but the expected one."""

from __future__ import annotations

from collections.abc import Callable

from forge.models import PullRequest, Repo
from forge.protocol import Unavailable
from hive.git_mirror.mirror import Mirror

MirrorOf = Callable[[Repo], Mirror]


def fetch(mirror: Mirror, pull: PullRequest) -> str:
    """Fetch head and base of a pull request; returns the base branch's commit.

    Raises Unavailable if the head has moved, and GitError if it cannot be fetched.
    """
    number = pull.ref.number
    head = mirror.fetch(f"refs/pull/{number}/head", f"pull/{number}/head")
    if head != pull.head_sha:
        raise Unavailable(f"{pull.ref} moved from {pull.head_sha[:7]} to {head[:7]} while it was looked at")
    return mirror.fetch(f"refs/heads/{pull.base_branch}", f"pull/{number}/base")
