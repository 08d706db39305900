"""Comments, reactions and attached files."""

from __future__ import annotations

import uuid
from pathlib import PurePosixPath

from forge.embedded import events
from forge.embedded.instance import ForgeInstance, Missing, Refusal
from forge.embedded.services import feed, issues, timeline
from forge.embedded.shapes import issues as shapes
from forge.embedded.state import Row

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
_TEXTS, _IMAGES = ".csv .diff .json .log .md .patch .txt .yaml", ".gif .jpeg .jpg .png .svg .webp"
_ATTACHABLE = frozenset(f"{_TEXTS} {_IMAGES} .gz .mp4 .pdf .tgz .webm .zip".split())


def create(site: ForgeInstance, actor: Row, issue: Row, body: str, *, quiet: bool = False) -> Row:
    """Say something on an issue or pull request; `quiet` sends no event."""
    with site.state.writing():
        comment = timeline.write(site, actor, issue, "comment", body)
        timeline.refer(site, actor, issue, body, comment=comment)
        if not quiet:
            events.commented(site, actor, site.must("issues", issue["id"]), "created", shapes.comment(site, comment))
        op = "comment_pull" if issue["is_pull"] else "comment_issue"
        feed.record_issue(site, actor, issue, op, comment_id=comment["id"], text=body[:200])
    return comment


def of_issue(site: ForgeInstance, issue: Row, *, since: int = 0, before: int = 0) -> list[Row]:
    """The comments of a conversation, oldest first."""
    return [row for row in timeline.rows(site, issue, since=since, before=before) if row["kind"] == "comment"]


def of_repo(site: ForgeInstance, repo: Row, *, since: int = 0, before: int = 0) -> list[Row]:
    """All comments of a repository, oldest first."""
    sql = """SELECT comments.* FROM comments JOIN issues ON issues.id = issue_id WHERE repo_id = ? AND kind = 'comment'
             AND comments.updated >= ? AND (? = 0 OR comments.updated < ?) ORDER BY comments.created, comments.id"""
    return site.state.rows(sql, repo["id"], since, before, before)


def get(site: ForgeInstance, repo: Row, key: int) -> Row:
    """One comment of a repository."""
    sql = """SELECT comments.* FROM comments JOIN issues ON issues.id = issue_id
             WHERE comments.id = ? AND repo_id = ? AND kind IN ('comment', 'review', 'code')"""
    comment = site.state.row(sql, key, repo["id"])
    if comment is None:
        raise Missing(f"comment does not exist [id: {key}, issue_id: 0]")
    return comment


def may_edit(site: ForgeInstance, actor: Row, comment: Row) -> bool:
    """Whether a user may change or delete a comment: an own one, or with write access to issues."""
    return comment["user_id"] == actor["id"] or issues.may_write(site, actor, site.must("issues", comment["issue_id"]))


def edit(site: ForgeInstance, actor: Row, comment: Row, body: str) -> Row:
    """Replace a comment's text; Forgejo sends an event even if it is the same."""
    issue = site.must("issues", comment["issue_id"])
    with site.state.writing():
        site.state.update("comments", comment["id"], body=body, updated=site.now())
        site.state.run(
            """UPDATE comments SET detail = json_set(detail, '$.ref_action', 'neutered'), updated = ?
               WHERE kind = 'comment_ref' AND json_extract(detail, '$.ref_comment') = ?""",
            site.now(),
            comment["id"],
        )
        timeline.refer(site, actor, issue, body, comment=comment)
        site.state.update("issues", issue["id"], updated=issue["updated"])
        now = site.must("comments", comment["id"])
        if body != comment["body"] or site.flavour.told_when_same:
            events.commented(site, actor, issue, "edited", shapes.comment(site, now), changes={"body": comment["body"]})
    return now


def delete(site: ForgeInstance, actor: Row, comment: Row) -> None:
    """Remove a comment."""
    issue = site.must("issues", comment["issue_id"])
    with site.state.writing():
        shape = shapes.comment(site, comment)
        site.state.run("DELETE FROM comments WHERE id = ?", comment["id"])
        site.state.run("DELETE FROM reactions WHERE comment_id = ?", comment["id"])
        events.commented(site, actor, issue, "deleted", shape)


def react(site: ForgeInstance, actor: Row, issue: Row, content: str, *, comment_id: int = 0) -> tuple[Row, bool]:
    """Add a reaction to an issue, or to one of its comments; says whether it is new."""
    if content not in REACTIONS:
        raise Refusal(403, f"'{content}' is not an allowed reaction")
    place = {"issue_id": issue["id"], "comment_id": comment_id, "user_id": actor["id"], "content": content}
    sql = "SELECT * FROM reactions WHERE issue_id = ? AND comment_id = ? AND user_id = ? AND content = ?"
    if again := site.state.row(sql, *place.values()):
        if site.flavour.reaction_again_status >= 400:
            raise Refusal(site.flavour.reaction_again_status, html=True)
        return again, False
    return site.must("reactions", site.state.insert("reactions", **place, created=site.now())), True


def remove_reaction(site: ForgeInstance, actor: Row, issue: Row, content: str, *, comment_id: int = 0) -> None:
    """Take a reaction back."""
    sql = "DELETE FROM reactions WHERE issue_id = ? AND comment_id = ? AND user_id = ? AND content = ?"
    site.state.run(sql, issue["id"], comment_id, actor["id"], content)


def reactions(site: ForgeInstance, issue: Row, *, comment_id: int = 0) -> list[Row]:
    """All reactions, oldest first."""
    return site.state.rows(
        "SELECT * FROM reactions WHERE issue_id = ? AND comment_id = ? ORDER BY id", issue["id"], comment_id
    )


def attach(site: ForgeInstance, actor: Row, issue: Row, name: str, content: bytes) -> Row:
    """Attach a file to an issue; the webhook event is that of an edited text."""
    if PurePosixPath(name).suffix.lower() not in _ATTACHABLE:
        raise Refusal(422, "This file extension or type is not allowed to be uploaded.")
    with site.state.writing():
        row = {"issue_id": issue["id"], "uuid": str(uuid.uuid4()), "name": name, "content": content}
        key = site.state.insert("attachments", **row, created=site.now())
        site.state.update("issues", issue["id"], updated=site.now())
        now = site.must("issues", issue["id"])
        events.about_issue(site, actor, now, "issues", "edited", changes={"body": issue["body"]})
    return site.must("attachments", key)
