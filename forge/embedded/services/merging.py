"""Merging: whether a pull request may be merged and why not, merging it, and bringing its branch up to date."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from forge.embedded import merges, rules
from forge.embedded.git import ZERO, Moved
from forge.embedded.instance import ForgeInstance, Missing, Refusal, broken
from forge.embedded.services import people, pulls, pushes, repos, statuses, timeline
from forge.embedded.shapes.issues import is_draft
from forge.embedded.shapes.pulls import is_checking
from forge.embedded.shapes.repos import settings
from forge.embedded.state import Row

ALLOWED_BY = {
    "merge": "allow_merge_commits",
    "rebase": "allow_rebase",
    "rebase-merge": "allow_rebase_explicit",
    "squash": "allow_squash_merge",
    "fast-forward-only": "allow_fast_forward_only_merge",
    "manually-merged": "allow_manual_merge",
}


@dataclass(frozen=True, slots=True)
class MergeOptions:
    """How to merge a pull request."""

    style: str
    title: str = ""
    message: str = ""
    head_sha: str = ""
    commit_sha: str = ""
    """The commit that is said to have merged it already, for `manually-merged`."""
    delete_branch: bool = False
    force: bool = False


def blocked(site: ForgeInstance, issue: Row) -> str:
    """Why branch protection forbids the merge now, in a real forge's words; empty if it does not."""
    pull, repo = pulls.row(site, issue), site.must("repositories", issue["repo_id"])
    rule = rules.rule_for(site, repo, pull["base_branch"])
    if rule is None:
        return ""
    if rule["enable_status_check"]:
        latest = statuses.latest(site, repo, pull["head_sha"])
        if not statuses.satisfied(latest, rule["status_check_contexts"] or []):
            return "Not all required status checks successful"
    if word := _review_block(site, issue, rule):
        return word
    git, tip = site.git(repo), repos.tip(site, repo, pull["base_branch"])
    if rule["block_on_outdated_branch"] and not git.contains(pull["head_sha"], tip):
        return "The head branch is behind the base branch"
    if rules.protected_files(rule, git, pull["merge_base"], pull["head_sha"]):
        return "Changed protected files"
    return ""


def _review_block(site: ForgeInstance, issue: Row, rule: rules.ProtectionRule) -> str:
    counting = site.state.rows("SELECT * FROM reviews WHERE issue_id = ? AND official AND NOT dismissed", issue["id"])
    approvals = [
        row for row in counting if row["state"] == "APPROVED" and not (row["stale"] and rule["ignore_stale_approvals"])
    ]
    if len(approvals) < rule["required_approvals"]:
        return "Does not have enough approvals"
    states = {row["state"] for row in counting}
    if rule["block_on_rejected_reviews"] and "REQUEST_CHANGES" in states:
        return "There are requested changes"
    if rule["block_on_official_review_requests"] and "REQUEST_REVIEW" in states:
        return "There are official review requests"
    return ""


def check(site: ForgeInstance, actor: Row, issue: Row, wish: MergeOptions, *, scheduling: bool = False) -> None:
    """Refuse a merge for the first reason that a real forge finds; `head_sha` is not reviewed yet."""
    pull, repo = pulls.row(site, issue), site.must("repositories", issue["repo_id"])
    granted = rules.access(site, actor, repo)
    if pull["merged"] is not None:
        raise Refusal(405, site.flavour.merged_already)
    if issue["closed"] is not None:
        raise Missing
    if not rules.may_merge(site, repo, actor, pull["base_branch"], granted):
        raise Refusal(405, "User not allowed to merge PR")
    if wish.style == "manually-merged":
        return
    if is_draft(issue["title"]):
        raise Refusal(405, "Work in progress PRs cannot be merged")
    if pull["conflict"] or is_checking(site, pull) or pull["head_sha"] == pull["merge_base"]:
        # A check that still runs, a conflict for ever, and nothing left to merge are told in the same words.
        raise Refusal(405, "Please try again later")
    reason = blocked(site, issue)
    if reason and not scheduling and not (wish.force and _may_override(site, actor, repo, pull, granted)):
        raise Refusal(405, site.flavour.merge_refusal.format(reason))
    if site.state.row(
        "SELECT 1 FROM dependencies JOIN issues ON id = on_id WHERE issue_id = ? AND closed IS NULL", issue["id"]
    ):
        raise broken()


def _may_override(site: ForgeInstance, actor: Row, repo: Row, pull: Row, granted: rules.Access) -> bool:
    rule = rules.rule_for(site, repo, pull["base_branch"])
    if rule and rule["enable_bypass_allowlist"] and rules.listed(site, rule, "bypass_allowlist", actor):
        return True
    bound = rule is not None and rule[site.flavour.admins_key]
    return bool(actor["is_admin"]) or (granted.administers and not bound)


def merge(site: ForgeInstance, actor: Row, issue: Row, wish: MergeOptions) -> None:
    """Merge a pull request now."""
    check(site, actor, issue, wish)
    pull, repo = pulls.row(site, issue), site.must("repositories", issue["repo_id"])
    if not settings(repo)[ALLOWED_BY[wish.style]]:
        raise Refusal(405, f"{wish.style} is not allowed an allowed merge style for this repository")
    if wish.style == "manually-merged":
        _mark(site, actor, issue, wish.commit_sha)
        return
    if wish.head_sha and wish.head_sha != pull["head_sha"]:
        # A try that failed makes a real forge check for conflicts again.
        site.state.update("pulls", pull["id"], checking_until=site.clock() + site.check_delay)
        raise Refusal(409, "head out of date")
    _perform(site, actor, issue, wish)
    if wish.delete_branch:
        _delete_head(site, actor, issue)


def _perform(site: ForgeInstance, actor: Row, issue: Row, wish: MergeOptions) -> None:
    pull, repo = pulls.row(site, issue), site.must("repositories", issue["repo_id"])
    author, git = people.by_id(site, issue["user_id"]), site.git(repo)
    old = repos.tip(site, repo, pull["base_branch"])
    signs = repos.signature(site, author), repos.signature(site, actor)
    try:
        new = merges.perform(
            git, wish.style, merges.Merge(old, pull["head_sha"], _message(site, issue, pull, wish), *signs)
        )
    except merges.Conflicting as error:
        raise Refusal(409, str(error)) from error
    except merges.Diverged as error:
        raise broken() from error
    try:
        pushes.move(site, actor, repo, [(f"refs/heads/{pull['base_branch']}", old, new)], {"merged": issue["id"]})
    except Moved as error:
        raise Refusal(409, f"PushRejected with remote message: error: {error}") from error


def _message(site: ForgeInstance, issue: Row, pull: Row, wish: MergeOptions) -> str:
    source = site.state.get("repositories", pull["head_repo_id"])
    elsewhere = source and source["id"] != issue["repo_id"]
    head = f"{source['owner']}:{pull['head_branch']}" if source and elsewhere else pull["head_branch"]
    title = wish.title or (
        f"{issue['title']} (#{issue['number']})"
        if wish.style == "squash"
        else f"Merge pull request '{issue['title']}' (#{issue['number']}) from {head} into {pull['base_branch']}"
    )
    return f"{title}\n\n{wish.message}" if wish.message else title


def _mark(site: ForgeInstance, actor: Row, issue: Row, commit_sha: str) -> None:
    """Mark as merged by a commit of the base branch: real forges do not check its content."""
    pull, repo = pulls.row(site, issue), site.must("repositories", issue["repo_id"])
    git, tip = site.git(repo), repos.tip(site, repo, pull["base_branch"])
    sha = git.resolve(commit_sha) if commit_sha else ""
    if not sha or not git.contains(tip, sha):
        raise Refusal(405, "Wrong commit ID")
    pushes.mark_merged(site, actor, issue, sha)


def _delete_head(site: ForgeInstance, actor: Row, issue: Row) -> None:
    pull = pulls.row(site, issue)
    source = site.state.get("repositories", pull["head_repo_id"])
    branch = pull["head_branch"]
    tip = repos.tip(site, source, branch) if source else ""
    if source is None or not tip or branch == source["default_branch"] or pulls.of_head(site, source, branch):
        return
    if rules.access(site, actor, source).writes(rules.CODE) and rules.rule_for(site, source, branch) is None:
        pushes.move(site, actor, source, [(f"refs/heads/{branch}", tip, ZERO)], {"pull": issue["id"]})


def schedule(site: ForgeInstance, actor: Row, issue: Row, wish: MergeOptions) -> bool:
    """Merge as soon as protection allows it, in the name of the actor; at once if it does already."""
    check(site, actor, issue, wish, scheduling=True)
    pull = pulls.row(site, issue)
    if pull["schedule"]:
        raise Refusal(
            409, f"pull request is already scheduled to auto merge when checks succeed [pull_id: {pull['id']}]"
        )
    if not blocked(site, issue):
        merge(site, actor, issue, wish)
        return False
    with site.state.writing():
        # The head is not pinned: what is pushed afterwards is merged as well, as on real forges.
        text = json.dumps(asdict(wish) | {"head_sha": "", "actor": actor["id"]})
        site.state.update("pulls", pull["id"], schedule=text)
        timeline.write(site, actor, issue, "pull_scheduled_merge")
    return True


def unschedule(site: ForgeInstance, actor: Row, issue: Row) -> None:
    """Cancel a scheduled merge."""
    pull = pulls.row(site, issue)
    if not pull["schedule"]:
        raise Missing
    with site.state.writing():
        site.state.update("pulls", pull["id"], schedule=None)
        timeline.write(site, actor, issue, "pull_cancel_scheduled_merge")


def merge_scheduled(site: ForgeInstance, repo: Row) -> None:
    """Perform the scheduled merges that are allowed now."""
    sql = """SELECT issues.*, schedule FROM issues JOIN pulls ON issue_id = issues.id
             WHERE pulls.repo_id = ? AND schedule IS NOT NULL AND closed IS NULL ORDER BY issues.id"""
    for row in site.state.rows(sql, repo["id"]):
        wish = json.loads(row.pop("schedule"))
        actor = people.by_id(site, wish.pop("actor"))
        if not blocked(site, row):
            try:
                merge(site, actor, row, MergeOptions(**wish))
            except Refusal:
                continue


def update(site: ForgeInstance, actor: Row, issue: Row, style: str) -> None:
    """Bring the head branch up to date with its base, by a merge or by a rebase."""
    pull, repo = pulls.row(site, issue), site.must("repositories", issue["repo_id"])
    source, branch = site.state.get("repositories", pull["head_repo_id"]), pull["head_branch"]
    if source is None or not rules.may_push(site, source, actor, branch, rules.access(site, actor, source)):
        raise Refusal(403, None)
    git, base, head = site.git(repo), repos.tip(site, repo, pull["base_branch"]), pull["head_sha"]
    if git.contains(head, base):
        raise broken()
    who = repos.signature(site, actor)
    message = f"Merge branch '{pull['base_branch']}' into {branch}"
    try:
        if style == "rebase":
            new = merges.rebased(git, base, head, who)
        else:
            new = merges.perform(git, "merge", merges.Merge(head, base, message, who, who))
    except merges.Conflicting as error:
        raise Refusal(409, "merge failed because of conflict") from error
    if source["id"] != repo["id"]:
        git.point(f"refs/pull/{issue['number']}/update", new)
        site.git(source).borrow(git, f"refs/pull/{issue['number']}/update")
        git.text("update-ref", "-d", f"refs/pull/{issue['number']}/update")
    pushes.move(site, actor, source, [(f"refs/heads/{branch}", head, new)])
