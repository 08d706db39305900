"""Hooks: what is told in which order, how it is signed, and the traps of changing them."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from forge.webhook import verify_any_case

if TYPE_CHECKING:
    from tests.embedded.conftest import ApiEnv, Receiver

SECRET = b"a hook's secret"


def test_a_delivery_is_signed_over_its_bytes(env: ApiEnv, receiver: Receiver) -> None:
    """A receiver can tell by the secret that the very bytes are the forge's."""
    env.hook(receiver, "issues", authorization_header="Bearer word")
    env.core.post("~/issues", {"title": "first"})
    (heard,) = receiver.listens_to_bots("issues.opened")
    delivery = verify_any_case("forgejo", heard.headers, heard.body, [SECRET])
    assert (delivery.kind, len(delivery.id)) == ("issues", 36)
    assert heard.headers["X-Hub-Signature"] == "sha1=" + hmac.new(SECRET, heard.body, hashlib.sha1).hexdigest()
    assert heard.headers["Authorization"] == "Bearer word"
    assert heard.headers["Content-Type"] == "application/json"


def test_senders_are_masked(env: ApiEnv, receiver: Receiver) -> None:
    """A payload says nothing about what its sender may do: not his rank, not his address."""
    env.hook(receiver, "issues")
    env.root.post("~/issues", {"title": "first"})
    (heard,) = receiver.listens_to_bots("issues.opened")
    sender = heard.json["sender"]
    assert (sender["is_admin"], sender["active"], sender["email"]) == (False, False, "root0@noreply.localhost")


def test_an_issue_is_told_from_its_parts(env: ApiEnv, receiver: Receiver) -> None:
    """Assignees come first, then the issue, its labels, its milestone."""
    label = env.core.post("~/labels", {"name": "bug", "color": "#00aabb"})["id"]
    milestone = env.core.post("~/milestones", {"title": "soon"})["id"]
    env.hook(receiver, "issues")
    wishes = {"assignees": ["core", "iris"], "labels": [label], "milestone": milestone}
    env.core.post("~/issues", {"title": "full"} | wishes)
    names = ["issue_assign.assigned"] * 2 + ["issues.opened", "issue_label.label_updated", "issue_milestone.milestoned"]
    heard = receiver.listens_to_bots(*names)
    assert [len(arrival.json["issue"]["assignees"]) for arrival in heard] == [1, 2, 2, 2, 2]
    assert heard[0].headers["X-Forgejo-Event"] == "issues"


def test_a_pull_request_is_told_before_its_parts(env: ApiEnv, receiver: Receiver) -> None:
    """The pull request comes first, then its labels, milestone and assignees."""
    label = env.core.post("~/labels", {"name": "bug", "color": "#00aabb"})["id"]
    env.core.branch("topic", {"src/x.py": "x\n"})
    env.hook(receiver, "pull_request")
    body = {"title": "topic", "head": "topic", "base": "main", "labels": [label], "assignees": ["iris"]}
    env.iris.post("~/pulls", body)
    opened, *_ = receiver.listens_to_bots(
        "pull_request.opened",
        "pull_request_label.label_updated",
        "pull_request_assign.assigned",
    )
    assert opened.json["pull_request"]["url"] == f"{env.forge.url}/api/v1/repos/acme/app/pulls/1"


def test_a_merge_is_told_in_order(env: ApiEnv, receiver: Receiver) -> None:
    """First the pull request, then the issues that it closes, then the push, then its branch is gone."""
    env.core.post("~/issues", {"title": "by the text"})
    env.core.post("~/issues", {"title": "by a commit"})
    env.core.branch("topic", {"x.txt": "x\n"}, message="fixes #2")
    env.core.post("~/pulls", {"title": "topic", "head": "topic", "base": "main", "body": "Closes #1"})
    env.hook(receiver, "pull_request", "issues", "push", "delete")
    env.mara.post("~/pulls/3/merge", {"Do": "merge", "delete_branch_after_merge": True})
    merged, *closed, push, _ = receiver.listens_to_bots(
        "pull_request.closed", "issues.closed", "issues.closed", "push", "delete"
    )
    assert merged.json["pull_request"]["merged"] is True
    assert closed[0].json["commit_id"] == push.json["after"] == merged.json["pull_request"]["merge_commit_sha"]
    assert push.json["total_commits"] == 2
    assert push.json["commits"][1]["id"] == closed[1].json["commit_id"]


def test_labels_are_told_without_saying_which(env: ApiEnv, receiver: Receiver) -> None:
    """Every label call is told, whether it changed anything or not; clearing shows the old labels."""
    env.core.post("~/labels", {"name": "bug", "color": "#00aabb"})
    env.core.post("~/issues", {"title": "one"})
    env.hook(receiver, "issues")
    for wanted in (["bug"], ["bug"], ["no such label"]):
        env.core.post("~/issues/1/labels", {"labels": wanted})
    env.core.delete("~/issues/1/labels")
    *_, cleared = receiver.listens_to_bots(*["issue_label.label_updated"] * 3, "issue_label.label_cleared")
    assert [label["name"] for label in cleared.json["issue"]["labels"]] == ["bug"]
    assert "label" not in cleared.json


def test_some_things_are_silent(env: ApiEnv, receiver: Receiver) -> None:
    """Reactions, deadlines, dismissals, pending reviews, and labels by PATCH of a pull request tell nobody."""
    label = env.core.post("~/labels", {"name": "bug", "color": "#00aabb"})["id"]
    env.core.pull("topic")
    approved = env.mara.post("~/pulls/1/reviews", {"event": "APPROVED"})["id"]
    env.hook(receiver, "issues", "pull_request", "push")
    env.core.post("~/issues/1/reactions", {"content": "eyes"})
    env.core.patch("~/pulls/1", {"labels": [label]})
    env.core.patch("~/pulls/1", {"due_date": "2030-01-02T00:00:00Z"})
    env.mara.post("~/pulls/1/reviews", {"event": "PENDING", "body": "not yet"})
    env.mara.post(f"~/pulls/1/reviews/{approved}/dismissals", {"message": "overruled"})
    env.core.patch("~/pulls/1", {"state": "closed"})
    receiver.listens_to_bots("pull_request.closed")


def test_each_kind_of_review_has_its_name(env: ApiEnv, receiver: Receiver) -> None:
    """The event of a review has type and words, no id and no remarks; the coarse name of a comment misleads."""
    env.core.pull("topic")
    env.hook(receiver, "pull_request")
    for event in ("APPROVED", "REQUEST_CHANGES", "COMMENT"):
        env.mara.post("~/pulls/1/reviews", {"event": event, "body": "words"})
    kinds = ["pull_request_review_approved", "pull_request_review_rejected", "pull_request_review_comment"]
    heard = receiver.listens_to_bots(*(f"{kind}.reviewed" for kind in kinds))
    assert [arrival.json["review"] for arrival in heard] == [{"type": kind, "content": "words"} for kind in kinds]
    assert heard[2].headers["X-Forgejo-Event"] == "pull_request_comment"


def test_a_receiver_is_tried_once(env: ApiEnv, receiver: Receiver) -> None:
    """What a receiver refused is not sent again, and the hook stays active."""
    receiver.answer = 500
    hook = env.hook(receiver, "issues")
    for title in ("lost", "next"):
        env.core.post("~/issues", {"title": title})
    heard = receiver.listens_to_bots("issues.opened", "issues.opened")
    assert [arrival.json["issue"]["title"] for arrival in heard] == ["lost", "next"]
    assert env.root.get(f"/orgs/acme/hooks/{hook['id']}")["active"] is True


def test_two_hooks_deliver_twice(env: ApiEnv, receiver: Receiver) -> None:
    """Each hook that fits is told, also when both go to one address; a system hook hears everything."""
    env.hook(receiver, "issues")
    config = {"url": receiver.url, "content_type": "json", "secret": "x", "is_system_webhook": "true"}
    env.root.post("/admin/hooks", {"type": "forgejo", "active": True, "events": ["issues"], "config": config})
    env.core.post("~/issues", {"title": "twice"})
    one, two = receiver.listens_to_bots("issues.opened", "issues.opened")
    assert one.body == two.body
    assert one.headers["X-Forgejo-Delivery"] != two.headers["X-Forgejo-Delivery"]


def test_a_hook_is_made_with_care_or_not_at_all(env: ApiEnv) -> None:
    """A hook is not active and for pushes unless told otherwise, and unknown events leave it deaf."""
    config = {"url": "http://127.0.0.1:9/x", "content_type": "json"}
    made = env.mara.post("~/hooks", {"type": "forgejo", "config": config})
    assert (made["active"], made["events"], made["branch_filter"]) == (False, ["push"], "")
    deaf = env.mara.post("~/hooks", {"type": "forgejo", "config": config, "events": ["nonsense"]})
    assert deaf["events"] == []
    assert env.mara.says("POST", "~/hooks", {"type": "nonsense", "config": config}) == (
        422,
        "Invalid hook type: nonsense",
    )
    wrong = env.mara.says("POST", "~/hooks", {"type": "forgejo", "config": {"content_type": "json"}})
    assert wrong == (422, "Missing config option: url")


def test_changing_a_hook_resets_it(env: ApiEnv, receiver: Receiver) -> None:
    """PATCH forgets events and filter that are not told again, keeps the authorization, and cannot change the secret."""
    hook = env.hook(receiver, "issues", "release", branch_filter="main", authorization_header="Bearer word")
    place = f"/orgs/acme/hooks/{hook['id']}"
    changed = env.root.patch(place, {"config": {"secret": "another"}})
    assert (changed["events"], changed["branch_filter"]) == (["push"], "")
    assert changed["authorization_header"] == "Bearer word"
    env.root.patch(place, {"events": ["issues"]})
    env.core.post("~/issues", {"title": "which secret?"})
    (heard,) = receiver.listens_to_bots("issues.opened")
    assert verify_any_case("forgejo", heard.headers, heard.body, [SECRET])


def test_a_filter_keeps_branches_away(env: ApiEnv, receiver: Receiver) -> None:
    """A hook with a branch filter hears of those branches only; a star is any branch."""
    env.hook(receiver, "push", branch_filter="agent/*")
    env.core.branch("topic", {"x.txt": "x\n"})
    env.core.branch("agent/iris/1", {"y.txt": "y\n"})
    (heard,) = receiver.listens_to_bots("push")
    assert heard.json["ref"] == "refs/heads/agent/iris/1"


def test_a_test_is_a_made_up_push(env: ApiEnv, receiver: Receiver) -> None:
    """The test of a hook of a repository sends its newest commit; hooks of organisations have no test."""
    config = {"url": receiver.url, "content_type": "json", "secret": "x"}
    hook = env.mara.post("~/hooks", {"type": "forgejo", "active": True, "config": config})
    env.mara.post(f"~/hooks/{hook['id']}/tests")
    (heard,) = receiver.listens_to_bots("push")
    assert heard.json["before"] == heard.json["after"] == heard.json["head_commit"]["id"]
    of_org = env.hook(receiver, "push")
    assert env.root.call("POST", f"/orgs/acme/hooks/{of_org['id']}/tests").status_code == 404
