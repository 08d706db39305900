"""Reads what a base branch says about reviews: `review` of its `.hive.yaml`."""

from __future__ import annotations

from bots.review_policy import DEFAULT_POLICY, ReviewPolicy
from hive.config import BadYaml, policy_of, read_repository
from hive.git_mirror.errors import TooLarge
from hive.git_mirror.mirror import Mirror

LARGEST = 64 << 10
"""Bytes of the file."""


def read_policy(mirror: Mirror, base: str) -> ReviewPolicy:
    """The policy at a commit of the base branch; a file that is broken is not used, and that is said."""
    try:
        body = mirror.file(base, ".hive.yaml", most=LARGEST)
        return DEFAULT_POLICY if body is None else policy_of(read_repository(body.decode("utf-8", "replace")).review)
    except TooLarge as error:
        return ReviewPolicy(broken=str(error))
    except BadYaml as error:
        return ReviewPolicy(broken=str(error.problems[0]))
