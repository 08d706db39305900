"""Webhook events: their payloads, and which hooks get them. Stores deliveries; sends nothing.

Each event is one payload for all hooks that want it. The `permissions` of its repository depend on
the kind of event and not only on the sender: seen on Forgejo 10, 17 and Gitea 1.26.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from forge.embedded import rules
from forge.embedded.dialect import shaped
from forge.embedded.instance import ForgeInstance
from forge.embedded.rules import NO_ACCESS, OWN, Access, Mode
from forge.embedded.services import people as accounts
from forge.embedded.shapes import issues, people, pulls, repos
from forge.embedded.shapes.values import Json, always, columns, when
from forge.embedded.state import Row

_READ = Access(Mode.READ, dict.fromkeys(rules.UNITS, Mode.READ))

COARSE = {
    **dict.fromkeys(("issue_assign", "issue_label", "issue_milestone"), "issues"),
    **{f"pull_request_{what}": "pull_request" for what in ("assign", "label", "milestone", "sync", "review_request")},
    "pull_request_comment": "issue_comment",
    "pull_request_review_approved": "pull_request_approved",
    "pull_request_review_rejected": "pull_request_rejected",
    "pull_request_review_comment": "pull_request_comment",
}
"""The coarse event (`X-Forgejo-Event`) of a kind (`X-Forgejo-Event-Type`), where they differ."""

_BY_AUTHOR = {("issue_label", "label_updated"), ("issues", "closed"), ("issues", "reopened")}

GATES = {"pull_request_review_comment": "pull_request_comment"}
"""The event that a hook of Forgejo must have chosen for a kind, where it is not the kind itself."""


def emit(site: ForgeInstance, repo: Row, kind: str, payload: Json, *, ref: str = "") -> None:
    """Store a delivery for each webhook that subscribes to this event of this repository."""
    for hook in _hooks(site, repo):
        if _wants(site, hook, kind) and _passes(hook["branch_filter"], ref):
            deliver(site, hook, kind, _fitting(hook, kind, payload))


def is_subscribed(site: ForgeInstance, repo: Row, kind: str) -> bool:
    """Whether any webhook subscribes to this event of this repository."""
    return any(_wants(site, hook, kind) for hook in _hooks(site, repo))


def _hooks(site: ForgeInstance, repo: Row) -> list[Row]:
    sql = """SELECT * FROM hooks WHERE active AND (repo_id = ? OR owner_id = ? OR is_system) ORDER BY repo_id IS NULL, is_system, id"""
    return site.state.rows(sql, repo["id"], repo["owner_id"])


def _wants(site: ForgeInstance, hook: Row, kind: str) -> bool:
    gate = kind if site.flavour.reviews_are_one_event else GATES.get(kind, kind)
    return gate in json.loads(hook["events"])


def deliver(site: ForgeInstance, hook: Row, kind: str, body: str) -> None:
    """Store one delivery; it is sent soon after the change is committed."""
    due = site.clock() + site.hook_delay
    site.state.insert("deliveries", hook_id=hook["id"], uuid=str(uuid.uuid4()), kind=kind, body=body, due=due)


def _passes(branch_filter: str, ref: str) -> bool:
    if not branch_filter or not ref.startswith("refs/heads/"):
        return True
    branch, patterns = ref.removeprefix("refs/heads/"), branch_filter.strip("{}").split(",")
    return any(rules.matches(pattern, branch, across=True) for pattern in patterns)


def _fitting(hook: Row, kind: str, payload: Json) -> str:
    if kind in {"create", "delete"} and hook["type"] == "gitea":
        payload = payload | {"ref": payload["ref"].split("/", 2)[2]}
    return json.dumps(payload, indent=2, ensure_ascii=False)


def about_issue(
    site: ForgeInstance, actor: Row, issue: Row, kind: str, action: str, *, commit_id: str = "", **more: Any
) -> None:
    """An issue changed, or the issue side of a pull request (`issue_label` becomes `pull_request_label`)."""
    if issue["is_pull"]:
        name = {"issues": "pull_request"}.get(kind, kind.replace("issue_", "pull_request_"))
        granted = OWN if kind == "issue_label" and action == "label_updated" else None
        about_pull(site, actor, issue, name, action, granted=granted, **more)
        return
    # Labels and states are told with the permissions of the issue's author.
    measure = accounts.by_id(site, issue["user_id"]) if (kind, action) in _BY_AUTHOR else actor
    repo = site.must("repositories", issue["repo_id"])
    payload = {
        "action": action,
        "number": issue["number"],
        **_changes(site, more),
        "issue": issues.issue(site, issue, actor) | more.get("overlay", {}),
        "commit_id": commit_id,
    }
    _tell(site, actor, repo, kind, payload, granted=rules.access(site, measure, repo))


def about_pull(
    site: ForgeInstance, actor: Row, issue: Row, kind: str, action: str, *, granted: Access | None = None, **more: Any
) -> None:
    """A pull request changed."""
    reviewer = more.get("reviewer")
    payload = {
        "action": action,
        "number": issue["number"],
        **_changes(site, more),
        "pull_request": pulls.pull(site, issue, actor) | more.get("overlay", {}),
        "requested_reviewer": people.user(site, reviewer) if reviewer else None,
        "commit_id": "",
        "review": more.get("review"),
    }
    _tell(site, actor, site.must("repositories", issue["repo_id"]), kind, payload, granted=granted)


def reviewed(site: ForgeInstance, actor: Row, issue: Row, word: str, content: str) -> None:
    """A review was submitted: the event has neither its id nor its comments."""
    kind = f"pull_request_review_{word}"
    review = {"type": kind, "content": content}
    about_pull(site, actor, issue, kind, "reviewed", granted=_READ, reviewer=actor, review=review)


def commented(site: ForgeInstance, actor: Row, issue: Row, action: str, comment: Json, **more: Any) -> None:
    """A comment was written, edited or deleted."""
    payload = {
        "action": action,
        "issue": issues.issue(site, issue, actor),
        **({"pull_request": pulls.pull(site, issue, actor)} if issue["is_pull"] else {}),
        "comment": comment,
        **_changes(site, more),
        "is_pull": bool(issue["is_pull"]),
    }
    kind = "pull_request_comment" if issue["is_pull"] else "issue_comment"
    _tell(site, actor, site.must("repositories", issue["repo_id"]), kind, payload)


def about_repo(site: ForgeInstance, actor: Row, repo: Row, action: str) -> None:
    """A repository was created or deleted."""
    owner = people.user(site, accounts.by_id(site, repo["owner_id"]))
    _tell(site, actor, repo, "repository", {"action": action, "organization": owner}, granted=OWN)


def ref_created(site: ForgeInstance, actor: Row, repo: Row, ref: str, sha: str) -> None:
    """A branch or tag was created."""
    payload = {
        "sha": sha,
        "ref": ref,
        "ref_type": _ref_type(ref),
        "repository": repos.repo(site, repo, None, NO_ACCESS),
    }
    _tell(site, actor, repo, "create", payload, ref=ref)


def ref_deleted(site: ForgeInstance, actor: Row, repo: Row, ref: str) -> None:
    """A branch or tag was deleted."""
    payload = {"ref": ref, "ref_type": _ref_type(ref), "pusher_type": "user"}
    _tell(site, actor, repo, "delete", payload, granted=OWN, ref=ref)


def push_payload(
    site: ForgeInstance,
    actor: Row,
    move: tuple[str, str, str],
    commits: list[Json],
    *,
    compare: str,
    head: Json | None,
    shown: Json,
) -> Json:
    """The payload of a push; `move` is `ref, old, new`, `commits` newest first, `shown` the repository."""
    ref, old, new = move
    return {
        "ref": ref,
        "before": old,
        "after": new,
        "compare_url": f"{site.url}/{compare}",
        "commits": commits[: site.flavour.push_commits],
        "total_commits": len(commits),
        "head_commit": head,
        "repository": shown,
        "pusher": people.user(site, actor),
        "sender": people.user(site, actor),
    }


def status(site: ForgeInstance, actor: Row, repo: Row, entry: Row, commit: Json) -> None:
    """A commit got a status: Forgejo has no such event, and none of its hooks can choose it."""
    about = columns(entry, "id context description sha state target_url")
    moments = always(when(entry["created"]), "created_at updated_at")
    _tell(site, actor, repo, "status", {"commit": commit, **about, **moments})


def _tell(
    site: ForgeInstance,
    actor: Row,
    repo: Row,
    kind: str,
    payload: Json,
    *,
    granted: Access | None = None,
    ref: str = "",
) -> None:
    """Add the repository and the sender to a payload and send it; `granted` replaces what the sender may do."""
    shown = payload.get("repository") or repos.repo(site, repo, actor, granted or rules.access(site, actor, repo))
    emit(site, repo, kind, payload | {"repository": shown, "sender": people.user(site, actor)}, ref=ref)


def _ref_type(ref: str) -> str:
    return "branch" if ref.startswith("refs/heads/") else "tag"


def _changes(site: ForgeInstance, more: Json) -> Json:
    if "changes" not in more:
        return {}
    changed = {key: {"from": old} for key, old in more["changes"].items()}
    return {"changes": shaped(site.flavour, "changes", changed | {"added_labels": None, "removed_labels": None})}
