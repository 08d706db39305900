"""Fetches a pull request by its number; refuses any head but the expected one."""

from __future__ import annotations

from collections.abc import Callable

from forge.models import PullRequest, Repo
from forge.protocol import Unavailable
from hive.git_mirror.mirror import SHA, Mirror

MirrorOf = Callable[[Repo], Mirror]


def base_of(mirror: Mirror, pull: PullRequest) -> str:
    """The base branch's commit, when head and base are here; fetches them if they are not. Raises as `fetch` does."""
    is_here = all(SHA.fullmatch(sha) and mirror.has(sha) for sha in (pull.base_sha, pull.head_sha))
    return pull.base_sha if is_here else fetch(mirror, pull)


def fetch(mirror: Mirror, pull: PullRequest) -> str:
    """Fetch head and base of a pull request at once; returns the base branch's commit.

    Raises Unavailable if the head has moved, and GitError if they cannot be fetched.
    """
    at = f"pull/{pull.ref.number}"
    head, base = mirror.fetch_all({f"refs/{at}/head": f"{at}/head", f"refs/heads/{pull.base_branch}": f"{at}/base"})
    if head != pull.head_sha:
        raise Unavailable(f"{pull.ref} moved from {pull.head_sha[:7]} to {head[:7]} while it was looked at")
    return base
