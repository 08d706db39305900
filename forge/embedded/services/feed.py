"""The activity feed and the notifications: what happened, for people and for whoever checks."""

from __future__ import annotations

import re

from forge.embedded.instance import ForgeInstance, names
from forge.embedded.state import Row

MENTION = re.compile(r"(?:^|(?<=[\s(\[,]))@([A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]|[A-Za-z0-9])")


def record(
    site: ForgeInstance, actor: Row, repo: Row, op: str, *, ref: str = "", content: str = "", comment_id: int = 0
) -> None:
    """Write one row of the feed."""
    site.state.insert(
        "feed",
        repo_id=repo["id"],
        user_id=actor["id"],
        op=op,
        ref=ref,
        content=content,
        comment_id=comment_id,
        created=site.now(),
    )


def record_issue(site: ForgeInstance, actor: Row, issue: Row, op: str, *, comment_id: int = 0, text: str = "") -> None:
    """Write the row of something that happened to an issue or pull request."""
    repo = site.must("repositories", issue["repo_id"])
    content = f"{issue['number']}|{text or issue['title']}"
    record(site, actor, repo, op, content=content, comment_id=comment_id)


def of_repo(site: ForgeInstance, repo: Row) -> list[Row]:
    """The feed of a repository, newest first, without those who hide what they do."""
    sql = """SELECT feed.* FROM feed LEFT JOIN users ON users.id = feed.user_id
             WHERE repo_id = ? AND coalesce(hide_activity, 0) = 0 ORDER BY feed.id DESC"""
    return site.state.rows(sql, repo["id"])


def of_org(site: ForgeInstance, org: Row) -> list[Row]:
    """The feed of all repositories of an organisation, newest first."""
    sql = """SELECT feed.* FROM feed JOIN repos ON repos.id = feed.repo_id LEFT JOIN users ON users.id = feed.user_id
             WHERE owner_id = ? AND coalesce(hide_activity, 0) = 0 ORDER BY feed.id DESC"""
    return site.state.rows(sql, org["id"])


def notify(site: ForgeInstance, actor: Row, issue: Row, text: str = "") -> None:
    """Tell those who take part in a conversation, or are named in `text`, but not the one who acts."""
    state = site.state
    logins = MENTION.findall(text)
    mentioned = state.rows(f"SELECT id FROM users WHERE login IN ({names(logins)}) AND NOT is_org", *logins)  # noqa: S608 (marks only)
    for key in ({row["id"] for row in mentioned} | taking_part(site, issue)) - {actor["id"], 0}:
        state.run(
            """INSERT INTO notices (user_id, issue_id, updated) VALUES (?, ?, ?)
               ON CONFLICT (user_id, issue_id) DO UPDATE SET unread = 1, updated = excluded.updated""",
            key,
            issue["id"],
            site.now(),
        )


def taking_part(site: ForgeInstance, issue: Row) -> set[int]:
    """The ids of those who wrote, were assigned or asked, or follow a conversation."""
    rows = site.state.rows(
        """SELECT user_id AS id FROM issues WHERE id = ?1 UNION SELECT user_id FROM assignees WHERE issue_id = ?1
           UNION SELECT user_id FROM comments WHERE issue_id = ?1 AND kind IN ('comment', 'review')
           UNION SELECT user_id FROM reviews WHERE issue_id = ?1 UNION SELECT user_id FROM subscriptions WHERE issue_id = ?1""",
        issue["id"],
    )
    return {row["id"] for row in rows}


def notices(site: ForgeInstance, user: Row, *, repo: Row | None = None, unread_only: bool = True) -> list[Row]:
    """What somebody was told, newest first."""
    sql = """SELECT notices.* FROM notices JOIN issues ON issues.id = issue_id
             WHERE notices.user_id = ? AND (? IS NULL OR repo_id = ?) AND (unread OR NOT ?)
             ORDER BY notices.updated DESC, notices.id DESC"""
    key = repo["id"] if repo else None
    return site.state.rows(sql, user["id"], key, key, unread_only)


def read(site: ForgeInstance, notice: Row) -> Row:
    """Mark a notice as read."""
    site.state.update("notices", notice["id"], unread=0, updated=site.now())
    return site.must("notices", notice["id"])
