"""The first message of a run: all of its issue, in fences. Performs no I/O."""

from __future__ import annotations

from bots.markdown import fenced
from bots.models import Team
from forge.models import Issue

TASK = """\
You were assigned issue #{number} of {repo}.

{title}
{body}
"""


def task_prompt(issue: Issue, team: Team) -> str:
    """The first message of a run."""
    login, standing = issue.author.login, team.standing(issue.author)
    title = fenced("title", issue.title, author=login, standing=standing)
    body = fenced("issue", issue.body or "(no text)", author=login, standing=standing)
    return TASK.format(number=issue.ref.number, repo=issue.ref.repo.path, title=title, body=body).strip()
