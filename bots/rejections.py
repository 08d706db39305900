"""A rejected change of a configuration: a tag, and the reason for runs that wait for it.

Performs no I/O.
"""

from __future__ import annotations

from bots.intents import ResumeRuns, TagDenied
from bots.markdown import fenced
from bots.models import Team
from forge.models import PullRequest, User

DENIED = """\
An operator rejected your proposal {ref}: it was closed and will not be merged. Your configuration stays as it is.

{why}

Continue your work without it, or `finish` with `blocked` if you cannot.
"""
NO_REASON = "No reason was given."


def denied(pull: PullRequest, why: str, by: User, team: Team) -> tuple[TagDenied, ResumeRuns]:
    """The tag of a rejected head, and the message to runs that wait for the pull request; once a head."""
    ref = pull.ref
    reason = fenced("reason", why, author=by.login, standing=team.standing(by)) if why else NO_REASON
    key = f"denied:{ref}:{pull.head_sha}"
    where = f"{ref.repo.path}#{ref.number}"
    return (
        TagDenied(ref, pull.head_sha, by, why, key=key),
        ResumeRuns(ref, DENIED.format(ref=where, why=reason).strip(), key=key),
    )
