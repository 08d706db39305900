"""The activity feed: what happened, for people and for those who verify it."""

from __future__ import annotations

from forge.embedded.instance import ForgeInstance
from forge.embedded.state import Row


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
