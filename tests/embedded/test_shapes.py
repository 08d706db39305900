"""The shapes of what the API answers and the hooks tell, as recorded from a real forge and kept in golden files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.embedded.conftest import Receiver, Village

    Golden = Callable[[str, str], None]

KINDS = {type(None): "null", bool: "yes or no", int: "number", str: "text", dict: "{…}"}


def kind(value: Any) -> str:
    """What a value is, without saying which."""
    if value == "":
        return '""'
    if isinstance(value, list):
        return f"[{kind(value[0])}]" if value else "[]"
    return KINDS[type(value)]


def sketches(name: str, value: Any, known: set[tuple[str, ...]]) -> Iterator[str]:
    """The keys of a thing in their order, each with what its value is; then the same of its parts, each shape once."""
    thing = value[0] if isinstance(value, list) and value else value
    if not isinstance(thing, dict) or tuple(thing) in known:
        return
    known.add(tuple(thing))
    yield "\n".join([f"## {name}", *(f"{key}: {kind(one)}" for key, one in thing.items()), ""])
    for key, one in thing.items():
        yield from sketches(f"{name}, {key}", one, known)


def drawn(things: dict[str, Any]) -> str:
    """Sketches of many things."""
    known: set[tuple[str, ...]] = set()
    return "\n".join(line for name, thing in things.items() for line in sketches(name, thing, known)).rstrip("\n")


def story(village: Village) -> None:
    """A bit of everything: a labelled issue, and a pull request that is reviewed."""
    label = village.core.post("~/labels", {"name": "kind/bug", "color": "#00aabb", "exclusive": True})["id"]
    soon = village.core.post("~/milestones", {"title": "soon"})["id"]
    village.core.post("~/issues", {"title": "bug", "labels": [label], "milestone": soon, "assignees": ["iris"]})
    village.core.post("~/issues/1/comments", {"body": "seen, @iris"})
    village.core.branch("topic", {"x.txt": "x\n"})
    village.core.post("~/pulls", {"title": "topic", "head": "topic", "base": "main", "body": "Closes #1"})
    village.core.post("~/pulls/2/requested_reviewers", {"reviewers": ["iris"]})
    remark = {"path": "x.txt", "body": "why?", "new_position": 1}
    village.mara.post("~/pulls/2/reviews", {"event": "APPROVED", "body": "fine", "comments": [remark]})
    village.core.post(
        f"~/statuses/{village.core.get('~/pulls/2')['head']['sha']}", {"context": "ci", "state": "success"}
    )
    village.core.post("~/tags", {"tag_name": "v1", "target": "main", "message": "one"})


ASKED = {
    "version": "/version",
    "user": "/user",
    "organisation": "/orgs/acme",
    "team": "/orgs/acme/teams",
    "permission": "~/collaborators/iris/permission",
    "repository": "~",
    "activity": "~/activities/feeds",
    "protection": "~/branch_protections/main",
    "branch": "~/branches/main",
    "commit": "~/commits",
    "tag": "~/tags",
    "ref": "~/git/refs",
    "tree": "~/git/trees/main",
    "comparison": "~/compare/main...topic",
    "content": "~/contents/README.md",
    "label": "~/labels",
    "milestone": "~/milestones",
    "issue": "~/issues/1",
    "comment": "~/issues/1/comments",
    "row of a timeline": "~/issues/1/timeline",
    "pull request": "~/pulls/2",
    "file of a pull request": "~/pulls/2/files",
    "review": "~/pulls/2/reviews",
    "combined status": "~/commits/topic/status",
    "status": "~/commits/topic/statuses",
    "settings": "/settings/api",
}


def test_answers_have_the_recorded_shape(village: Village, golden: Golden) -> None:
    """A key more, less or of another type is seen."""
    village.protect()
    story(village)
    things = {name: village.mara.get(path) for name, path in ASKED.items()}
    review = next(one["id"] for one in things["review"] if one["comments_count"])
    things["remark"] = village.mara.get(f"~/pulls/2/reviews/{review}/comments")
    things["hook"] = village.root.post("/orgs/acme/hooks", HOOK)
    things["notice"] = village.iris.get("/notifications")
    golden("embedded/answers.txt", drawn(things))


HOOK = {"type": "forgejo", "events": ["push"], "config": {"url": "http://127.0.0.1:9/", "content_type": "json"}}
TOLD = (
    "issue_assign.assigned",
    "issues.opened",
    "issue_label.label_updated",
    "issue_milestone.milestoned",
    "issue_comment.created",
    "create",
    "push",
    "pull_request.opened",
    "pull_request_review_request.review_requested",
    "pull_request_review_approved.reviewed",
    "push",
    "create",
    "pull_request.closed",
    "issues.closed",
    "push",
    "delete",
    "repository.created",
)


def test_tidings_have_the_recorded_shape(village: Village, receiver: Receiver, golden: Golden) -> None:
    """The same for what hooks are told: one sketch for each event."""
    village.hook(receiver, "push", "issues", "issue_comment", "pull_request", "create", "delete", "repository")
    story(village)
    village.mara.post("~/pulls/2/merge", {"Do": "squash", "delete_branch_after_merge": True})
    village.root.post("/orgs/acme/repos", {"name": "fresh"})
    heard = receiver.listens_to_bots(*TOLD)
    golden("embedded/tidings.txt", drawn({arrival.name: arrival.json for arrival in heard}))
