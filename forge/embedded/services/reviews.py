"""Reviews of pull requests: asking for them, writing, submitting and dismissing them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from forge.embedded import diffs, events, rules
from forge.embedded.git import Git, GitFailed
from forge.embedded.instance import ForgeInstance, Missing, Refusal, broken
from forge.embedded.services import feed, issues, timeline
from forge.embedded.shapes import issues as shapes
from forge.embedded.state import Row

_WORDS = {"APPROVED": "approved", "REQUEST_CHANGES": "rejected", "COMMENT": "comment"}
_FEED = {"APPROVED": "approve_pull_request", "REQUEST_CHANGES": "reject_pull_request", "COMMENT": "comment_pull"}


_DISMISSED = "New commits pushed, approval review dismissed automatically according to repository settings"


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody says about a line: a positive one counts in the new file, a negative one in the old."""

    path: str
    line: int
    body: str


def pull_of(site: ForgeInstance, issue: Row) -> Row:
    """The pull request that is reviewed."""
    row = site.state.row("SELECT * FROM pulls WHERE issue_id = ?", issue["id"])
    if row is None:
        names = f"id: 0, issue_id: 0, head_repo_id: 0, base_repo_id: {issue['repo_id']}, head_branch: , base_branch: "
        raise Missing(f"pull request does not exist [{names}]", message="GetPullRequestByIndex")
    return row


def of_pull(site: ForgeInstance, issue: Row) -> list[Row]:
    """All reviews and requests for them, oldest first; who asks must hide pending ones of others."""
    return site.state.rows("SELECT * FROM reviews WHERE issue_id = ? ORDER BY id", issue["id"])


def get(site: ForgeInstance, issue: Row, key: int) -> Row:
    """One review of a pull request."""
    review = site.state.row("SELECT * FROM reviews WHERE id = ? AND issue_id = ?", key, issue["id"])
    if review is None:
        raise Missing(f"review does not exist [id: {key}]", message="GetReviewByID")
    return review


def remarks(site: ForgeInstance, review: Row) -> list[Row]:
    """The remarks of a review, by file and line."""
    sql = """SELECT * FROM comments WHERE review_id = ? AND kind = 'code'
             ORDER BY json_extract(detail, '$.path'), abs(json_extract(detail, '$.line')), id"""
    return site.state.rows(sql, review["id"])


def conversation(site: ForgeInstance, remark: Row) -> Row:
    """The remark that began the conversation: the first of its review on its line."""
    sql = """SELECT * FROM comments WHERE review_id = ? AND kind = 'code'
             AND json_extract(detail, '$.path') = ? AND json_extract(detail, '$.line') = ? ORDER BY id"""
    detail = json.loads(remark["detail"])
    return site.state.row(sql, remark["review_id"], detail["path"], detail["line"]) or remark


def _official(site: ForgeInstance, issue: Row, user: Row) -> bool:
    repo = site.must("repositories", issue["repo_id"])
    return rules.reviews_officially(site, repo, user, pull_of(site, issue)["base_branch"])


def request(site: ForgeInstance, actor: Row, issue: Row, user: Row) -> Row | None:
    """Request a review; answers the request if it is a new one."""
    if user["id"] == issue["user_id"]:
        raise Refusal(422, f"poster of pr can't be reviewer [user_id: {user['id']}, repo_id: {issue['repo_id']}]")
    sql = "SELECT * FROM reviews WHERE issue_id = ? AND user_id = ? AND state = 'REQUEST_REVIEW'"
    with site.state.writing():
        if site.state.row(sql, issue["id"], user["id"]):
            return None
        official = _official(site, issue, user)
        if official:  # an earlier approval does not count while a new review is requested
            site.state.run(
                "UPDATE reviews SET official = 0 WHERE issue_id = ? AND user_id = ?", issue["id"], user["id"]
            )
        made = _insert(site, issue, user_id=user["id"], state="REQUEST_REVIEW", official=official)
        timeline.write(site, actor, issue, "review_request", review_id=made["id"], assignee=user["id"])
        now = site.must("issues", issue["id"])
        events.about_pull(site, actor, now, "pull_request_review_request", "review_requested", reviewer=user)
    return made


def request_team(site: ForgeInstance, actor: Row, issue: Row, team: Row) -> Row | None:
    """Request a review of a team; no event is sent."""
    sql = "SELECT 1 FROM reviews WHERE issue_id = ? AND team_id = ? AND state = 'REQUEST_REVIEW'"
    if site.state.row(sql, issue["id"], team["id"]):
        return None
    with site.state.writing():
        made = _insert(site, issue, user_id=0, team_id=team["id"], state="REQUEST_REVIEW")
        timeline.write(site, actor, issue, "review_request", review_id=made["id"], team=team["id"])
    return made


def remove_request(
    site: ForgeInstance, actor: Row, issue: Row, *, user: Row | None = None, team: Row | None = None
) -> None:
    """Withdraw a request for a review."""
    column, key = ("user_id", user["id"]) if user else ("team_id", (team or {})["id"])
    sql = f"DELETE FROM reviews WHERE issue_id = ? AND {column} = ? AND state = 'REQUEST_REVIEW'"  # noqa: S608 (column is ours)
    with site.state.writing():
        if not site.state.run(sql, issue["id"], key):
            return
        about = {"assignee": key} if user else {"team": key}
        timeline.write(site, actor, issue, "review_request", removed=True, **about)
        if user:
            now = site.must("issues", issue["id"])
            events.about_pull(site, actor, now, "pull_request_review_request", "review_request_removed", reviewer=user)


def write(
    site: ForgeInstance, actor: Row, issue: Row, event: str, body: str, *, sha: str = "", remarks: Sequence[Remark] = ()
) -> Row:
    """Review a pull request; an unknown `event` makes a pending review, and a pending one of the actor is continued."""
    pull = pull_of(site, issue)
    state = event if event in _WORDS else "PENDING"
    refuse(issue, actor, event, body, has_remarks=bool(remarks))
    git, at = site.git(issue["repo_id"]), sha or pull["head_sha"]
    details = [_located(git, pull, remark) for remark in remarks]
    with site.state.writing():
        review = _pending(site, issue, actor) or _insert(site, issue, user_id=actor["id"], state="PENDING", sha=at)
        held = 0
        while held < len(remarks) and not (
            site.flavour.remark_past_end_crashes and _is_past_end(git, pull, remarks[held])
        ):
            timeline.write(site, actor, issue, "code", remarks[held].body, review_id=review["id"], **details[held])
            held += 1
    if held < len(remarks):  # and the review stays pending, with the remarks before this one
        raise broken()
    with site.state.writing():
        return submit(site, actor, issue, review, state=state, body=body)


def refuse(issue: Row, actor: Row, event: str, body: str, *, has_remarks: bool) -> None:
    """Refuse a review without a body, and a verdict on the actor's own pull request."""
    if event in {"APPROVED", "REQUEST_CHANGES"} and actor["id"] == issue["user_id"]:
        raise Refusal(422, f"{'approve' if event == 'APPROVED' else 'reject'} your own pull is not allowed")
    if event == "APPROVED" or body.strip():
        return
    if event != "COMMENT":
        raise Refusal(422, f"review event {event} requires a body")
    if not has_remarks:
        raise Refusal(422, "review event COMMENT requires a body or a comment")


def submit(site: ForgeInstance, actor: Row, issue: Row, review: Row, *, state: str, body: str) -> Row:
    """Give a review its verdict; an earlier verdict of the same user counts no longer."""
    verdict = state in {"APPROVED", "REQUEST_CHANGES"}
    with site.state.writing():
        if verdict:
            _supersede(site, issue, actor)
        official = verdict and _official(site, issue, actor)
        site.state.update("reviews", review["id"], state=state, body=body, official=official, updated=site.now())
        timeline.write(site, actor, issue, "review", body, review_id=review["id"])
        if state in _WORDS:
            now = site.must("issues", issue["id"])
            events.reviewed(site, actor, now, _WORDS[state], body)
            feed.record_issue(site, actor, now, _FEED[state], text=body[:200])
    return site.must("reviews", review["id"])


def _supersede(site: ForgeInstance, issue: Row, actor: Row) -> None:
    mine = (issue["id"], actor["id"])
    site.state.run("DELETE FROM reviews WHERE issue_id = ? AND user_id = ? AND state = 'REQUEST_REVIEW'", *mine)
    site.state.run(
        """UPDATE reviews SET dismissed = 1, official = 0, updated = ? WHERE issue_id = ? AND user_id = ?
           AND state IN ('APPROVED', 'REQUEST_CHANGES') AND NOT dismissed""",
        site.now(),
        *mine,
    )


def reply(site: ForgeInstance, actor: Row, issue: Row, remark: Row, body: str) -> Row:
    """Reply to a code comment: a comment of the same review on the same line.

    Real forges send the event of a plain comment (seen on Gitea 1.27 and Forgejo 11; Forgejo 17 by its source), but its
    id is no comment's: only the review's remarks have it.
    """
    if not body.strip():
        raise Refusal(422, "A reply needs words.")
    with site.state.writing():
        detail = json.loads(remark["detail"])
        detail.pop("resolver", None)
        said = timeline.write(site, actor, issue, "code", body, review_id=remark["review_id"], **detail)
        now = site.must("issues", issue["id"])
        events.commented(site, actor, now, "created", shapes.comment(site, said))
        feed.record_issue(site, actor, now, "comment_pull", comment_id=said["id"], text=body[:200])
    return said


def resolve(site: ForgeInstance, actor: Row, issue: Row, remark: Row, *, resolved: bool) -> None:
    """Call the conversation that a remark began resolved, or open again; who did so first stays. No event tells of it.

    The pull request's author may, and who writes pull requests or reviews officially (by Gitea's source).
    """
    if actor["id"] != issue["user_id"] and not (issues.may_write(site, actor, issue) or _official(site, issue, actor)):
        raise Refusal(403, "user should have permission to resolve comment")
    detail = json.loads(remark["detail"])
    resolver = detail.pop("resolver", actor["id"])
    if resolved:
        detail["resolver"] = resolver
    with site.state.writing():
        site.state.update("comments", remark["id"], detail=json.dumps(detail))


def delete(site: ForgeInstance, actor: Row, review: Row) -> None:
    """Remove one's own review with its remarks."""
    if review["user_id"] != actor["id"] and not actor["is_admin"]:
        raise Refusal(403, None)
    with site.state.writing():
        site.state.run("DELETE FROM comments WHERE review_id = ?", review["id"])
        site.state.run("DELETE FROM reviews WHERE id = ?", review["id"])


def dismiss(site: ForgeInstance, actor: Row, issue: Row, review: Row, message: str) -> Row:
    """Let a verdict count no longer; silent but for the timeline."""
    with site.state.writing():
        site.state.update("reviews", review["id"], dismissed=True, updated=site.now())
        timeline.write(site, actor, issue, "dismiss_review", message, review_id=review["id"])
        feed.record_issue(site, actor, issue, "pull_review_dismissed", text=message)
    return site.must("reviews", review["id"])


def head_moved(site: ForgeInstance, actor: Row, issue: Row, sha: str, *, other_content: bool) -> None:
    """Reviews of another content go stale, and where the rule says so approvals are dismissed."""
    if not other_content:
        site.state.run(
            "UPDATE reviews SET sha = ?, stale = 0 WHERE issue_id = ? AND NOT stale AND sha != ''", sha, issue["id"]
        )
        return
    site.state.run("UPDATE reviews SET stale = 1 WHERE issue_id = ? AND state != 'REQUEST_REVIEW'", issue["id"])
    repo = site.must("repositories", issue["repo_id"])
    rule = rules.rule_for(site, repo, pull_of(site, issue)["base_branch"])
    if rule and rule["dismiss_stale_approvals"]:
        for review in of_pull(site, issue):
            if review["state"] == "APPROVED" and not review["dismissed"]:
                dismiss(site, actor, issue, review, _DISMISSED)


def _insert(site: ForgeInstance, issue: Row, **columns: object) -> Row:
    now = site.now()
    return site.must("reviews", site.state.insert("reviews", issue_id=issue["id"], created=now, updated=now, **columns))


def _pending(site: ForgeInstance, issue: Row, actor: Row) -> Row | None:
    sql = "SELECT * FROM reviews WHERE issue_id = ? AND user_id = ? AND state = 'PENDING' ORDER BY id"
    return site.state.row(sql, issue["id"], actor["id"])


def _is_past_end(git: Git, pull: Row, remark: Remark) -> bool:
    """Whether a remark hangs on a new line that a file of the head does not have; a path that is not there is taken."""
    entry = next((each for each in git.tree(pull["head_sha"], remark.path) if each.path == remark.path), None)
    return entry is not None and remark.line > 0 and remark.line > len(git.blob(entry.sha).splitlines())


def _located(git: Git, pull: Row, remark: Remark) -> Row:
    """Where a remark hangs: any line of any file is taken, also one that does not exist."""
    base, head, line = pull["merge_base"], pull["head_sha"], abs(remark.line)
    sha = base
    if remark.line > 0:
        try:
            words = ("blame", "--porcelain", f"-L{line},{line}", head, "--", remark.path)
            sha = git.text(*words, env={"GIT_LITERAL_PATHSPECS": "1"})[:40]
        except GitFailed:
            sha = head
    hunk = diffs.hunk(git, base, head, remark.path, line=line, on_old=remark.line < 0)
    return {"path": remark.path, "line": remark.line, "sha": sha, "hunk": hunk}
