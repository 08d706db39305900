"""Pull requests: opening, editing, following their branches, and finding them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from forge.embedded import diffs, events, merges
from forge.embedded.git import EMPTY_TREE, Git
from forge.embedded.instance import ForgeInstance, Missing, Refusal
from forge.embedded.rules import OWN
from forge.embedded.services import feed, issues, labels, people, repos, reviews, timeline
from forge.embedded.state import Row

SORTS = {
    "oldest": "created, id",
    "recentupdate": "updated DESC, id DESC",
    "leastupdate": "updated, id",
    "mostcomment": "(SELECT count(*) FROM comments WHERE issue_id = issues.id AND kind = 'comment') DESC, id DESC",
    "leastcomment": "(SELECT count(*) FROM comments WHERE issue_id = issues.id AND kind = 'comment'), id",
}
"""The orders in which pull requests can be listed; newest first otherwise."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What git says of a head and a base."""

    head: str
    base: str
    merge_base: str
    files: tuple[diffs.ChangedFile, ...]
    conflict: bool

    @property
    def columns(self) -> Row:
        """As a row keeps them."""
        return {
            "head_sha": self.head,
            "merge_base": self.merge_base,
            "additions": sum(change.additions for change in self.files),
            "deletions": sum(change.deletions for change in self.files),
            "changed_files": len(self.files),
            "conflict": self.conflict,
            "checked": f"{self.base}..{self.head}",
        }


def facts(git: Git, base: str, head: str) -> Comparison:
    """Compare a head with a base; both are commits of the base repository."""
    common = git.merge_base(base, head)
    try:
        merges.merged_tree(git, base, head)
        conflict = False
    except merges.Conflicting:
        conflict = True
    return Comparison(head, base, common, tuple(diffs.changes(git, common, head)) if common else (), conflict)


def row(site: ForgeInstance, issue: Row) -> Row:
    """The pull request side of an issue; raises Missing for a plain one."""
    found = site.state.row("SELECT * FROM pulls WHERE issue_id = ?", issue["id"])
    if found is None:
        raise Missing
    return found


def get(site: ForgeInstance, repo: Row, number: int) -> tuple[Row, Row]:
    """A pull request: its issue and its own row."""
    issue = issues.get(site, repo, number)
    return issue, row(site, issue)


def of_repo(site: ForgeInstance, repo: Row, *, state: str, sort: str = "", **by: Any) -> list[Row]:
    """The pull requests of a repository as issues: `poster`, `head`, `base` narrow them."""
    conditions = {
        "(closed IS NULL) = ?": {"open": True, "closed": False}.get(state),
        "user_id = ?": by.get("poster"),
        "id IN (SELECT issue_id FROM pulls WHERE head_branch = ?)": by.get("head"),
        "id IN (SELECT issue_id FROM pulls WHERE base_branch = ?)": by.get("base"),
    }
    used = {sql: value for sql, value in conditions.items() if value is not None}
    where = " AND ".join(["repo_id = ?", "is_pull", *used])
    order = SORTS.get(sort, "created DESC, id DESC")
    sql = f"SELECT * FROM issues WHERE {where} ORDER BY {order}"  # noqa: S608 (conditions and orders are ours)
    return site.state.rows(sql, repo["id"], *used.values())


def by_merge(site: ForgeInstance, repo: Row, sha: str) -> Row | None:
    """The pull request whose merge made a commit the tip of its base branch."""
    sql = "SELECT issues.* FROM issues JOIN pulls ON issue_id = issues.id WHERE pulls.repo_id = ? AND merge_sha = ? ORDER BY pulls.id"
    return site.state.row(sql, repo["id"], sha)


def of_head(site: ForgeInstance, repo: Row, branch: str) -> list[Row]:
    """The open pull requests whose head is a branch."""
    sql = """SELECT issues.* FROM issues JOIN pulls ON issue_id = issues.id
             WHERE head_repo_id = ? AND head_branch = ? AND closed IS NULL ORDER BY issues.id"""
    return site.state.rows(sql, repo["id"], branch)


def create(site: ForgeInstance, actor: Row, repo: Row, *, title: str, head: str, base: str, **wishes: Any) -> Row:
    """Open a pull request of `branch` or `user:branch` into a branch; anybody's labels, assignees and milestone are taken."""
    source, branch = _source(site, actor, repo, head)
    if source["id"] == repo["id"] and branch == base:
        raise Refusal(422, "Invalid PullRequest: There are no changes between the head and the base")
    tip, onto = repos.tip(site, source, branch), repos.tip(site, repo, base)
    for side, name, sha, where in (("head", branch, tip, source), ("base", base, onto, repo)):
        if not sha:
            raise repos.no_ref(site, where, name, side)
    refuse_second(site, repo, source, branch, base)
    git = site.git(repo)
    git.borrow(site.git(source), f"refs/heads/{branch}")
    found = facts(git, onto, tip)
    place = {"head_repo_id": source["id"], "head_branch": branch, "base_branch": base}
    return open_one(site, actor, repo, found, place, title=title, **wishes)


def open_one(
    site: ForgeInstance,
    actor: Row,
    repo: Row,
    found: Comparison,
    place: Row,
    *,
    title: str,
    body: str = "",
    **wishes: Any,
) -> Row:
    """Create a pull request whose commits are in the base repository."""
    git = site.git(repo)
    commits = [commit.sha for commit in reversed(git.commits(f"{found.base}..{found.head}", changes=False))]
    assigned = issues.assignable(site, repo, wishes.get("assignees") or [])
    with site.state.writing():
        issue = issues.insert(site, actor, repo, title=title, body=body, is_pull=1)
        until = site.clock() + site.check_delay
        site.state.insert(
            "pulls", issue_id=issue["id"], repo_id=repo["id"], checking_until=until, **place, **found.columns
        )
        git.point(f"refs/pull/{issue['number']}/head", found.head)
        issues.set_milestone(site, actor, issue, wishes.get("milestone") or 0, quiet=True)
        labels.replace(site, actor, issue, wishes.get("labels") or [], quiet=True)
        for user in assigned:
            issues.assign(site, actor, issue, user, quiet=True)
        if commits:
            timeline.write(
                site,
                actor,
                issue,
                "pull_push",
                json.dumps({"is_force_push": False, "commit_ids": commits}, separators=(",", ":")),
            )
        for user in wishes.get("reviewers") or []:
            reviews.request(site, actor, issue, user)
        timeline.refer(site, actor, issue, f"{title}\n{body}")
        _announce(site, actor, site.must("issues", issue["id"]))
    return site.must("issues", issue["id"])


def _announce(site: ForgeInstance, actor: Row, issue: Row) -> None:
    events.about_pull(site, actor, issue, "pull_request", "opened")
    if labels.on(site, issue):
        events.about_issue(site, actor, issue, "issue_label", "label_updated")
    if issue["milestone_id"]:
        events.about_issue(site, actor, issue, "issue_milestone", "milestoned")
    for _ in site.state.rows("SELECT 1 FROM assignees WHERE issue_id = ?", issue["id"]):
        events.about_issue(site, actor, issue, "issue_assign", "assigned")
    feed.record_issue(site, actor, issue, "create_pull_request")


def _source(site: ForgeInstance, actor: Row, repo: Row, head: str) -> tuple[Row, str]:
    owner, _, branch = head.rpartition(":")
    if not owner or owner.lower() == repo["owner"].lower():
        return repo, branch
    sql = "SELECT * FROM repositories WHERE owner = ? COLLATE NOCASE AND (fork_of = ? OR id = ?)"
    source = site.state.row(sql, owner, repo["id"], repo["fork_of"])
    if source is None or not repos.visible(site, actor, [source]):
        raise Missing if people.find(site, owner) else Missing(message=f"user does not exist [uid: 0, name: {owner}]")
    return source, branch


def refuse_second(site: ForgeInstance, repo: Row, source: Row, branch: str, base: str) -> None:
    """Refuse a pull request when an open one has the same head and base."""
    sql = """SELECT pulls.*, number FROM pulls JOIN issues ON issues.id = issue_id WHERE pulls.repo_id = ? AND head_repo_id = ?
             AND head_branch = ? AND base_branch = ? AND closed IS NULL"""
    if old := site.state.row(sql, repo["id"], source["id"], branch, base):
        keys = f"id: {old['id']}, issue_id: {old['number']}, head_repo_id: {source['id']}, base_repo_id: {repo['id']}"
        names = f"head_branch: {branch}, base_branch: {base}"
        raise Refusal(409, f"pull request already exists for these targets [{keys}, {names}]")


def set_base(site: ForgeInstance, actor: Row, issue: Row, base: str) -> None:
    """Change the base branch; real forges put the new one in the place of the old one in the event."""
    pull, repo = row(site, issue), site.must("repositories", issue["repo_id"])
    if base == pull["base_branch"]:
        return
    onto = repos.tip(site, repo, base)
    if not onto:
        raise Refusal(404, f"new base '{base}' not exist")
    refuse_second(site, repo, {"id": pull["head_repo_id"]}, pull["head_branch"], base)
    found = facts(site.git(repo), onto, pull["head_sha"])
    with site.state.writing():
        until = site.clock() + site.check_delay
        site.state.update("pulls", pull["id"], base_branch=base, checking_until=until, **found.columns)
        timeline.write(site, actor, issue, "change_target_branch", old_ref=pull["base_branch"], new_ref=base)
        now = site.must("issues", issue["id"])
        events.about_pull(site, actor, now, "pull_request", "edited", changes={"ref": base})


def follow(site: ForgeInstance, actor: Row, issue: Row, old: str, new: str) -> None:
    """Follow a moved head: keep its commit, mark reviews stale, send an event."""
    pull, repo = row(site, issue), site.must("repositories", issue["repo_id"])
    git, source = site.git(repo), site.state.get("repositories", pull["head_repo_id"])
    if source:
        git.borrow(site.git(source), f"refs/heads/{pull['head_branch']}")
    onto = repos.tip(site, repo, pull["base_branch"]) or pull["merge_base"]
    found, forced = facts(git, onto, new), not git.contains(new, old)
    brought = (
        [old, new]
        if forced
        else [commit.sha for commit in reversed(git.commits(f"{old}..{new}", f"^{onto}", changes=False))]
    )
    before, after = pull["merge_base"] or EMPTY_TREE, found.merge_base or EMPTY_TREE  # a new head may share nothing
    other = diffs.identity(git, before, old) != diffs.identity(git, after, new)
    with site.state.writing():
        git.point(f"refs/pull/{issue['number']}/head", new)
        site.state.update("pulls", pull["id"], checking_until=site.clock() + site.check_delay, **found.columns)
        text = json.dumps({"is_force_push": forced, "commit_ids": brought or [new]}, separators=(",", ":"))
        timeline.write(site, actor, issue, "pull_push", text)
        reviews.head_moved(site, actor, issue, new, other_content=other)
        events.about_pull(
            site,
            actor,
            site.must("issues", issue["id"]),
            "pull_request_sync",
            "synchronized",
            granted=OWN,
            overlay={"mergeable": False},
        )


def recheck(site: ForgeInstance, repo: Row, branch: str) -> None:
    """Check the open pull requests into a branch that moved."""
    sql = """SELECT pulls.* FROM pulls JOIN issues ON issues.id = issue_id
             WHERE pulls.repo_id = ? AND base_branch = ? AND closed IS NULL"""
    onto = repos.tip(site, repo, branch)
    for pull in site.state.rows(sql, repo["id"], branch) if onto else []:
        if pull["checked"] != f"{onto}..{pull['head_sha']}":
            found = facts(site.git(repo), onto, pull["head_sha"])
            until = site.clock() + site.check_delay
            site.state.update("pulls", pull["id"], checking_until=until, **found.columns)


def close_all(site: ForgeInstance, actor: Row, found: Sequence[Row]) -> None:
    """Close pull requests whose head is gone."""
    for issue in found:
        issues.set_state(site, actor, issue, closed=True)


def reopen(site: ForgeInstance, actor: Row, issue: Row) -> None:
    """Open a closed pull request again, unless it was merged, another one took its place, or its head is gone."""
    pull = row(site, issue)
    if pull["merged"] is not None:
        raise Refusal(412, "cannot reopen this pull request because it was merged")
    source = site.state.get("repositories", pull["head_repo_id"])
    if source is None or not repos.tip(site, source, pull["head_branch"]):
        raise Refusal(422, "cannot reopen this pull request because its head branch is gone")
    base = site.must("repositories", issue["repo_id"])
    refuse_second(site, base, source, pull["head_branch"], pull["base_branch"])
    issues.set_state(site, actor, issue, closed=False)
