"""Deleting a repository."""

from __future__ import annotations

import shutil

from forge.embedded import events
from forge.embedded.instance import ForgeInstance
from forge.embedded.services import issues, pulls
from forge.embedded.state import Row

_OWNED = (
    "former_names", "collaborators", "refs", "moves", "labels", "milestones", "statuses", "protections", "releases",
    "hooks", "feed",
)  # fmt: skip


def delete_repo(site: ForgeInstance, actor: Row, repo: Row) -> None:
    """Delete a repository; open pull requests that came from it are closed, its forks live on."""
    sql = """SELECT issues.* FROM issues JOIN pulls ON issue_id = issues.id
             WHERE head_repo_id = ? AND pulls.repo_id != ? AND closed IS NULL"""
    with site.moving(repo["id"]), site.state.writing():
        if repo["of_org"]:
            events.about_repo(site, actor, repo, "deleted")
        pulls.close_all(site, actor, site.state.rows(sql, repo["id"], repo["id"]))
        for issue in site.state.rows("SELECT * FROM issues WHERE repo_id = ?", repo["id"]):
            issues.delete(site, issue)
        for table in _OWNED:
            site.state.run(f"DELETE FROM {table} WHERE repo_id = ?", repo["id"])  # noqa: S608 (tables are ours)
        site.state.run("UPDATE repos SET fork_of = NULL WHERE fork_of = ?", repo["id"])
        site.state.run("DELETE FROM repos WHERE id = ?", repo["id"])
    shutil.rmtree(site.git(repo).path, ignore_errors=True)
