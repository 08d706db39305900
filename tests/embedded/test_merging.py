"""Merging: what each style makes of the branch, and every reason for a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from forge.embedded.services import people, pushes, repos
from tests.embedded.conftest import b64

if TYPE_CHECKING:
    from tests.embedded.conftest import ApiEnv

AGAIN = (405, "Please try again later")


@dataclass(frozen=True)
class Tip:
    """What is on main after a merge."""

    sha: str
    parents: tuple[str, ...]
    author: str
    committer: str
    message: str


def tip(env: ApiEnv) -> Tip:
    commit = env.iris.get("~/git/commits/main")
    inner = commit["commit"]
    parents = tuple(parent["sha"] for parent in commit["parents"])
    return Tip(commit["sha"], parents, inner["author"]["name"], inner["committer"]["name"], inner["message"])


def prepared(env: ApiEnv, *, moved: bool) -> tuple[str, str]:
    """A pull request of two commits, with main moved on or not; answers the tips of main and of the head."""
    env.core.branch("topic", {"one.txt": "1\n"})
    body = {"content": "Mgo=", "message": "second", "branch": "topic"}
    env.core.post("~/contents/two.txt", body)
    pull = env.core.post("~/pulls", {"title": "topic", "head": "topic", "base": "main"})
    if moved:
        env.core.post("~/contents/moved.txt", {"content": "eA==", "message": "moved", "branch": "main"})
    return tip(env).sha, pull["head"]["sha"]


def merge(env: ApiEnv, style: str, **more: Any) -> tuple[int, Any]:
    return env.mara.says("POST", "~/pulls/1/merge", {"Do": style, **more})


@pytest.mark.parametrize("moved", [False, True])
def test_merge(env: ApiEnv, moved: bool) -> None:
    """A merge commit of the operator: the old tip and the head are its parents."""
    base, head = prepared(env, moved=moved)
    assert merge(env, "merge", MergeTitleField="title", MergeMessageField="message") == (200, None)
    now = tip(env)
    assert (now.parents, now.author, now.committer) == ((base, head), "mara", "mara")
    assert now.message == "title\n\nmessage\n"


@pytest.mark.parametrize("moved", [False, True])
def test_rebase(env: ApiEnv, moved: bool) -> None:
    """The commits anew on top, by their author and the operator; the very head when main did not move."""
    base, head = prepared(env, moved=moved)
    assert merge(env, "rebase") == (200, None)
    now = tip(env)
    assert (now.sha == head) != moved
    assert (now.author, now.committer, now.message) == ("core", "mara" if moved else "core", "second\n")
    below = env.iris.get(f"~/git/commits/{now.parents[0]}")
    assert [parent["sha"] for parent in below["parents"]] == [base]


def test_a_rebase_leaves_out_what_main_has_had(env: ApiEnv) -> None:
    """A commit that main has by another name is dropped, as git drops it, although main took it back since: nothing comes of it."""
    base = tip(env).sha
    env.core.branch("topic", {"one.txt": "1\n"})
    env.core.branch("early", {"early.txt": "2\n"})
    env.core.post("~/contents/one.txt", {"content": "MQo=", "message": "the same", "branch": "early"})
    for number, head in ((1, "early"), (2, "topic")):
        env.core.post("~/pulls", {"title": head, "head": head, "base": "main"})
        if number == 1:
            assert merge(env, "rebase") == (200, None)
    sha = env.iris.get("~/contents/one.txt")["sha"]
    body = {"sha": sha, "message": "taken back", "branch": "main"}
    assert env.core.call("DELETE", "~/contents/one.txt", body).status_code == 200
    before = tip(env).sha
    assert before != base
    said = env.mara.says("POST", "~/pulls/2/merge", {"Do": "rebase"})
    assert (said, tip(env).sha) == ((200, None), before)
    assert env.iris.call("GET", "~/contents/one.txt").status_code == 404


@pytest.mark.parametrize("attributes", ["log merge=union", "log -merge", ""])
def test_merges_obey_the_attributes_of_their_base(env: ApiEnv, attributes: str) -> None:
    """As a real forge merges, which does so in a work tree: `union` takes both sides."""
    env.core.post("~/contents/.gitattributes", {"content": b64(f"{attributes}\n"), "message": "x", "branch": "main"})
    env.core.post("~/contents/log", {"content": b64("1\n"), "message": "x", "branch": "main"})
    env.core.branch("topic", {"topic.txt": "x\n"})
    for branch, line in (("topic", "3"), ("main", "2")):
        sha = env.iris.get(f"~/contents/log?ref={branch}")["sha"]
        env.core.put("~/contents/log", {"content": b64(f"1\n{line}\n"), "message": line, "sha": sha, "branch": branch})
    env.core.post("~/pulls", {"title": "topic", "head": "topic", "base": "main"})
    merged = attributes == "log merge=union"
    assert merge(env, "merge") == ((200, None) if merged else AGAIN)
    assert env.iris.get("~/contents/log")["content"] == b64("1\n2\n3\n" if merged else "1\n2\n")


def test_rebase_merge(env: ApiEnv) -> None:
    """A merge commit of the operator over the commits anew."""
    base, head = prepared(env, moved=True)
    assert merge(env, "rebase-merge") == (200, None)
    now = tip(env)
    assert (now.parents[0], now.author, now.committer) == (base, "mara", "mara")
    assert now.parents[1] != head
    assert now.message == "Merge pull request 'topic' (#1) from topic into main\n"


def test_squash(env: ApiEnv) -> None:
    """One commit on the old tip, by the author of the pull request and the operator."""
    base, _ = prepared(env, moved=True)
    assert merge(env, "squash") == (200, None)
    assert tip(env) == Tip(tip(env).sha, (base,), "core", "mara", "topic (#1)\n")
    for name in ("README.md", "moved.txt", "one.txt", "two.txt"):
        assert env.iris.get(f"~/contents/{name}")["name"] == name


def test_fast_forward_only(env: ApiEnv) -> None:
    """The head itself, or a crash when main has moved on."""
    _, head = prepared(env, moved=False)
    assert merge(env, "fast-forward-only") == (200, None)
    assert tip(env).sha == head
    env.core.branch("late", {"late.txt": "x\n"})
    env.core.post("~/pulls", {"title": "late", "head": "late", "base": "main"})
    env.core.post("~/contents/moved.txt", {"content": "eA==", "message": "moved", "branch": "main"})
    assert env.mara.says("POST", "~/pulls/2/merge", {"Do": "fast-forward-only"}) == (500, "")


def test_a_merge_is_on_record(env: ApiEnv) -> None:
    """The pull request says who merged it and as what; the push record, the timeline and the commit say so too."""
    prepared(env, moved=True)
    merge(env, "squash", delete_branch_after_merge=True)
    pull, sha = env.iris.get("~/pulls/1"), tip(env).sha
    assert (pull["merged"], pull["merged_by"]["login"], pull["merge_commit_sha"], pull["state"]) == (
        True,
        "mara",
        sha,
        "closed",
    )
    assert pull["head"]["ref"] == "refs/pull/1/head"
    assert env.iris.get(f"~/commits/{sha}/pull")["number"] == 1
    kinds = [row["op_type"] for row in env.iris.get("~/activities/feeds")][:3]
    assert kinds == ["delete_branch", "commit_repo", "merge_pull_request"]
    assert "merge_pull" in {row["type"] for row in env.iris.get("~/issues/1/timeline")}
    assert merge(env, "merge") == (405, "")


def test_the_head_is_pinned(env: ApiEnv) -> None:
    """A merge for another head than the one that is there is refused, in whatever case its keys are written."""
    _, head = prepared(env, moved=False)
    assert merge(env, "merge", head_commit_id="0" * 40) == (409, "head out of date")
    assert env.mara.says("POST", "~/pulls/1/merge", {"do": "merge", "head_commit_id": "0" * 40})[0] == 409
    assert merge(env, "merge", head_commit_id=head) == (200, None)


@pytest.mark.parametrize(("body", "words"), [({}, "[Do]: Required"), ({"Do": "octopus"}, "[Do]: In")])
def test_a_style_has_a_name(env: ApiEnv, body: dict[str, str], words: str) -> None:
    """No style and an unknown one are refused before anything else."""
    env.core.pull("topic")
    assert env.mara.says("POST", "~/pulls/1/merge", body) == (422, words)


def test_a_conflict_says_try_again(env: ApiEnv) -> None:
    """Two changes of one line: not mergeable, 405 in the words of a check that still runs, and no update either."""
    env.core.pull("topic", {"same.txt": "left\n"})
    env.core.post("~/contents/same.txt", {"content": "cmlnaHQK", "message": "right", "branch": "main"})
    assert env.iris.get("~/pulls/1")["mergeable"] is False
    assert merge(env, "merge") == AGAIN
    assert env.core.says("POST", "~/pulls/1/update") == (409, "merge failed because of conflict")


def test_a_check_takes_its_time(env: ApiEnv) -> None:
    """With a delay a new pull request is not mergeable until its check is over, and says the same 405."""
    env.forge.site.check_delay = 3600
    env.core.pull("topic")
    assert env.iris.get("~/pulls/1")["mergeable"] is False
    assert merge(env, "merge") == AGAIN
    env.forge.site.state.run("UPDATE pulls SET checking_until = 0")
    assert merge(env, "merge") == (200, None)


def test_words_close_issues(env: ApiEnv) -> None:
    """What the text of a pull request or a commit says to close is closed by the merge, and not before."""
    for title in ("by the text", "by a commit", "only named"):
        env.core.post("~/issues", {"title": title})
    env.core.branch("topic", {"x.txt": "x\n"}, message="Fixes #2")
    env.core.post("~/pulls", {"title": "t", "head": "topic", "base": "main", "body": "Closes: #1, see #3"})
    assert [issue["state"] for issue in env.iris.get("~/issues", state="all", type="issues")] == ["open"] * 3
    env.mara.post("~/pulls/4/merge", {"Do": "merge"})
    states = {issue["number"]: issue["state"] for issue in env.iris.get("~/issues", state="all", type="issues")}
    assert states == {1: "closed", 2: "closed", 3: "open"}
    kinds = [row["type"] for row in env.iris.get("~/issues/1/timeline")]
    assert kinds == ["pull_ref", "close"]


BLOCKED = "not allowed to merge [reason: {}]"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"enable_status_check": True, "status_check_contexts": ["hive/*"]},
            "Not all required status checks successful",
        ),
        ({"required_approvals": 1}, "Does not have enough approvals"),
        ({"block_on_outdated_branch": True}, "The head branch is behind the base branch"),
        ({"protected_file_patterns": "one.*;secret/**"}, "Changed protected files"),
    ],
)
def test_protection_forbids(env: ApiEnv, settings: dict[str, Any], reason: str) -> None:
    """Each rule has its reason; `force_merge` overrides it for an admin that the rule does not include."""
    prepared(env, moved=True)
    env.protect(apply_to_admins=True, **settings)
    assert merge(env, "merge") == (405, BLOCKED.format(reason))
    assert merge(env, "merge", force_merge=True) == (405, BLOCKED.format(reason))
    env.mara.patch("~/branch_protections/main", {"apply_to_admins": False})
    assert merge(env, "merge") == (405, BLOCKED.format(reason))
    assert merge(env, "merge", force_merge=True) == (200, None)


def test_reviews_forbid(env: ApiEnv) -> None:
    """An official rejection blocks until its author approves; an official request blocks until it is answered."""
    prepared(env, moved=False)
    env.protect(block_on_rejected_reviews=True, block_on_official_review_requests=True, required_approvals=1)
    env.triage.post("~/pulls/1/reviews", {"event": "REQUEST_CHANGES", "body": "no"})
    env.root.post("~/pulls/1/reviews", {"event": "APPROVED"})
    env.mara.post("~/pulls/1/reviews", {"event": "REQUEST_CHANGES", "body": "no"})
    assert merge(env, "merge") == (405, BLOCKED.format("There are requested changes"))
    env.mara.post("~/pulls/1/reviews", {"event": "APPROVED"})
    env.core.post("~/pulls/1/requested_reviewers", {"reviewers": ["mara"]})
    assert merge(env, "merge") == (405, BLOCKED.format("There are official review requests"))
    env.mara.post("~/pulls/1/reviews", {"event": "APPROVED"})
    assert merge(env, "merge") == (200, None)


def test_the_merge_list_comes_first(env: ApiEnv) -> None:
    """Who is not on the list of mergers does not merge: no writer, no site admin, not by force."""
    prepared(env, moved=False)
    env.protect(enable_merge_whitelist=True, merge_whitelist_usernames=["mara"])
    no = (405, "User not allowed to merge PR")
    assert env.core.says("POST", "~/pulls/1/merge", {"Do": "merge"}) == no
    assert env.root.says("POST", "~/pulls/1/merge", {"Do": "merge", "force_merge": True}) == no
    assert merge(env, "merge") == (200, None)


def test_a_scheduled_merge_waits_for_success(env: ApiEnv) -> None:
    """It is merged in the name of who scheduled it, when the last required status is there; once is enough."""
    _, head = prepared(env, moved=False)
    env.protect(enable_status_check=True, status_check_contexts=["hive/*"])
    wish = {"Do": "merge", "merge_when_checks_succeed": True, "delete_branch_after_merge": True}
    place = "~/pulls/1/merge"
    assert env.mara.call("POST", place, wish).status_code == 201
    assert env.mara.says("POST", place, wish)[0] == 409
    assert env.mara.call("DELETE", place).status_code == 204
    assert env.mara.call("DELETE", place).status_code == 404
    env.mara.call("POST", place, wish)
    for state in ("pending", "success"):
        assert env.iris.get("~/pulls/1")["merged"] is False
        env.core.post(f"~/statuses/{head}", {"context": "hive/eval", "state": state})
    pull = env.iris.get("~/pulls/1")
    assert (pull["merged"], pull["merged_by"]["login"], pull["head"]["ref"]) == (True, "mara", "refs/pull/1/head")


def test_an_update_brings_main_in(env: ApiEnv) -> None:
    """A branch that is behind gets main by merge or rebase; one that is not, or a reader's wish, is refused."""
    prepared(env, moved=True)
    assert env.iris.call("POST", "~/pulls/1/update").status_code == 403
    assert env.core.call("POST", "~/pulls/1/update").status_code == 200
    assert env.iris.get("~/git/commits/topic")["commit"]["message"] == "Merge branch 'main' into topic\n"
    assert env.core.says("POST", "~/pulls/1/update") == (500, "")


@pytest.mark.parametrize(
    ("state", "context", "pattern", "merges"),
    [
        ("skipped", "ci", "ci", True),
        ("warning", "ci", "ci", False),
        ("success", "ci (linux) [fast]", "ci (linux) \\[fast\\]", True),
        ("success", "ci (linux) [fast]", "ci (linux) [fast]", False),
        ("success", "ci f", "ci [fast]", True),
        ("success", "a/b/c", "a/*", True),
        ("success", "ci two", "ci {one,two}", True),
        ("success", "ci *", "ci \\*", True),
        ("success", "ci x", "ci \\*", False),
    ],
)
def test_required_checks_are_patterns(env: ApiEnv, state: str, context: str, pattern: str, *, merges: bool) -> None:
    """What was skipped passes, a warning does not, and letters with a meaning have to be escaped."""
    _, head = prepared(env, moved=False)
    env.protect(enable_status_check=True, status_check_contexts=[pattern])
    env.core.post(f"~/statuses/{head}", {"context": context, "state": state})
    assert (merge(env, "merge")[0] == 200) is merges


def test_a_fourth_pin_is_a_failure(env: ApiEnv) -> None:
    """A forge pins three issues of a repository, and does not say what is wrong with one more."""
    for number in range(1, 5):
        env.core.post("~/issues", {"title": f"{number}"})
        said = env.mara.call("POST", f"~/issues/{number}/pin").status_code
        assert said == (204 if number <= 3 else 500)
    assert env.mara.call("DELETE", "~/issues/1/pin").status_code == 204
    assert env.mara.call("POST", "~/issues/4/pin").status_code == 204


def test_statuses(env: ApiEnv) -> None:
    """Any word is a state, every one is kept; an unknown commit has none."""
    sha = env.core.get("~/branches/main")["commit"]["id"]
    for context, state in (("a", "failure"), ("b", "warning"), ("a", "success"), ("", "nonsense")):
        env.core.post(f"~/statuses/{sha}", {"context": context, "state": state})
    listed = env.iris.get(f"~/statuses/{sha}")
    assert sorted((row["context"], row["status"]) for row in listed) == [
        ("", "nonsense"),
        ("a", "failure"),
        ("a", "success"),
        ("b", "warning"),
    ]
    assert env.iris.call("GET", f"~/statuses/{sha}").headers["X-Total-Count"] == "4"
    assert env.core.says("POST", f"~/statuses/{'0' * 40}", {"state": "success"}) == (404, "0" * 40)


def test_a_forged_merge_is_believed(env: ApiEnv) -> None:
    """With detection on, a pushed commit in an operator's name makes a merge of his: as on real forges."""
    env.mara.patch("~", {"allow_manual_merge": True, "autodetect_manual_merge": True})
    head = env.core.pull("topic")["head"]["sha"]
    site = env.forge.site
    repo, core, mara = repos.get(site, "acme", "app"), people.get(site, "core"), people.get(site, "mara")
    git, old = site.git(repo), repos.tip(site, repo, "main")
    sign = repos.signature(site, mara)
    forged = git.write_commit(f"{head}^{{tree}}", [old, head], "Merge pull request 'topic'", sign, sign)
    pushes.move(site, core, repo, [("refs/heads/main", old, forged)])
    pull = env.iris.get("~/pulls/1")
    assert (pull["merged"], pull["merged_by"]["login"], pull["merge_commit_sha"]) == (True, "mara", forged)
    rows = [row for row in env.iris.get("~/activities/feeds") if row["op_type"] == "commit_repo"]
    assert rows[0]["act_user"]["login"] == "core"
