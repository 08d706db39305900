"""Reads what a base branch says about reviews: `review` of its `.hive.yaml` and of its `REVIEW.md`."""

from __future__ import annotations

from bots.review_policy import DEFAULT_POLICY, ReviewPolicy
from hive.config import BadYaml, joined, policy_of, prose_of, read_guide, read_repository
from hive.config.review_settings import REVIEW_DEFAULTS
from hive.git_mirror.commits import Commits
from hive.git_mirror.errors import TooLarge

LARGEST = 64 << 10
"""Bytes of either file."""


def read_policy(mirror: Commits, base: str) -> ReviewPolicy:
    """The policy at a commit of the base branch; a file that is broken is not used, and that is said."""
    try:
        settings, guide = (_text(mirror, base, name) for name in (".hive.yaml", "REVIEW.md"))
        if not settings and not guide:
            return DEFAULT_POLICY
        return policy_of(joined(read_repository(settings).review if settings else REVIEW_DEFAULTS, read_guide(guide)))
    except TooLarge as error:
        return ReviewPolicy(broken=str(error), model=False)
    except BadYaml as error:
        return ReviewPolicy(broken=str(error.problems[0]), model=False)


def read_rules(commits: Commits, base: str) -> str:
    """What `REVIEW.md` at a commit of the base branch asks of reviewers in words; empty without one, or if it is too large."""
    try:
        return prose_of(_text(commits, base, "REVIEW.md"))
    except TooLarge:
        return ""


def _text(mirror: Commits, base: str, name: str) -> str:
    body = mirror.file(base, name, most=LARGEST)
    return "" if body is None else body.decode("utf-8", "replace").replace("\r\n", "\n")
