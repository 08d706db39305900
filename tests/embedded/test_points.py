"""What an embedded forge must imitate, point by point, as each of the real ones does it."""

from __future__ import annotations

import ast
import socket
import time
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import forge.embedded
from forge.embedded import FLAVOURS, FORGEJO_10, FORGEJO_17, GITEA_126, EmbeddedForge, Flavour
from tests.embedded.conftest import b64, make_env, until

if TYPE_CHECKING:
    from tests.embedded.conftest import ApiEnv, Receiver

ALL = pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)
FORGEJOS = pytest.mark.parametrize("flavour", [FORGEJO_17, FORGEJO_10], ids=lambda flavour: flavour.name)


def repo_hook(env: ApiEnv, url: str) -> Any:
    """A hook of the repository, which is told before that of the organisation."""
    config = {"url": url, "content_type": "json"}
    kind = env.forge.site.flavour.hook_types[0]
    return env.mara.post("~/hooks", {"type": kind, "active": True, "events": ["issues"], "config": config})


def labelled(env: ApiEnv) -> tuple[int, int]:
    """A label and a milestone of the repository."""
    label = env.core.post("~/labels", {"name": "bug", "color": "#00aabb"})["id"]
    return label, env.core.post("~/milestones", {"title": "soon"})["id"]


# 1. Delivery
@ALL
def test_a_slow_receiver_holds_up_all(env: ApiEnv, receiver: Receiver) -> None:
    """There is one sender: while one receiver thinks, nobody else hears anything; then all goes on in order."""
    receiver.open.clear()
    repo_hook(env, receiver.url)
    env.hook(receiver, "issues")
    env.core.post("~/issues", {"title": "one"})
    until(lambda: receiver.arrivals)
    time.sleep(0.05)
    assert len(receiver.arrivals) == 1
    receiver.open.set()
    receiver.listens_to_bots("issues.opened", "issues.opened")


@ALL
def test_a_silent_receiver_is_given_up(tmp_path: Path, receiver: Receiver, flavour: Flavour) -> None:
    """A receiver that does not answer in time has had its one try, and the next one is served."""
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        EmbeddedForge(tmp_path, flavour=flavour, hook_timeout=0.05) as running,
    ):
        env = make_env(running)
        repo_hook(env, f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        env.hook(receiver, "issues")
        env.core.post("~/issues", {"title": "one"})
        receiver.listens_to_bots("issues.opened")
        rows = until(lambda: running.site.state.rows("SELECT answer FROM deliveries WHERE answer IS NOT NULL"))
        assert [row["answer"] for row in rows][:1] == [0]
        assert not running.site.state.rows("SELECT 1 FROM deliveries WHERE tried IS NULL")


# 2. Order
@ALL
def test_deliveries_come_in_order(env: ApiEnv, receiver: Receiver, flavour: Flavour) -> None:
    """Assigned before opened; review requests before the pull request; a closed one before its push, then the branch."""
    label, soon = labelled(env)
    env.core.branch("topic", {"src/x.py": "x\n"})
    env.hook(receiver, "issues", "pull_request", "push", "delete")
    about = {"labels": [label], "milestone": soon, "assignees": ["core"]}
    env.core.post("~/issues", {"title": "one"} | about)
    body = {"title": "topic", "head": "topic", "base": "main", "body": "closes #1", "reviewers": ["triage"]}
    env.core.post("~/pulls", body | about)
    request = "pull_request_review_request.review_requested"
    receiver.listens_to_bots(
        "issue_assign.assigned",
        "issues.opened",
        "issue_label.label_updated",
        "issue_milestone.milestoned",
        *[request] * flavour.reviewers_on_create,
        "pull_request.opened",
        "pull_request_label.label_updated",
        "pull_request_milestone.milestoned",
        "pull_request_assign.assigned",
    )
    env.core.post("~/contents/y.txt", {"content": b64("y"), "message": "more", "branch": "topic"})
    receiver.listens_to_bots("push", "pull_request_sync.synchronized")
    env.mara.post("~/pulls/2/merge", {"Do": "merge", "delete_branch_after_merge": True})
    receiver.listens_to_bots("pull_request.closed", "issues.closed", "push", "delete")


# 3. Events for nothing
@ALL
def test_some_deliveries_tell_of_no_change(env: ApiEnv, receiver: Receiver, flavour: Flavour) -> None:
    """Label calls without a change, one edit told twice, a file as an edit; on Forgejo also the same comment again."""
    labelled(env)
    env.core.post("~/issues", {"title": "one"})
    said = env.core.post("~/issues/1/comments", {"body": "so"})["id"]
    env.hook(receiver, "issues")
    env.core.post("~/issues/1/labels", {"labels": ["no such"]})
    env.core.call("DELETE", "~/issues/1/labels")
    env.core.patch("~/issues/1", {"title": "two", "body": "words"})
    env.core.call("POST", "~/issues/1/assets", files={"attachment": ("a.txt", b"x")})
    env.core.patch(f"~/issues/comments/{said}", {"body": "so"})
    env.core.patch("~/issues/1", {"state": "closed"})
    same = ["issue_comment.edited"] if flavour.told_when_same else []
    edited = ["issues.edited"] * 3
    receiver.listens_to_bots("issue_label.label_updated", "issue_label.label_cleared", *edited, *same, "issues.closed")


# 4. Silence
@ALL
def test_what_nobody_is_told(env: ApiEnv, receiver: Receiver, flavour: Flavour) -> None:
    """Labels and milestone by PATCH of a pull request, reactions, dependencies, dismissals, locks and pins are silent."""
    label, soon = labelled(env)
    for title in ("one", "two"):
        env.core.post("~/issues", {"title": title})
    env.core.pull("topic")
    approved = env.mara.post("~/pulls/3/reviews", {"event": "APPROVED"})["id"]
    env.hook(receiver, "issues", "pull_request")
    env.core.patch("~/pulls/3", {"labels": [label], "milestone": soon})
    env.core.post("~/issues/3/reactions", {"content": "eyes"})
    env.core.post("~/issues/1/dependencies", {"owner": "acme", "repo": "app", "index": 2})
    env.mara.post(f"~/pulls/3/reviews/{approved}/dismissals", {"message": "no"})
    env.mara.post("~/pulls/3/reviews", {"event": "PENDING", "body": "later"})
    env.mara.post("~/issues/1/pin")
    assert env.mara.call("PUT", "~/issues/2/lock").status_code == (404 if flavour.is_forgejo else 204)
    env.mara.delete("~/issues/1")
    env.core.patch("~/issues/2", {"state": "closed"})
    receiver.listens_to_bots("issues.closed")


@ALL
def test_a_cleared_milestone(env: ApiEnv, receiver: Receiver, flavour: Flavour) -> None:
    """Cleared labels are told as they were, replaced ones by Gitea as none; a milestone that was taken off is gone."""
    label, soon = labelled(env)
    env.core.post("~/issues", {"title": "one", "labels": [label], "milestone": soon})
    env.hook(receiver, "issues")
    env.core.patch("~/issues/1", {"milestone": 0})
    env.core.delete("~/issues/1/labels")
    taken, cleared = receiver.listens_to_bots("issue_milestone.demilestoned", "issue_label.label_cleared")
    assert taken.json["issue"]["milestone"] is None
    assert [one["name"] for one in cleared.json["issue"]["labels"]] == ["bug"]
    env.core.put("~/issues/1/labels", {"labels": ["bug"]})
    (replaced,) = receiver.listens_to_bots("issue_label.label_updated")
    assert (replaced.json["issue"]["labels"] != []) == flavour.replaced_labels_told


# 5. Silent acceptance
@ALL
def test_wishes_of_readers(env: ApiEnv, flavour: Flavour) -> None:
    """A reader's labels, assignees and milestone are dropped on an issue, and kept on a pull request; Gitea's reviewers too."""
    label, soon = labelled(env)
    env.core.branch("topic", {"x.txt": "x\n"})
    wishes = {"labels": [label], "milestone": soon, "assignees": ["core"], "no_such_field": True}
    issue = env.iris.post("~/issues", {"title": "one"} | wishes)
    assert (issue["labels"], issue["milestone"], issue["assignees"]) == ([], None, None)
    body = {"title": "topic", "head": "topic", "base": "main", "reviewers": ["mara"]} | wishes
    pull = env.iris.post("~/pulls", body)
    assert (len(pull["labels"]), pull["milestone"]["title"], len(pull["assignees"])) == (1, "soon", 1)
    asked = [one["login"] for one in pull["requested_reviewers"] or []]
    assert asked == (["mara"] if flavour.reviewers_on_create else [])


@ALL
def test_unknown_words_are_taken(env: ApiEnv, flavour: Flavour) -> None:
    """Any status is one, any review event is PENDING, any line is one; a state that is none is refused by Gitea only."""
    env.core.pull("topic")
    sha = env.core.get("~/pulls/1")["head"]["sha"]
    assert env.core.post(f"~/statuses/{sha}", {"state": "nonsense"})["status"] == "nonsense"
    remark = {"path": "nowhere.txt", "new_position": 9999, "body": "?"}
    review = env.mara.post("~/pulls/1/reviews", {"event": "SHRUG", "body": "x", "comments": [remark]})
    assert review["state"] == "PENDING"
    env.core.post("~/issues", {"title": "one"})
    answer = env.core.call("PATCH", "~/issues/2", {"state": "done"})
    assert answer.status_code == flavour.unknown_state
    assert flavour.is_forgejo or answer.json()["message"] == "unknown state: done"


# 6. Lists
@ALL
def test_lists_have_their_ways(env: ApiEnv, flavour: Flavour) -> None:
    """A filter of unknown labels only is none; a timeline without page is whole; comments never come in pages."""
    label, _ = labelled(env)
    env.core.post("~/issues", {"title": "one", "labels": [label]})
    env.core.post("~/issues", {"title": "two"})
    found = {words: len(env.core.get("~/issues", labels=words)) for words in ("bug", "bug,nope", "nope")}
    assert found == {"bug": 1, "bug,nope": 1, "nope": 2}
    for n in range(3):
        env.core.post("~/issues/1/comments", {"body": str(n)})
    whole = env.core.call("GET", "~/issues/1/timeline", params={"limit": 1})
    assert (len(whole.json()), whole.headers["X-Total-Count"]) == (4, "4")
    assert len(env.core.get("~/issues/1/timeline", page=1, limit=2)) == 2
    assert len(env.core.get("~/issues/1/comments", page=1, limit=1)) == 3
    env.core.pull("topic")
    (listed,) = env.core.get("~/pulls")
    assert ("additions" in listed) != flavour.lists_are_short
    env.mara.post("~/pulls/3/reviews", {"event": "PENDING", "body": "hidden"})
    hidden = env.core.call("GET", "~/pulls/3/reviews")
    assert (hidden.json(), hidden.headers["X-Total-Count"]) == ([], "1")


# 7. Merging
@ALL
def test_why_a_merge_is_refused(env: ApiEnv, flavour: Flavour) -> None:
    """The list of mergers comes first, then the draft, then conflicts, then protection, and last the head."""
    env.core.pull("topic")
    clash = {"content": b64("other\n"), "message": "clash", "branch": "main"}
    env.core.post("~/contents/topic.txt", clash)
    place, wish = "~/pulls/1/merge", {"Do": "merge", "head_commit_id": "0" * 40}
    admins: dict[str, Any] = {flavour.admins_key: True}
    env.protect(enable_merge_whitelist=True, merge_whitelist_usernames=["mara"], required_approvals=1, **admins)
    env.core.patch("~/pulls/1", {"title": "WIP: topic"})
    assert env.root.says("POST", place, wish) == (405, "User not allowed to merge PR")
    assert env.mara.says("POST", place, wish) == (405, "Work in progress PRs cannot be merged")
    env.core.patch("~/pulls/1", {"title": "topic"})
    assert env.mara.says("POST", place, wish) == (405, "Please try again later")


@ALL
def test_protection_has_its_words(env: ApiEnv, flavour: Flavour) -> None:
    """What protection forbids is told with or without a frame; force helps unless the flavour's own key includes admins."""
    env.core.pull("topic")
    place, wish = "~/pulls/1/merge", {"Do": "merge", "head_commit_id": "0" * 40}
    other = ({"apply_to_admins", "block_admin_merge_override"} - {flavour.admins_key}).pop()
    rule = env.protect(required_approvals=1, **{flavour.admins_key: True})
    assert (rule[flavour.admins_key], other in rule) == (True, False)
    words = flavour.merge_refusal.format("Does not have enough approvals")
    assert env.mara.says("POST", place, wish) == (405, words)
    assert env.mara.says("POST", place, wish | {"force_merge": True}) == (405, words)
    env.mara.patch("~/branch_protections/main", {flavour.admins_key: False, other: True})
    assert env.mara.says("POST", place, wish | {"force_merge": True}) == (409, "head out of date")
    assert env.mara.call("POST", place, {"Do": "merge", "force_merge": True}).status_code == 200
    assert env.mara.says("POST", place, wish) == (405, flavour.merged_already)


@ALL
def test_a_failed_try_is_checked_anew(env: ApiEnv) -> None:
    """After a try for the wrong head the conflict check runs again, so the next try may be told to wait."""
    env.core.pull("topic")
    env.forge.site.check_delay = 3600
    assert env.mara.says("POST", "~/pulls/1/merge", {"Do": "merge", "head_commit_id": "0" * 40})[0] == 409
    assert env.mara.says("POST", "~/pulls/1/merge", {"Do": "merge"}) == (405, "Please try again later")


# 8. Git
@ALL
def test_git_is_refused_in_words(env: ApiEnv, flavour: Flavour, tmp_path: Path) -> None:
    """A refused push says why on the terminal, each forge under its own word; a token that may not is stopped before."""
    env.protect()
    work = env.core.clone(tmp_path / "core")
    env.core.commit(work, "more", a__txt="a\n")
    said = env.core.git("push", "origin", "HEAD:main", cwd=work).stderr
    word = "Forgejo:" if flavour.is_forgejo else "error:"
    assert f"remote: {word} Not allowed to push to protected branch main" in said
    said = env.iris.git("push", "origin", "HEAD:elsewhere", cwd=work).stderr
    assert f"remote: {word} User permission denied for writing." in said


# 9. Answers
@ALL
def test_what_a_comment_on_a_pull_request_answers(env: ApiEnv, receiver: Receiver, flavour: Flavour) -> None:
    """Forgejo 10 answers 500 when a hook listens: it is written and not told. Without a hook all is well."""
    env.core.pull("topic")
    assert env.core.call("POST", "~/issues/1/comments", {"body": "unheard"}).status_code == 201
    env.hook(receiver, "pull_request")
    answer = env.core.call("POST", "~/issues/1/comments", {"body": "heard"})
    crashed = flavour.pull_comment_crashes
    assert (answer.status_code, "html" in answer.headers["Content-Type"]) == ((500, True) if crashed else (201, False))
    env.core.patch("~/issues/1", {"state": "closed"})
    receiver.listens_to_bots(*([] if crashed else ["pull_request_comment.created"]), "pull_request.closed")
    assert [one["body"] for one in env.iris.get("~/issues/1/comments")] == ["unheard", "heard"]


@ALL
def test_statuses_differ(env: ApiEnv, flavour: Flavour) -> None:
    """A reaction twice, a stale sha, an unknown commit and one's own permission: each its own answer."""
    env.core.post("~/issues", {"title": "one"})
    again = [env.core.call("POST", "~/issues/1/reactions", {"content": "eyes"}).status_code for _ in range(2)]
    assert again == [201, flavour.reaction_again_status]
    stale = {"content": b64("x"), "message": "m", "sha": "0" * 40}
    assert env.core.says("PUT", "~/contents/README.md", stale)[0] == flavour.stale_sha_status
    made = env.core.call("PUT", "~/contents/new.md", {"content": b64("x"), "message": "m"})
    assert made.status_code == (201 if flavour.put_creates else 422)
    unknown = env.core.call("POST", f"~/statuses/{'0' * 40}", {"state": "success"})
    assert unknown.status_code == flavour.unknown_status_sha
    own = env.core.call("GET", "~/collaborators/core/permission")
    assert (own.status_code == 200) == flavour.own_permission
    assert env.root.get("~/collaborators/core/permission")["permission"] == (
        "write" if flavour.unit_teams_have_mode else "read"
    )
    env.mara.patch("~", {"name": "app2"})
    assert env.core.call("POST", "~/issues", {"title": "x"}).status_code == flavour.repo_moved_status


@ALL
def test_nothing_is_there_in_each_forges_words(env: ApiEnv, flavour: Flavour) -> None:
    """404 has the words and the errors of its forge; a path that does not exist is told as plain text."""
    gone = env.core.call("GET", "~/issues/99").json()
    forgejo: tuple[str, Any] = ("The target couldn't be found.", [])
    assert (gone["message"], gone["errors"]) == (forgejo if flavour.is_forgejo else ("not found", None))
    unknown = env.core.call("GET", "~/nonsense")
    assert (unknown.status_code, unknown.text) == (404, "404 page not found\n")
    assert unknown.headers["Cache-Control"] == flavour.cache_control


@ALL
def test_a_wrong_token_is_repeated_by_the_newest(env: ApiEnv, flavour: Flavour) -> None:
    """A 401 of Forgejo 17 holds the very word that it refuses, so no 401 may ever be logged as it is."""
    wrong = type(env.core)(env.forge, "core", "token 123mistyped")
    assert ("123mistyped" in wrong.says("GET", "/user")[1]) == flavour.token_is_repeated


@ALL
def test_a_token_for_one_repository(env: ApiEnv, flavour: Flavour) -> None:
    """Where tokens for single repositories are not known, the field is ignored and the token opens everything."""
    core = type(env.core)(env.forge, "core", f"Basic {b64('core:a password')}")
    body = {"name": "t", "scopes": ["write:issue"], "repositories": [{"owner": "acme", "name": "app"}]}
    made = core.post("/users/core/tokens", body)
    assert bool(made.get("repositories")) == flavour.repo_tokens
    listed = env.core.call("GET", "/users/core/tokens").status_code
    assert (listed == 200) == flavour.tokens_by_token


# 10. Hooks
@ALL
def test_hooks_are_read_back(env: ApiEnv, receiver: Receiver, flavour: Flavour) -> None:
    """A hook is not active and for pushes unless told so, and PATCH resets what is not told again."""
    config = {"url": receiver.url, "content_type": "json"}
    made = env.mara.post("~/hooks", {"type": flavour.hook_types[0], "config": config})
    assert (made["active"], made["events"]) == (False, ["push"])
    assert ("metadata" in made) == flavour.is_forgejo
    foreign = env.mara.call("POST", "~/hooks", {"type": "forgejo", "config": config})
    assert foreign.status_code == (201 if flavour.is_forgejo else 422)
    hook = env.hook(receiver, "pull_request", "status", authorization_header="Bearer word", branch_filter="main")
    reviews = {
        name for name in hook["events"] if name.startswith("pull_request_review_") and "request" not in name[12:]
    }
    assert (len(reviews), "pull_request_review" in hook["events"]) == ((3, False) if flavour.is_forgejo else (0, True))
    assert ("status" in hook["events"]) != flavour.is_forgejo
    changed = env.root.patch(f"/orgs/acme/hooks/{hook['id']}", {"active": True})
    kept = "Bearer word" if flavour.hook_patch_keeps_authorization else ""
    assert (changed["events"], changed["branch_filter"], changed["authorization_header"]) == (["push"], "", kept)


@ALL
def test_deliveries_have_the_headers_of_their_forge(env: ApiEnv, receiver: Receiver, flavour: Flavour) -> None:
    """Gitea sends no header of Forgejo's, and says what its hook belongs to."""
    env.hook(receiver, "issues", "create", "status")
    env.core.post("~/issues", {"title": "one"})
    (heard,) = receiver.listens_to_bots("issues.opened")
    assert ("X-Forgejo-Event" in heard.headers) == flavour.is_forgejo
    target = heard.headers.get("X-Gitea-Hook-Installation-Target-Type")
    assert target == ("organization" if flavour.hook_target else None)
    env.core.post("~/branches", {"new_branch_name": "b", "old_ref_name": "main"})
    (made,) = receiver.listens_to_bots("create")
    assert made.json["ref"] == ("refs/heads/b" if flavour.is_forgejo else "b")
    env.core.post("~/statuses/b", {"state": "success", "context": "ci"})
    env.core.patch("~/issues/1", {"state": "closed"})
    status = [] if flavour.is_forgejo else ["status"]
    first, *_ = receiver.listens_to_bots(*status, "issues.closed")
    assert first.json.get("context") == (None if flavour.is_forgejo else "ci")


# 11. Shapes
@ALL
def test_shapes_have_their_nothings(env: ApiEnv, receiver: Receiver, flavour: Flavour) -> None:
    """Nothing is null here and an empty list there; senders are masked and times are whole seconds everywhere."""
    env.hook(receiver, "issues")
    issue = env.root.post("~/issues", {"title": "one"})
    (heard,) = receiver.listens_to_bots("issues.opened")
    assert (heard.json["sender"]["is_admin"], heard.json["sender"]["email"]) == (False, "root0@noreply.localhost")
    assert (issue["labels"], issue["assignees"], issue["closed_at"]) == ([], None, None)
    assert ("time_estimate" in issue, "pronouns" in issue["user"]) == (not flavour.is_forgejo, flavour.is_forgejo)
    assert len(issue["created_at"]) == len("2026-01-02T03:04:05Z")
    pull = env.core.pull("topic")
    nothing: tuple[Any, ...] = {
        "forgejo-17": (None, [], "api"),
        "forgejo-10": (None, None, "html"),
        "gitea-1.26": ([], [], "html"),
    }[flavour.name]
    url = "api" if "/api/v1/" in pull["url"] else "html"
    assert (pull["assignees"], pull["requested_reviewers"], url) == nothing
    assert set(flavour.hidden["repo"]).isdisjoint(pull["base"]["repo"])


# 12. Flavours as data
def test_flavours_are_data() -> None:
    """Each flavour differs from each other, and no code asks which one it is: only what that one does."""
    rows = [asdict(flavour) for flavour in FLAVOURS.values()]
    assert list(FLAVOURS) == [row["name"] for row in rows]
    for one, other in pairwise([*rows, rows[0]]):
        assert sum(one[key] != other[key] for key in one) > 20
    for path in Path(str(forge.embedded.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            asked = isinstance(node, ast.Attribute) and node.attr == "name" and "flavour" in ast.unparse(node.value)
            assert not asked or path.name == "flavours.py", path


@ALL
def test_the_version_is_told(env: ApiEnv, flavour: Flavour) -> None:
    """The version is that of the flavour."""
    assert env.nobody.get("/version") == {"version": flavour.version}


def test_rules_of_gitea_have_ranks(tmp_path: Path) -> None:
    """The rule of the lowest priority protects, also before one of the branch's very name; force pushes can be allowed."""
    with EmbeddedForge(tmp_path, flavour=GITEA_126) as running:
        env = make_env(running)
        ranks = [env.mara.post("~/branch_protections", {"rule_name": name})["priority"] for name in ("main", "*")]
        assert ranks == [1, 2]
        told = env.mara.patch("~/branch_protections/*", {"priority": 0, "required_approvals": 3})
        assert told["force_push_allowlist_usernames"] == []
        assert env.iris.get("~/branches/main")["required_approvals"] == 3
