"""The first message of a run: all of its issue, and the end of its thread, in fences. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable

from bots.markdown import fenced
from bots.models import Team
from bots.slash_commands import is_altered, spoken
from forge.models import Comment, Issue

TASK = """\
You were assigned issue #{number} of {repo}.

{title}
{body}
"""

THREAD = """\


The newest comments on it, oldest first{left_out}:

{comments}"""
LEFT_OUT = " ({count} more are left out)"
EDITED = "; edited afterwards, perhaps by another account"

MAX_COMMENTS, MAX_COMMENT = 12, 3_000
"""How many comments are told, and how many characters of one."""


def task_prompt(issue: Issue, team: Team, comments: Iterable[Comment] = ()) -> str:
    """The first message of a run."""
    login, standing = issue.author.login, team.standing(issue.author)
    title = fenced("title", issue.title, author=login, standing=standing)
    body = fenced("issue", issue.body or "(no text)", author=login, standing=standing)
    task = TASK.format(number=issue.ref.number, repo=issue.ref.repo.path, title=title, body=body).strip()
    return task + thread_excerpt(comments, team)


def thread_excerpt(comments: Iterable[Comment], team: Team) -> str:
    """What people and agents said last, each with who it was; without commands, and without the hive's own bots."""
    bots = {account.id for account in team.accounts.values()}
    said = [(comment, text) for comment in comments if comment.author.id not in bots and (text := spoken(comment.body))]
    if not said:
        return ""
    told = "\n".join(_comment(comment, text, team) for comment, text in said[-MAX_COMMENTS:])
    more = len(said) - MAX_COMMENTS
    return THREAD.format(left_out=LEFT_OUT.format(count=more) if more > 0 else "", comments=told)


def _comment(comment: Comment, text: str, team: Team) -> str:
    standing = team.standing(comment.author) + (EDITED if is_altered(comment) else "")
    return fenced("comment", text, author=comment.author.login, standing=standing, longest=MAX_COMMENT)
