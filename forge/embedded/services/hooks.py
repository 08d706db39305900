"""Webhooks: created, changed and deleted, with the quirks of a real forge's PATCH."""

from __future__ import annotations

import json
from collections.abc import Sequence

from forge.embedded import events
from forge.embedded.instance import ForgeInstance, Missing, Refusal
from forge.embedded.rules import NO_ACCESS
from forge.embedded.services import repos
from forge.embedded.shapes import commits
from forge.embedded.shapes import repos as shapes
from forge.embedded.state import Row

_ISSUES = ("issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment")
_PULLS = (
    "pull_request", "pull_request_assign", "pull_request_label", "pull_request_milestone", "pull_request_comment",
    "pull_request_review_approved", "pull_request_review_rejected", "pull_request_review_comment", "pull_request_sync",
    "pull_request_review_request",
)  # fmt: skip
_MEANS = {
    "issues": _ISSUES,
    "issues_only": ("issues",),
    "pull_request": _PULLS,
    "pull_request_only": ("pull_request",),
    "pull_request_review": tuple(name for name in _PULLS if "_review_" in name and "request" not in name[12:]),
}
_ONE_FOR_ALL = dict.fromkeys(shapes.REVIEWS, "pull_request_review")
_ORDER = (
    "create",
    "delete",
    "fork",
    "push",
    *_ISSUES,
    *_PULLS[:-1],
    "wiki",
    "repository",
    "release",
    "package",
    _PULLS[-1],
)


def events_of(site: ForgeInstance, wanted: Sequence[str]) -> list[str]:
    """The events as a forge lists them: in fine names, unknown ones left out."""
    # Gitea takes the names of single reviews for all of them.
    words = [_ONE_FOR_ALL.get(word, word) if site.flavour.reviews_are_one_event else word for word in wanted]
    chosen = {name for word in words for name in _MEANS.get(word, (word,))}
    return [name for name in (*_ORDER, *site.flavour.extra_events) if name in chosen]


def create(site: ForgeInstance, place: Row, wanted: Row) -> Row:
    """A hook of a place (`repo_id`, `owner_id` or `is_system`); not active, and for pushes, when not told otherwise."""
    config = wanted.get("config") or {}
    if wanted.get("type") not in {*site.flavour.hook_types, "slack", "discord"}:
        raise Refusal(422, f"Invalid hook type: {wanted.get('type', '')}")
    for name in ("url", "content_type"):
        if name not in config:
            raise Refusal(422, f"Missing config option: {name}")
    if config["content_type"] != "json":
        raise Refusal(422, "Invalid content type")
    key = site.state.insert(
        "hooks",
        **place,
        type=wanted["type"],
        url=config["url"],
        content_type=config["content_type"],
        secret=config.get("secret", ""),
        authorization=wanted.get("authorization_header", ""),
        branch_filter=wanted.get("branch_filter", ""),
        events=json.dumps(events_of(site, wanted.get("events") or ["push"])),
        active=bool(wanted.get("active")),
        created=site.now(),
        updated=site.now(),
    )
    return site.must("hooks", key)


def edit(site: ForgeInstance, hook: Row, wanted: Row) -> Row:
    """Change a hook: events and branch filter that are not told again are reset, and the secret is never changed."""
    config = wanted.get("config") or {}
    old = json.loads(hook["events"])
    kept = (
        [name for name in old if name in site.flavour.extra_events]
        if site.flavour.hook_patch_keeps_authorization
        else []
    )
    chosen = wanted.get("events") or ["push"]
    authorization = wanted.get("authorization_header", "")
    if site.flavour.hook_patch_keeps_authorization and not authorization:
        authorization = hook["authorization"]
    site.state.update(
        "hooks",
        hook["id"],
        url=config.get("url", hook["url"]),
        content_type=config.get("content_type", hook["content_type"]),
        authorization=authorization,
        branch_filter=wanted.get("branch_filter", ""),
        events=json.dumps(events_of(site, [*chosen, *kept])),
        active=wanted.get("active", hook["active"]),
        updated=site.now(),
    )
    return site.must("hooks", hook["id"])


def of(site: ForgeInstance, place: Row) -> list[Row]:
    """The webhooks of an owner, oldest first."""
    (column, key), *_ = place.items()
    return site.state.rows(f"SELECT * FROM hooks WHERE {column} = ? ORDER BY id", key)  # noqa: S608 (column is ours)


def one(site: ForgeInstance, place: Row, key: int) -> Row:
    """One hook of a place."""
    found = [hook for hook in of(site, place) if hook["id"] == key]
    if not found:
        raise Missing
    return found[0]


def delete(site: ForgeInstance, hook: Row) -> None:
    """Remove a webhook; its pending deliveries are lost."""
    site.state.run("DELETE FROM hooks WHERE id = ?", hook["id"])


def test(site: ForgeInstance, actor: Row, repo: Row, hook: Row) -> None:
    """Send a test push of the newest commit, whatever the webhook subscribes to."""
    tip = repos.tip(site, repo, repo["default_branch"])
    if not tip:
        return
    newest = commits.payload(site, repo, site.git(repo).commit(tip), files=False)
    move, compare = (f"refs/heads/{repo['default_branch']}", tip, tip), f"{repo['full_name']}/compare/{tip}...{tip}"
    shown = shapes.repo(site, repo, None, NO_ACCESS)
    payload = events.push_payload(site, actor, move, [newest], compare=compare, head=newest, shown=shown)
    events.deliver(site, hook, "push", json.dumps(payload, indent=2, ensure_ascii=False))
