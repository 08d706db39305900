"""Movements of branches and tags: prepared before git moves the ref, recorded after it.

Recording a movement writes the push record of the feed, sends events, closes issues and updates
pull requests. `recover` records what a crash left unrecorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from forge.embedded import events
from forge.embedded.git import ZERO, Commit, Git, Moved
from forge.embedded.instance import ForgeInstance
from forge.embedded.rules import NO_ACCESS, OWN, access
from forge.embedded.services import feed, issues, people, pulls, repos, timeline
from forge.embedded.shapes import commits as shapes
from forge.embedded.shapes import repos as repo_shapes
from forge.embedded.shapes.repos import settings
from forge.embedded.shapes.values import Json, when
from forge.embedded.state import Row

Move = tuple[str, str, str]
"""`ref, old, new`; forty zeros where there is nothing."""

_FEED_COMMITS = 5


@dataclass(frozen=True, slots=True)
class _Push:
    """One movement with all that git says about it."""

    prepared: Row
    actor: Row
    repo: Row
    commits: tuple[Commit, ...]
    head: Commit | None
    compare: str

    @property
    def move(self) -> Move:
        return self.prepared["ref"], self.prepared["old"], self.prepared["new"]


def move(site: ForgeInstance, actor: Row, repo: Row, moves: Sequence[Move], cause: Row | None = None) -> None:
    """Move refs and record it; raises Moved if one is not where it was."""
    with site.moving(repo["id"]):
        prepared = prepare(site, actor, repo, moves, cause)
        try:
            site.git(repo).move(moves)
        except Moved:
            abort(site, prepared)
            raise
        record(site, prepared)


def prepare(site: ForgeInstance, actor: Row, repo: Row, moves: Iterable[Move], cause: Row | None = None) -> list[int]:
    """Log the movements that are about to be made; `cause` is what else they mean."""
    about = {"repo_id": repo["id"], "actor_id": actor["id"], "cause": json.dumps(cause or {})}
    with site.state.writing():
        return [site.state.insert("moves", ref=ref, old=old, new=new, **about) for ref, old, new in moves]


def abort(site: ForgeInstance, prepared: Iterable[int]) -> None:
    """Drop movements that were not made."""
    with site.state.writing():
        for key in prepared:
            site.state.run("DELETE FROM moves WHERE id = ?", key)


def record(site: ForgeInstance, prepared: Iterable[int]) -> None:
    """Record movements: feed, events and closed issues; then update pull requests."""
    pushes = [_look(site, row) for key in prepared if (row := site.state.get("moves", key))]
    with site.state.writing():
        for push in pushes:
            _record(site, push)
    for push in pushes:
        ref, _, new = push.move
        if ref.startswith("refs/heads/") and new != ZERO:
            sync_pulls(site, push.repo, ref.removeprefix("refs/heads/"))


def sync_pulls(site: ForgeInstance, repo: Row, branch: str) -> None:
    """Update the open pull requests from and into a branch."""
    ref = site.state.row("SELECT * FROM refs WHERE repo_id = ? AND name = ?", repo["id"], f"refs/heads/{branch}")
    if ref is None:
        return
    for issue in pulls.of_head(site, repo, branch):
        known = pulls.row(site, issue)["head_sha"]
        if known != ref["sha"]:
            pulls.follow(site, people.by_id(site, ref["actor_id"]), issue, known, ref["sha"])
    if settings(repo)["autodetect_manual_merge"]:
        _detect_merges(site, repo, branch, ref["sha"])
    pulls.recheck(site, repo, branch)


def _detect_merges(site: ForgeInstance, repo: Row, branch: str, tip: str) -> None:
    """Mark pull requests whose head is in the branch as merged by the author of the commit.

    Anybody who may push can sign as anybody: so it is on real forges, and so `merged_by` proves nothing.
    """
    git = site.git(repo)
    for issue in pulls.of_repo(site, repo, state="open", base=branch):
        pull = pulls.row(site, issue)
        if pull["head_sha"] == pull["merge_base"] or not git.contains(tip, pull["head_sha"]):
            continue
        path = git.text("rev-list", "--ancestry-path", "--merges", "--reverse", f"{pull['head_sha']}..{tip}").split()
        commit = git.commit(path[0] if path else pull["head_sha"])
        sql = "SELECT * FROM users WHERE email = ? COLLATE NOCASE AND NOT is_org"
        signer = site.state.row(sql, commit.author.email) or people.by_id(site, repo["owner_id"])
        mark_merged(site, signer, issue, commit.sha)


def recover(site: ForgeInstance) -> None:
    """Record what git did before a crash, drop what it did not, and update pull requests."""
    for row in site.state.rows("SELECT * FROM moves ORDER BY id"):
        repo = site.state.get("repositories", row["repo_id"])
        now = site.git(repo).refs(row["ref"]).get(row["ref"], ZERO) if repo else ""
        if now == row["new"]:
            record(site, [row["id"]])
        else:
            abort(site, [row["id"]])
    for ref in site.state.rows("SELECT * FROM refs WHERE name LIKE 'refs/heads/%'"):
        sync_pulls(site, site.must("repositories", ref["repo_id"]), ref["name"].removeprefix("refs/heads/"))


def _look(site: ForgeInstance, prepared: Row) -> _Push:
    """Ask git for the commits of a movement, newest first."""
    actor, repo = people.by_id(site, prepared["actor_id"]), site.must("repositories", prepared["repo_id"])
    git, ref, old, new = site.git(repo), prepared["ref"], prepared["old"], prepared["new"]
    path = f"{repo['full_name']}/compare"
    if new == ZERO:
        return _Push(prepared, actor, repo, (), None, "")
    head = git.commit(git.resolve(new))
    if ref.startswith("refs/tags/"):
        return _Push(prepared, actor, repo, (), head, f"{path}/{old}...{new}")
    if old != ZERO:
        return _Push(prepared, actor, repo, tuple(git.commits(f"{old}..{new}")), head, f"{path}/{old}...{new}")
    brought, compare = _new_branch(site, git, repo, head)
    return _Push(prepared, actor, repo, brought, head, compare)


def _new_branch(site: ForgeInstance, git: Git, repo: Row, head: Commit) -> tuple[tuple[Commit, ...], str]:
    """What a new branch brings beyond the default one, and what to compare it with."""
    default = repos.tip(site, repo, repo["default_branch"])
    brought = git.commits(head.sha, f"^{default}") if default else git.commits(head.sha)
    start = next(iter(brought[-1].parents), ZERO) if brought else repo["default_branch"]
    return tuple(brought), f"{repo['full_name']}/compare/{start}...{head.sha}"


def _record(site: ForgeInstance, push: _Push) -> None:
    ref, old, new = push.move
    site.state.run("DELETE FROM moves WHERE id = ?", push.prepared["id"])
    if new == ZERO:
        site.state.run("DELETE FROM refs WHERE repo_id = ? AND name = ?", push.repo["id"], ref)
    else:
        site.state.run("INSERT OR REPLACE INTO refs VALUES (?, ?, ?, ?)", push.repo["id"], ref, new, push.actor["id"])
    site.state.update("repos", push.repo["id"], updated=site.now())
    if ref.startswith("refs/tags/"):
        _record_tag(site, push)
    elif new == ZERO:
        _record_deletion(site, push)
    else:
        _record_branch(site, push, created=old == ZERO)


def _record_branch(site: ForgeInstance, push: _Push, *, created: bool) -> None:
    cause: Row = json.loads(push.prepared["cause"])
    if "merged" in cause:
        mark_merged(site, push.actor, site.must("issues", cause["merged"]), push.prepared["new"])
    _refer(site, push)
    if created:
        events.ref_created(site, push.actor, push.repo, push.prepared["ref"], push.prepared["new"])
    _tell(site, push)
    feed.record(site, push.actor, push.repo, "commit_repo", ref=push.prepared["ref"], content=_feed_content(push))


def _record_deletion(site: ForgeInstance, push: _Push) -> None:
    branch = push.prepared["ref"].removeprefix("refs/heads/")
    cause: Row = json.loads(push.prepared["cause"])
    if "pull" in cause:
        timeline.write(site, push.actor, site.must("issues", cause["pull"]), "delete_branch", old_ref=branch)
    events.ref_deleted(site, push.actor, push.repo, push.prepared["ref"])
    feed.record(site, push.actor, push.repo, "delete_branch", ref=push.prepared["ref"])
    pulls.close_all(site, push.actor, pulls.of_head(site, push.repo, branch))


def _record_tag(site: ForgeInstance, push: _Push) -> None:
    ref, _, new = push.move
    _tell(site, push)
    if new != ZERO:
        events.ref_created(site, push.actor, push.repo, ref, new)
        feed.record(site, push.actor, push.repo, "push_tag", ref=ref, content=_feed_content(push))
        return
    events.ref_deleted(site, push.actor, push.repo, ref)
    feed.record(site, push.actor, push.repo, "delete_tag", ref=ref)
    entry = site.state.row(
        "SELECT * FROM releases WHERE repo_id = ? AND tag = ?", push.repo["id"], ref.removeprefix("refs/tags/")
    )
    if entry:
        site.state.run("DELETE FROM releases WHERE id = ?", entry["id"])


def _tell(site: ForgeInstance, push: _Push) -> None:
    """Send the push event."""

    def shape(commit: Commit) -> Json:
        return shapes.payload(site, push.repo, commit, files=True, verified=False)

    listed = [shape(commit) for commit in push.commits]
    shown = repo_shapes.repo(site, push.repo, push.actor, OWN)
    head = shape(push.head) if push.head else None
    payload = events.push_payload(site, push.actor, push.move, listed, compare=push.compare, head=head, shown=shown)
    events.emit(site, push.repo, "push", payload, ref=push.prepared["ref"])


def _refer(site: ForgeInstance, push: _Push) -> None:
    """Commits that name issues leave a row there; on the default branch they close those they say to close."""
    granted = access(site, push.actor, push.repo) if push.actor["id"] > 0 else NO_ACCESS
    default = push.prepared["ref"] == f"refs/heads/{push.repo['default_branch']}"
    for commit in reversed(push.commits):
        for issue in timeline.refer_commit(site, push.actor, push.repo, commit):
            if default and (issue["user_id"] == push.actor["id"] or granted.writes("repo.issues")):
                _close(site, push.actor, issue, commit.sha)


def _close(site: ForgeInstance, actor: Row, issue: Row, sha: str) -> None:
    now = site.must("issues", issue["id"])
    if now["closed"] is None and not issues.blockers(site, now):
        issues.set_state(site, actor, now, closed=True, commit_id=sha)


def mark_merged(site: ForgeInstance, actor: Row, issue: Row, sha: str) -> None:
    """A pull request is merged by the commit `sha`: close it and the issues that it says to close."""
    now = site.now()
    with site.state.writing():
        site.state.run(
            "UPDATE pulls SET merged = ?, merged_by = ?, merge_sha = ?, schedule = NULL WHERE issue_id = ?",
            now,
            actor["id"],
            sha,
            issue["id"],
        )
        site.state.update("issues", issue["id"], closed=now)
        timeline.write(site, actor, issue, "merge_pull")
        current = site.must("issues", issue["id"])
        events.about_pull(site, actor, current, "pull_request", "closed")
        feed.record_issue(site, actor, current, "merge_pull_request")
        sql = """SELECT issues.* FROM issues JOIN comments ON issue_id = issues.id WHERE kind = 'pull_ref'
                 AND json_extract(detail, '$.ref_issue') = ? AND json_extract(detail, '$.ref_action') = 'closes'"""
        for closing in site.state.rows(sql, issue["id"]):
            _close(site, actor, closing, sha)


def _feed_content(push: _Push) -> str:
    """What a push record says; its CompareURL ends in the two shas that the ref moved between."""
    compare = (
        push.compare
        if push.prepared["old"] == ZERO
        else f"{push.repo['full_name']}/compare/{push.prepared['old']}...{push.prepared['new']}"
    )
    content = {
        "Commits": [_feed_commit(commit) for commit in push.commits[:_FEED_COMMITS]],
        "HeadCommit": _feed_commit(push.head) if push.head else None,
        "CompareURL": compare,
        "Len": len(push.commits),
    }
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _feed_commit(commit: Commit) -> Json:
    return {
        "Sha1": commit.sha,
        "Message": commit.message.rstrip("\n"),
        "AuthorEmail": commit.author.email,
        "AuthorName": commit.author.name,
        "CommitterEmail": commit.committer.email,
        "CommitterName": commit.committer.name,
        "Signature": None,
        "Verification": None,
        "Timestamp": when(commit.committer.when),
    }
