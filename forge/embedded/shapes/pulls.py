"""Pull requests, reviews and commit statuses as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from forge.embedded import rules
from forge.embedded.dialect import shaped
from forge.embedded.instance import ForgeInstance
from forge.embedded.rules import Access
from forge.embedded.shapes import issues, people, repos
from forge.embedded.shapes.values import Json, columns, times, when, when_or_null
from forge.embedded.state import Row

COUNTS = ("additions", "deletions", "changed_files")
WORST_FIRST = ("error", "failure", "warning", "pending", "success")


def pull(site: ForgeInstance, issue: Row, viewer: Row | None, granted: Access | None = None) -> Json:
    """A pull request; `granted` replaces what the viewer may do in what is said of the base repository."""
    row = site.state.row("SELECT * FROM pulls WHERE issue_id = ?", issue["id"]) or {}
    place, draft = issues.web(site, issue), issues.is_draft(issue["title"])
    shape = {
        **issues.subject(site, issue, viewer),
        **columns(row, "id merge_base"),
        "url": issues.api(site, issue) if site.flavour.pull_url_is_api else place,
        **_asked(site, issue),
        "draft": draft,
        "review_comments": _review_count(site, issue),
        **_counts(site, row),
        "diff_url": f"{place}.diff",
        "patch_url": f"{place}.patch",
        "mergeable": not (draft or row["conflict"] or is_checking(site, row)),
        "merged": row["merged"] is not None,
        "merged_at": when_or_null(row["merged"]),
        "merge_commit_sha": row["merge_sha"],
        "merged_by": issues.user(site, row["merged_by"]) if row["merged_by"] else None,
        "allow_maintainer_edit": bool(row["maintainer_edit"]),
        **_sides(site, issue, row, viewer, granted),
        "flow": 0,
    }
    return shaped(site.flavour, "pull", shape)


def _asked(site: ForgeInstance, issue: Row) -> Json:
    requested = verdicts(site, issue)
    teams = [site.must("teams", one["team_id"]) for one in requested if one["team_id"]]
    return {
        "requested_reviewers": [issues.user(site, one["user_id"]) for one in requested if not one["team_id"]],
        "requested_reviewers_teams": [people.team(site, team, whole=True) for team in teams],
    }


def _counts(site: ForgeInstance, row: Row) -> Json:
    """How much changes: unknown when the fork is gone."""
    counted = site.state.get("repos", row["head_repo_id"]) is not None
    if not counted and not site.flavour.counts_whatever:
        return {}
    return {key: row[key] if counted else 0 for key in COUNTS}


def _sides(site: ForgeInstance, issue: Row, row: Row, viewer: Row | None, granted: Access | None) -> Json:
    repo, head_repo = site.must("repositories", row["repo_id"]), site.state.get("repositories", row["head_repo_id"])
    shown = repos.repo(site, repo, viewer, granted or rules.access(site, viewer, repo))
    shown_head: Json | None = shown
    if head_repo is None or head_repo["id"] != repo["id"]:
        shown_head = repos.repo(site, head_repo, viewer, rules.access(site, viewer, head_repo)) if head_repo else None
    return {
        "base": _side(row["base_branch"], (row["base_branch"], base_sha(site, row)), repo, shown),
        "head": _side(row["head_branch"], _head(site, issue, row), head_repo, shown_head),
    }


def is_checking(site: ForgeInstance, row: Row) -> bool:
    """Whether the conflict check of a pull request still counts as running."""
    return row["merged"] is None and site.clock() < float(row["checking_until"])


def base_sha(site: ForgeInstance, row: Row) -> str:
    """The tip of the base branch, or where it was when it is gone."""
    return branch_tip(site, row["repo_id"], row["base_branch"]) or str(row["merge_base"])


def compared_with(site: ForgeInstance, row: Row) -> str:
    """The commit that a diff begins at; the tip of the base, as on real forges, where the two histories have none in common."""
    return str(row["merge_base"]) or base_sha(site, row)


def branch_tip(site: ForgeInstance, repo_id: int, branch: str) -> str:
    """What a branch points to; empty without such a branch."""
    sql = "SELECT sha FROM refs WHERE repo_id = ? AND name = ?"
    return str(site.state.value(sql, repo_id, f"refs/heads/{branch}") or "")


def _head(site: ForgeInstance, issue: Row, row: Row) -> tuple[str, str]:
    """The ref and the commit of the head."""
    kept = f"refs/pull/{issue['number']}/head"
    # After a merge the head branch may move on, and the forge says where it is now.
    tip = branch_tip(site, row["head_repo_id"], row["head_branch"])
    return (row["head_branch"], tip) if tip else (kept, row["head_sha"])


def _side(label: str, at: tuple[str, str], repo: Row | None, shown: Json | None) -> Json:
    return {"label": label, "ref": at[0], "sha": at[1], "repo_id": repo["id"] if repo else -1, "repo": shown}


def verdicts(site: ForgeInstance, issue: Row) -> list[Row]:
    """The latest verdict of each reviewer, or the request for one."""
    sql = """SELECT * FROM reviews WHERE id IN (SELECT max(id) FROM reviews WHERE issue_id = ? AND NOT dismissed
             AND state IN ('APPROVED', 'REQUEST_CHANGES', 'REQUEST_REVIEW') GROUP BY user_id, team_id) ORDER BY id"""
    return site.state.rows(sql, issue["id"])


def _review_count(site: ForgeInstance, issue: Row) -> int:
    return int(site.state.value("SELECT count(*) FROM comments WHERE issue_id = ? AND kind = 'review'", issue["id"]))


def review(site: ForgeInstance, row: Row, viewer: Row | None) -> Json:
    """A review, or a request for one."""
    place = issues.web(site, site.must("issues", row["issue_id"]))
    entry = site.state.value("SELECT min(id) FROM comments WHERE review_id = ? AND kind = 'review'", row["id"])
    code = "SELECT count(*) FROM comments WHERE review_id = ? AND kind = 'code'"
    return {
        **columns(row, "id state body", flags="stale official dismissed"),
        "user": issues.user(site, row["user_id"], viewer) if row["user_id"] else None,
        "team": people.team(site, site.must("teams", row["team_id"])) if row["team_id"] else None,
        "commit_id": row["sha"],
        "comments_count": site.state.value(code, row["id"]),
        "submitted_at": when(row["created"]),
        "updated_at": when(row["updated"]),
        "html_url": f"{place}#issuecomment-{entry}" if entry else "",
        "pull_request_url": place,
    }


def remark(site: ForgeInstance, row: Row, viewer: Row | None) -> Json:
    """A comment of a review on a line."""
    about, place = json.loads(row["detail"]), issues.web(site, site.must("issues", row["issue_id"]))
    shape = {
        **columns(row, "id body"),
        "user": issues.user(site, row["user_id"], viewer),
        "resolver": issues.user(site, about["resolver"], viewer) if "resolver" in about else None,
        "pull_request_review_id": row["review_id"],
        **times(row),
        "path": about["path"],
        "commit_id": about["sha"],
        "original_commit_id": "",
        "diff_hunk": about["hunk"],
        "position": max(about["line"], 0),
        "original_position": max(-about["line"], 0),
        "extra_lines_count": 0,
        "html_url": f"{place}#issuecomment-{row['id']}",
        "pull_request_url": place,
    }
    return shaped(site.flavour, "remark", shape)


def status(site: ForgeInstance, repo: Row, row: Row) -> Json:
    """A commit status."""
    return {
        **columns(row, "target_url description context"),
        "id": row["nth"],
        "status": row["state"],
        "url": f"{site.api}/repos/{repo['full_name']}/statuses/{row['sha']}",
        "creator": issues.user(site, row["user_id"]),
        "created_at": when(row["created"]),
        "updated_at": when(row["created"]),
    }


def worst(latest: Sequence[Row]) -> str:
    """The worst state among statuses, as the combined status says it."""
    found = {row["state"] for row in latest}
    state = next((state for state in WORST_FIRST if state in found), "")
    return "failure" if state == "error" else state
