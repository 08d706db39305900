"""Hooks: what is told in which order, how it is signed, and the traps of changing them."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from forge.embedded.services import hooks
from forge.webhook import verify_any_case

if TYPE_CHECKING:
    from tests.embedded.conftest import Receiver, Village

SECRET = b"a hook's secret"


def test_a_delivery_is_signed_over_its_bytes(village: Village, receiver: Receiver) -> None:
    """A receiver can tell by the secret that the very bytes are the forge's."""
    village.hook(receiver, "issues", authorization_header="Bearer word")
    village.core.post("~/issues", {"title": "first"})
    (heard,) = receiver.listens_to_bots("issues.opened")
    delivery = verify_any_case("forgejo", heard.headers, heard.body, [SECRET])
    assert (delivery.kind, len(delivery.id)) == ("issues", 36)
    assert heard.headers["X-Hub-Signature"] == "sha1=" + hmac.new(SECRET, heard.body, hashlib.sha1).hexdigest()
    assert heard.headers["Authorization"] == "Bearer word"
    assert heard.headers["Content-Type"] == "application/json"


def test_senders_are_masked(village: Village, receiver: Receiver) -> None:
    """A payload says nothing about what its sender may do: not his rank, not his address."""
    village.hook(receiver, "issues")
    village.root.post("~/issues", {"title": "first"})
    (heard,) = receiver.listens_to_bots("issues.opened")
    sender = heard.json["sender"]
    assert (sender["is_admin"], sender["active"], sender["email"]) == (False, False, "root0@noreply.localhost")


def test_an_issue_is_told_from_its_parts(village: Village, receiver: Receiver) -> None:
    """Assignees come first, then the issue, its labels, its milestone."""
    label = village.core.post("~/labels", {"name": "bug", "color": "#00aabb"})["id"]
    milestone = village.core.post("~/milestones", {"title": "soon"})["id"]
    village.hook(receiver, "issues")
    wishes = {"assignees": ["core", "iris"], "labels": [label], "milestone": milestone}
    village.core.post("~/issues", {"title": "full"} | wishes)
    names = ["issue_assign.assigned"] * 2 + ["issues.opened", "issue_label.label_updated", "issue_milestone.milestoned"]
    heard = receiver.listens_to_bots(*names)
    assert [len(arrival.json["issue"]["assignees"]) for arrival in heard] == [1, 2, 2, 2, 2]
    assert heard[0].headers["X-Forgejo-Event"] == "issues"


def test_a_pull_request_is_told_before_its_parts(village: Village, receiver: Receiver) -> None:
    """The owners of the code are asked first, then comes the pull request, and its labels, milestone, assignees."""
    owners = {"content": "c3JjLy4qIEBtYXJhCg==", "message": "owners", "branch": "main"}
    village.core.post("~/contents/CODEOWNERS", owners)
    label = village.core.post("~/labels", {"name": "bug", "color": "#00aabb"})["id"]
    village.core.branch("topic", {"src/x.py": "x\n"})
    village.hook(receiver, "pull_request")
    body = {"title": "topic", "head": "topic", "base": "main", "labels": [label], "assignees": ["iris"]}
    village.iris.post("~/pulls", body)
    request, opened, *_ = receiver.listens_to_bots(
        "pull_request_review_request.review_requested",
        "pull_request.opened",
        "pull_request_label.label_updated",
        "pull_request_assign.assigned",
    )
    assert request.json["requested_reviewer"]["login"] == "mara"
    assert opened.json["pull_request"]["url"] == f"{village.forge.url}/api/v1/repos/acme/app/pulls/1"


def test_a_merge_is_told_in_order(village: Village, receiver: Receiver) -> None:
    """First the pull request, then the issues that it closes, then the push, then its branch is gone."""
    village.core.post("~/issues", {"title": "by the text"})
    village.core.post("~/issues", {"title": "by a commit"})
    village.core.branch("topic", {"x.txt": "x\n"}, message="fixes #2")
    village.core.post("~/pulls", {"title": "topic", "head": "topic", "base": "main", "body": "Closes #1"})
    village.hook(receiver, "pull_request", "issues", "push", "delete")
    village.mara.post("~/pulls/3/merge", {"Do": "merge", "delete_branch_after_merge": True})
    merged, *closed, push, _ = receiver.listens_to_bots(
        "pull_request.closed", "issues.closed", "issues.closed", "push", "delete"
    )
    assert merged.json["pull_request"]["merged"] is True
    assert closed[0].json["commit_id"] == push.json["after"] == merged.json["pull_request"]["merge_commit_sha"]
    assert push.json["total_commits"] == 2
    assert push.json["commits"][1]["id"] == closed[1].json["commit_id"]


def test_labels_are_told_without_saying_which(village: Village, receiver: Receiver) -> None:
    """Every label call is told, whether it changed anything or not; clearing shows the old labels."""
    village.core.post("~/labels", {"name": "bug", "color": "#00aabb"})
    village.core.post("~/issues", {"title": "one"})
    village.hook(receiver, "issues")
    for wanted in (["bug"], ["bug"], ["no such label"]):
        village.core.post("~/issues/1/labels", {"labels": wanted})
    village.core.delete("~/issues/1/labels")
    *_, cleared = receiver.listens_to_bots(*["issue_label.label_updated"] * 3, "issue_label.label_cleared")
    assert [label["name"] for label in cleared.json["issue"]["labels"]] == ["bug"]
    assert "label" not in cleared.json


def test_some_things_are_silent(village: Village, receiver: Receiver) -> None:
    """Reactions, deadlines, dismissals, pending reviews, and labels by PATCH of a pull request tell nobody."""
    label = village.core.post("~/labels", {"name": "bug", "color": "#00aabb"})["id"]
    village.core.pull("topic")
    approved = village.mara.post("~/pulls/1/reviews", {"event": "APPROVED"})["id"]
    village.hook(receiver, "issues", "pull_request", "push")
    village.core.post("~/issues/1/reactions", {"content": "eyes"})
    village.core.patch("~/pulls/1", {"labels": [label]})
    village.core.patch("~/pulls/1", {"due_date": "2030-01-02T00:00:00Z"})
    village.mara.post("~/pulls/1/reviews", {"event": "PENDING", "body": "not yet"})
    village.mara.post(f"~/pulls/1/reviews/{approved}/dismissals", {"message": "overruled"})
    village.core.patch("~/pulls/1", {"state": "closed"})
    receiver.listens_to_bots("pull_request.closed")


def test_each_kind_of_review_has_its_name(village: Village, receiver: Receiver) -> None:
    """The event of a review has type and words, no id and no remarks; the coarse name of a comment misleads."""
    village.core.pull("topic")
    village.hook(receiver, "pull_request")
    for event in ("APPROVED", "REQUEST_CHANGES", "COMMENT"):
        village.mara.post("~/pulls/1/reviews", {"event": event, "body": "words"})
    kinds = ["pull_request_review_approved", "pull_request_review_rejected", "pull_request_review_comment"]
    heard = receiver.listens_to_bots(*(f"{kind}.reviewed" for kind in kinds))
    assert [arrival.json["review"] for arrival in heard] == [{"type": kind, "content": "words"} for kind in kinds]
    assert heard[2].headers["X-Forgejo-Event"] == "pull_request_comment"


def test_a_receiver_is_tried_once(village: Village, receiver: Receiver) -> None:
    """What a receiver refused is not sent again, and the hook stays active."""
    receiver.answer = 500
    hook = village.hook(receiver, "issues")
    for title in ("lost", "next"):
        village.core.post("~/issues", {"title": title})
    heard = receiver.listens_to_bots("issues.opened", "issues.opened")
    assert [arrival.json["issue"]["title"] for arrival in heard] == ["lost", "next"]
    assert village.root.get(f"/orgs/acme/hooks/{hook['id']}")["active"] is True


def test_a_replay_is_the_same_bytes(village: Village, receiver: Receiver) -> None:
    """Sent again by hand, a delivery has another uuid and the same body."""
    hook = village.hook(receiver, "issues")
    village.core.post("~/issues", {"title": "once"})
    (first,) = receiver.listens_to_bots("issues.opened")
    site = village.forge.site
    hooks.replay(site, site.must("hooks", hook["id"]), first.headers["X-Forgejo-Delivery"])
    (second,) = receiver.listens_to_bots("issues.opened")
    assert first.body == second.body
    assert first.headers["X-Forgejo-Delivery"] != second.headers["X-Forgejo-Delivery"]


def test_two_hooks_deliver_twice(village: Village, receiver: Receiver) -> None:
    """Each hook that fits is told, also when both go to one address; a system hook hears everything."""
    village.hook(receiver, "issues")
    config = {"url": receiver.url, "content_type": "json", "secret": "x", "is_system_webhook": "true"}
    village.root.post("/admin/hooks", {"type": "forgejo", "active": True, "events": ["issues"], "config": config})
    village.core.post("~/issues", {"title": "twice"})
    one, two = receiver.listens_to_bots("issues.opened", "issues.opened")
    assert one.body == two.body
    assert one.headers["X-Forgejo-Delivery"] != two.headers["X-Forgejo-Delivery"]


def test_a_hook_is_made_with_care_or_not_at_all(village: Village) -> None:
    """A hook is not active and for pushes unless told otherwise, and unknown events leave it deaf."""
    config = {"url": "http://127.0.0.1:9/x", "content_type": "json"}
    made = village.mara.post("~/hooks", {"type": "forgejo", "config": config})
    assert (made["active"], made["events"], made["branch_filter"]) == (False, ["push"], "")
    deaf = village.mara.post("~/hooks", {"type": "forgejo", "config": config, "events": ["nonsense"]})
    assert deaf["events"] == []
    assert village.mara.says("POST", "~/hooks", {"type": "nonsense", "config": config}) == (
        422,
        "Invalid hook type: nonsense",
    )
    wrong = village.mara.says("POST", "~/hooks", {"type": "forgejo", "config": {"content_type": "json"}})
    assert wrong == (422, "Missing config option: url")


def test_changing_a_hook_resets_it(village: Village, receiver: Receiver) -> None:
    """PATCH forgets events and filter that are not told again, keeps the authorization, and cannot change the secret."""
    hook = village.hook(receiver, "issues", "release", branch_filter="main", authorization_header="Bearer word")
    place = f"/orgs/acme/hooks/{hook['id']}"
    changed = village.root.patch(place, {"config": {"secret": "another"}})
    assert (changed["events"], changed["branch_filter"]) == (["push"], "")
    assert changed["authorization_header"] == "Bearer word"
    village.root.patch(place, {"events": ["issues"]})
    village.core.post("~/issues", {"title": "which secret?"})
    (heard,) = receiver.listens_to_bots("issues.opened")
    assert verify_any_case("forgejo", heard.headers, heard.body, [SECRET])


def test_a_filter_keeps_branches_away(village: Village, receiver: Receiver) -> None:
    """A hook with a branch filter hears of those branches only; a star is any branch."""
    village.hook(receiver, "push", branch_filter="agent/*")
    village.core.branch("topic", {"x.txt": "x\n"})
    village.core.branch("agent/iris/1", {"y.txt": "y\n"})
    (heard,) = receiver.listens_to_bots("push")
    assert heard.json["ref"] == "refs/heads/agent/iris/1"


def test_a_test_is_a_made_up_push(village: Village, receiver: Receiver) -> None:
    """The test of a hook of a repository sends its newest commit; hooks of organisations have no test."""
    config = {"url": receiver.url, "content_type": "json", "secret": "x"}
    hook = village.mara.post("~/hooks", {"type": "forgejo", "active": True, "config": config})
    village.mara.post(f"~/hooks/{hook['id']}/tests")
    (heard,) = receiver.listens_to_bots("push")
    assert heard.json["before"] == heard.json["after"] == heard.json["head_commit"]["id"]
    of_org = village.hook(receiver, "push")
    assert village.root.call("POST", f"/orgs/acme/hooks/{of_org['id']}/tests").status_code == 404
