"""Merging: what each style makes of the branch, and every reason for a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from forge.embedded.services import people, pushes, repos

if TYPE_CHECKING:
    from tests.embedded.conftest import Village

AGAIN = (405, "Please try again later")


@dataclass(frozen=True)
class Tip:
    """What is on main after a merge."""

    sha: str
    parents: tuple[str, ...]
    author: str
    committer: str
    message: str


def tip(village: Village) -> Tip:
    commit = village.iris.get("~/git/commits/main")
    inner = commit["commit"]
    parents = tuple(parent["sha"] for parent in commit["parents"])
    return Tip(commit["sha"], parents, inner["author"]["name"], inner["committer"]["name"], inner["message"])


def prepared(village: Village, *, moved: bool) -> tuple[str, str]:
    """A pull request of two commits, with main moved on or not; answers the tips of main and of the head."""
    village.core.branch("topic", {"one.txt": "1\n"})
    body = {"content": "Mgo=", "message": "second", "branch": "topic"}
    village.core.post("~/contents/two.txt", body)
    pull = village.core.post("~/pulls", {"title": "topic", "head": "topic", "base": "main"})
    if moved:
        village.core.post("~/contents/moved.txt", {"content": "eA==", "message": "moved", "branch": "main"})
    return tip(village).sha, pull["head"]["sha"]


def merge(village: Village, style: str, **more: Any) -> tuple[int, Any]:
    return village.mara.says("POST", "~/pulls/1/merge", {"Do": style, **more})


@pytest.mark.parametrize("moved", [False, True])
def test_merge(village: Village, moved: bool) -> None:
    """A merge commit of the operator: the old tip and the head are its parents."""
    base, head = prepared(village, moved=moved)
    assert merge(village, "merge", MergeTitleField="title", MergeMessageField="message") == (200, None)
    now = tip(village)
    assert (now.parents, now.author, now.committer) == ((base, head), "mara", "mara")
    assert now.message == "title\n\nmessage\n"


@pytest.mark.parametrize("moved", [False, True])
def test_rebase(village: Village, moved: bool) -> None:
    """The commits anew on top, by their author and the operator; the very head when main did not move."""
    base, head = prepared(village, moved=moved)
    assert merge(village, "rebase") == (200, None)
    now = tip(village)
    assert (now.sha == head) != moved
    assert (now.author, now.committer, now.message) == ("core", "mara" if moved else "core", "second\n")
    assert village.iris.get("~/commits", limit=5)[2]["sha"] == base


def test_rebase_merge(village: Village) -> None:
    """A merge commit of the operator over the commits anew."""
    base, head = prepared(village, moved=True)
    assert merge(village, "rebase-merge") == (200, None)
    now = tip(village)
    assert (now.parents[0], now.author, now.committer) == (base, "mara", "mara")
    assert now.parents[1] != head
    assert now.message == "Merge pull request 'topic' (#1) from topic into main\n"


def test_squash(village: Village) -> None:
    """One commit on the old tip, by the author of the pull request and the operator."""
    base, _ = prepared(village, moved=True)
    assert merge(village, "squash") == (200, None)
    assert tip(village) == Tip(tip(village).sha, (base,), "core", "mara", "topic (#1)\n")
    assert {entry["name"] for entry in village.iris.get("~/contents")} == {
        "README.md",
        "moved.txt",
        "one.txt",
        "two.txt",
    }


def test_fast_forward_only(village: Village) -> None:
    """The head itself, or a crash when main has moved on."""
    _, head = prepared(village, moved=False)
    assert merge(village, "fast-forward-only") == (200, None)
    assert tip(village).sha == head
    village.core.branch("late", {"late.txt": "x\n"})
    village.core.post("~/pulls", {"title": "late", "head": "late", "base": "main"})
    village.core.post("~/contents/moved.txt", {"content": "eA==", "message": "moved", "branch": "main"})
    assert village.mara.says("POST", "~/pulls/2/merge", {"Do": "fast-forward-only"}) == (500, "")


def test_a_merge_is_on_record(village: Village) -> None:
    """The pull request says who merged it and as what; the push record, the timeline and the commit say so too."""
    prepared(village, moved=True)
    merge(village, "squash", delete_branch_after_merge=True)
    pull, sha = village.iris.get("~/pulls/1"), tip(village).sha
    assert (pull["merged"], pull["merged_by"]["login"], pull["merge_commit_sha"], pull["state"]) == (
        True,
        "mara",
        sha,
        "closed",
    )
    assert pull["head"]["ref"] == "refs/pull/1/head"
    assert village.iris.get(f"~/commits/{sha}/pull")["number"] == 1
    assert village.iris.call("GET", "~/pulls/1/merge").status_code == 204
    kinds = [row["op_type"] for row in village.iris.get("~/activities/feeds")][:3]
    assert kinds == ["delete_branch", "commit_repo", "merge_pull_request"]
    assert "merge_pull" in {row["type"] for row in village.iris.get("~/issues/1/timeline")}
    assert merge(village, "merge") == (405, "")


def test_the_head_is_pinned(village: Village) -> None:
    """A merge for another head than the one that is there is refused, in whatever case its keys are written."""
    _, head = prepared(village, moved=False)
    assert merge(village, "merge", head_commit_id="0" * 40) == (409, "head out of date")
    assert village.mara.says("POST", "~/pulls/1/merge", {"do": "merge", "head_commit_id": "0" * 40})[0] == 409
    assert merge(village, "merge", head_commit_id=head) == (200, None)


@pytest.mark.parametrize(("body", "words"), [({}, "[Do]: Required"), ({"Do": "octopus"}, "[Do]: In")])
def test_a_style_has_a_name(village: Village, body: dict[str, str], words: str) -> None:
    """No style and an unknown one are refused before anything else."""
    village.core.pull("topic")
    assert village.mara.says("POST", "~/pulls/1/merge", body) == (422, words)


def test_a_conflict_says_try_again(village: Village) -> None:
    """Two changes of one line: not mergeable, 405 in the words of a check that still runs, and no update either."""
    village.core.pull("topic", {"same.txt": "left\n"})
    village.core.post("~/contents/same.txt", {"content": "cmlnaHQK", "message": "right", "branch": "main"})
    assert village.iris.get("~/pulls/1")["mergeable"] is False
    assert merge(village, "merge") == AGAIN
    assert village.core.says("POST", "~/pulls/1/update") == (409, "merge failed because of conflict")


def test_a_check_takes_its_time(village: Village) -> None:
    """With a delay a new pull request is not mergeable until its check is over, and says the same 405."""
    village.forge.site.check_delay = 3600
    village.core.pull("topic")
    assert village.iris.get("~/pulls/1")["mergeable"] is False
    assert merge(village, "merge") == AGAIN
    village.forge.site.state.run("UPDATE pulls SET checking_until = 0")
    assert merge(village, "merge") == (200, None)


def test_words_close_issues(village: Village) -> None:
    """What the text of a pull request or a commit says to close is closed by the merge, and not before."""
    for title in ("by the text", "by a commit", "only named"):
        village.core.post("~/issues", {"title": title})
    village.core.branch("topic", {"x.txt": "x\n"}, message="Fixes #2")
    village.core.post("~/pulls", {"title": "t", "head": "topic", "base": "main", "body": "Closes: #1, see #3"})
    assert [issue["state"] for issue in village.iris.get("~/issues", state="all", type="issues")] == ["open"] * 3
    village.mara.post("~/pulls/4/merge", {"Do": "merge"})
    states = {issue["number"]: issue["state"] for issue in village.iris.get("~/issues", state="all", type="issues")}
    assert states == {1: "closed", 2: "closed", 3: "open"}
    kinds = [row["type"] for row in village.iris.get("~/issues/1/timeline")]
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
def test_protection_forbids(village: Village, settings: dict[str, Any], reason: str) -> None:
    """Each rule has its reason; `force_merge` overrides it for an admin that the rule does not include."""
    prepared(village, moved=True)
    village.protect(apply_to_admins=True, **settings)
    assert merge(village, "merge") == (405, BLOCKED.format(reason))
    assert merge(village, "merge", force_merge=True) == (405, BLOCKED.format(reason))
    village.mara.patch("~/branch_protections/main", {"apply_to_admins": False})
    assert merge(village, "merge") == (405, BLOCKED.format(reason))
    assert merge(village, "merge", force_merge=True) == (200, None)


def test_reviews_forbid(village: Village) -> None:
    """An official rejection blocks until its author approves; an official request blocks until it is answered."""
    prepared(village, moved=False)
    village.protect(block_on_rejected_reviews=True, block_on_official_review_requests=True, required_approvals=1)
    village.triage.post("~/pulls/1/reviews", {"event": "REQUEST_CHANGES", "body": "no"})
    village.root.post("~/pulls/1/reviews", {"event": "APPROVED"})
    village.mara.post("~/pulls/1/reviews", {"event": "REQUEST_CHANGES", "body": "no"})
    assert merge(village, "merge") == (405, BLOCKED.format("There are requested changes"))
    village.mara.post("~/pulls/1/reviews", {"event": "APPROVED"})
    village.core.post("~/pulls/1/requested_reviewers", {"reviewers": ["mara"]})
    assert merge(village, "merge") == (405, BLOCKED.format("There are official review requests"))
    village.mara.post("~/pulls/1/reviews", {"event": "APPROVED"})
    assert merge(village, "merge") == (200, None)


def test_the_merge_list_comes_first(village: Village) -> None:
    """Who is not on the list of mergers does not merge: no writer, no site admin, not by force."""
    prepared(village, moved=False)
    village.protect(enable_merge_whitelist=True, merge_whitelist_usernames=["mara"])
    no = (405, "User not allowed to merge PR")
    assert village.core.says("POST", "~/pulls/1/merge", {"Do": "merge"}) == no
    assert village.root.says("POST", "~/pulls/1/merge", {"Do": "merge", "force_merge": True}) == no
    assert merge(village, "merge") == (200, None)


def test_a_scheduled_merge_waits_for_success(village: Village) -> None:
    """It is merged in the name of who scheduled it, when the last required status is there; once is enough."""
    _, head = prepared(village, moved=False)
    village.protect(enable_status_check=True, status_check_contexts=["hive/*"])
    wish = {"Do": "merge", "merge_when_checks_succeed": True, "delete_branch_after_merge": True}
    place = "~/pulls/1/merge"
    assert village.mara.call("POST", place, wish).status_code == 201
    assert village.mara.says("POST", place, wish)[0] == 409
    assert village.mara.call("DELETE", place).status_code == 204
    assert village.mara.call("DELETE", place).status_code == 404
    village.mara.call("POST", place, wish)
    for state in ("pending", "success"):
        assert village.iris.get("~/pulls/1")["merged"] is False
        village.core.post(f"~/statuses/{head}", {"context": "hive/eval", "state": state})
    pull = village.iris.get("~/pulls/1")
    assert (pull["merged"], pull["merged_by"]["login"], pull["head"]["ref"]) == (True, "mara", "refs/pull/1/head")


def test_an_update_brings_main_in(village: Village) -> None:
    """A branch that is behind gets main by merge or rebase; one that is not, or a reader's wish, is refused."""
    prepared(village, moved=True)
    assert village.iris.call("POST", "~/pulls/1/update").status_code == 403
    assert village.core.call("POST", "~/pulls/1/update").status_code == 200
    assert village.iris.get("~/pulls/1/commits")[0]["commit"]["message"] == "Merge branch 'main' into topic\n"
    assert village.core.says("POST", "~/pulls/1/update") == (500, "")


def test_statuses(village: Village) -> None:
    """Any word is a state; the newest of each context counts, the worst of them is the whole."""
    sha = village.core.get("~/branches/main")["commit"]["id"]
    for context, state in (("a", "failure"), ("b", "warning"), ("a", "success"), ("", "nonsense")):
        village.core.post(f"~/statuses/{sha}", {"context": context, "state": state})
    whole = village.iris.get("~/commits/main/status")
    assert (whole["state"], whole["total_count"], whole["sha"]) == ("warning", 3, sha)
    assert {row["context"]: row["status"] for row in whole["statuses"]} == {
        "a": "success",
        "b": "warning",
        "": "nonsense",
    }
    assert village.iris.call("GET", f"~/statuses/{sha}").headers["X-Total-Count"] == "4"
    none = village.iris.get(f"~/commits/{'0' * 40}/status")
    assert (none["state"], none["statuses"], none["repository"]) == ("", None, None)
    assert village.core.says("POST", f"~/statuses/{'0' * 40}", {"state": "success"}) == (404, "0" * 40)


def test_a_forged_merge_is_believed(village: Village) -> None:
    """With detection on, a pushed commit in an operator's name makes a merge of his: as on real forges."""
    village.mara.patch("~", {"allow_manual_merge": True, "autodetect_manual_merge": True})
    head = village.core.pull("topic")["head"]["sha"]
    site = village.forge.site
    repo, core, mara = repos.get(site, "acme", "app"), people.get(site, "core"), people.get(site, "mara")
    git, old = site.git(repo), repos.tip(site, repo, "main")
    sign = repos.signature(site, mara)
    forged = git.write_commit(f"{head}^{{tree}}", [old, head], "Merge pull request 'topic'", sign, sign)
    pushes.move(site, core, repo, [("refs/heads/main", old, forged)])
    pull = village.iris.get("~/pulls/1")
    assert (pull["merged"], pull["merged_by"]["login"], pull["merge_commit_sha"]) == (True, "mara", forged)
    rows = [row for row in village.iris.get("~/activities/feeds") if row["op_type"] == "commit_repo"]
    assert rows[0]["act_user"]["login"] == "core"
