"""The rows of a timeline: everything that happens to a conversation leaves one."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from forge.embedded import rules
from forge.embedded.git import Commit
from forge.embedded.instance import ForgeInstance
from forge.embedded.state import Row

_CLOSES = r"close[sd]?|fix(?:e[sd])?|resolve[sd]?"
_REFERENCE = re.compile(
    rf"(?:(?P<word>\b(?:{_CLOSES})):?\s+)?(?:(?<=\s)|(?<=^)|(?<=[(\[]))(?P<repo>[\w.-]+/[\w.-]+)?[#!](?P<number>[1-9]\d*)\b",
    re.IGNORECASE | re.MULTILINE,
)


def write(
    site: ForgeInstance, actor: Row, issue: Row, kind: str, body: str = "", *, review_id: int = 0, **detail: Any
) -> Row:
    """Add a row, and say that the conversation changed."""
    now = site.now()
    key = site.state.insert(
        "comments",
        issue_id=issue["id"],
        kind=kind,
        user_id=actor["id"],
        body=body,
        review_id=review_id,
        detail=json.dumps(detail),
        created=now,
        updated=now,
    )
    site.state.update("issues", issue["id"], updated=now)
    return site.must("comments", key)


def rows(site: ForgeInstance, issue: Row, *, since: int = 0, before: int = 0, remarks: bool = False) -> list[Row]:
    """All rows, oldest first; the remarks on code only if wanted."""
    sql = """SELECT * FROM comments WHERE issue_id = ? AND (kind != 'code' OR ?) AND updated >= ? AND (? = 0 OR updated < ?)
             ORDER BY created, id"""
    return site.state.rows(sql, issue["id"], remarks, since, before, before)


def references(site: ForgeInstance, repo: Row, text: str) -> list[tuple[Row, bool]]:
    """The issues that a text names, each with whether it says to close it."""
    found: dict[int, tuple[Row, bool]] = {}
    for match in _REFERENCE.finditer(text):
        if match["repo"] and match["repo"].lower() != repo["full_name"].lower():
            continue
        issue = site.state.row(
            "SELECT * FROM issues WHERE repo_id = ? AND number = ?", repo["id"], int(match["number"])
        )
        if issue:
            closing = bool(match["word"]) or (issue["id"] in found and found[issue["id"]][1])
            found[issue["id"]] = (issue, closing)
    return list(found.values())


def refer(site: ForgeInstance, actor: Row, issue: Row, text: str, *, comment: Row | None = None) -> None:
    """Leave a row at each issue that a text of another conversation names; what an edited one names no more is neutered.

    Source: `createCrossReferences` with `RemoveOld` in Gitea's and Forgejo's models/issues/issue_xref.go.
    """
    repo = site.must("repositories", issue["repo_id"])
    kind = "comment_ref" if comment else "pull_ref" if issue["is_pull"] else "issue_ref"
    may_close = issue["is_pull"] and rules.access(site, actor, repo).reads()
    sql = """SELECT * FROM comments WHERE kind = ? AND json_extract(detail, '$.ref_issue') = ?
             AND json_extract(detail, '$.ref_action') != 'neutered'"""
    old = {} if comment else {row["issue_id"]: row for row in site.state.rows(sql, kind, issue["id"])}
    for named, closing in references(site, repo, text):
        if named["id"] == issue["id"]:
            continue
        action = "closes" if closing and may_close and not named["is_pull"] else "neutered" if comment else "none"
        if named["id"] in old and _detail(old[named["id"]])["ref_action"] == action:
            del old[named["id"]]
            continue
        detail = {"ref_issue": issue["id"], "ref_action": action} | ({"ref_comment": comment["id"]} if comment else {})
        write(site, actor, named, kind, **detail)
    for row in old.values():
        site.state.update("comments", row["id"], detail=json.dumps(_detail(row) | {"ref_action": "neutered"}))


def _detail(row: Row) -> dict[str, Any]:
    detail: dict[str, Any] = json.loads(row["detail"])
    return detail


def refer_commit(site: ForgeInstance, actor: Row, repo: Row, commit: Commit) -> list[Row]:
    """Leave a row at each issue that a commit names; answers those that it says to close."""
    closing = []
    for named, closes in references(site, repo, commit.message):
        known = "SELECT 1 FROM comments WHERE issue_id = ? AND kind = 'commit_ref' AND json_extract(detail, '$.ref_commit_sha') = ?"
        if not site.state.row(known, named["id"], commit.sha):
            title = html.escape(commit.message.split("\n", 1)[0]).replace("&#x27;", "&#39;")
            link = f'<a href="/{repo["full_name"]}/commit/{commit.sha}">{title}</a>'
            write(site, actor, named, "commit_ref", link, ref_commit_sha=commit.sha)
        if closes and not named["is_pull"]:
            closing.append(named)
    return closing
