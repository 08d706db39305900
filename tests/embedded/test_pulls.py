"""Pull requests: opening them, following their branches, reviewing them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.embedded.conftest import ApiEnv, Receiver

TEXT = "".join(f"line{n}\n" for n in range(1, 41))


def test_a_reader_sets_what_he_likes(env: ApiEnv) -> None:
    """Whoever may read opens pull requests, with labels and assignees that no one drops; draft and reviewers are ignored."""
    bug = env.core.post("~/labels", {"name": "bug", "color": "#00aabb"})["id"]
    env.core.branch("topic", {"x.txt": "x\n"})
    body = {
        "title": "t",
        "head": "topic",
        "base": "main",
        "labels": [bug],
        "assignees": ["mara"],
        "draft": True,
        "reviewers": ["core"],
    }
    made = env.iris.post("~/pulls", body)
    assert ([one["name"] for one in made["labels"]], made["assignee"]["login"]) == (["bug"], "mara")
    assert (made["draft"], made["requested_reviewers"], made["mergeable"]) == (False, [], True)
    assert (made["additions"], made["deletions"], made["changed_files"]) == (1, 0, 1)


def test_the_second_of_a_kind_is_refused(env: ApiEnv) -> None:
    """One open pull request per head and base; its number stands in the refusal. A closed one does not count."""
    env.core.pull("topic")
    body = {"title": "again", "head": "topic", "base": "main"}
    status, words = env.core.says("POST", "~/pulls", body)
    assert (status, words) == (
        409,
        "pull request already exists for these targets [id: 1, issue_id: 1, head_repo_id: 1, base_repo_id: 1, head_branch: topic, base_branch: main]",
    )
    env.core.patch("~/pulls/1", {"state": "closed"})
    assert env.core.post("~/pulls", body)["number"] == 2


@pytest.mark.parametrize(
    ("head", "base", "status", "words"),
    [
        ("main", "main", 422, "Invalid PullRequest: There are no changes between the head and the base"),
        ("nope", "main", 404, "could not find 'nope' to be a commit, branch or tag in the head repository acme/app"),
        ("same", "nope", 404, "could not find 'nope' to be a commit, branch or tag in the base repository acme/app"),
        ("same", "main", 201, ""),
    ],
)
def test_what_cannot_be_opened(env: ApiEnv, head: str, base: str, status: int, words: str) -> None:
    """No head, no base, or both the same are refused; two branches at one commit are an empty pull request."""
    env.core.post("~/branches", {"new_branch_name": "same"})
    answer = env.core.call("POST", "~/pulls", {"title": "t", "head": head, "base": base})
    assert answer.status_code == status
    assert words in {"", answer.json().get("message"), *answer.json().get("errors", [])}


def test_a_head_is_followed(env: ApiEnv, tmp_path: Path) -> None:
    """A push to the head moves `refs/pull/N/head`, the counts and the timeline; a forced one says so."""
    first = env.core.pull("topic")["head"]["sha"]
    work = env.core.clone(tmp_path / "work")
    env.core.git("checkout", "-q", "topic", cwd=work)
    second = env.core.commit(work, "more", more__txt="1\n2\n")
    assert env.core.git("push", "-q", "origin", "topic", cwd=work).returncode == 0
    env.core.git("commit", "-q", "--amend", "-m", "amended", cwd=work)
    assert env.core.git("push", "-q", "-f", "origin", "topic", cwd=work).returncode == 0
    pull = env.iris.get("~/pulls/1")
    kept = env.iris.git("ls-remote", "origin", "refs/pull/1/head", cwd=work).stdout.split()[0]
    assert pull["head"]["sha"] == kept == env.core.git("rev-parse", "HEAD", cwd=work).stdout.strip()
    assert (pull["additions"], pull["changed_files"]) == (3, 2)
    told = [json.loads(row["body"]) for row in env.iris.get("~/issues/1/timeline") if row["type"] == "pull_push"]
    assert [push["is_force_push"] for push in told] == [False, False, True]
    assert [push["commit_ids"] for push in told] == [[first], [second], [second, kept]]


def test_work_in_progress_is_a_word(env: ApiEnv) -> None:
    """A title that begins with WIP makes a draft, which cannot be merged, and nothing else does."""
    env.core.pull("topic")
    draft = env.core.patch("~/pulls/1", {"title": "WIP: topic"})
    assert (draft["draft"], draft["mergeable"]) == (True, False)
    assert env.mara.says("POST", "~/pulls/1/merge", {"Do": "merge"}) == (
        405,
        "Work in progress PRs cannot be merged",
    )
    ready = env.core.patch("~/pulls/1", {"title": "topic", "draft": True})
    assert (ready["draft"], ready["mergeable"]) == (False, True)


def test_another_base(env: ApiEnv, receiver: Receiver) -> None:
    """A pull request can aim elsewhere; the event tells the new base as the old one, as real forges do."""
    env.core.post("~/branches", {"new_branch_name": "dev"})
    env.core.pull("topic")
    env.hook(receiver, "pull_request")
    assert env.core.patch("~/pulls/1", {"base": "dev"})["base"]["ref"] == "dev"
    (heard,) = receiver.listens_to_bots("pull_request.edited")
    assert heard.json["changes"] == {"ref": {"from": "dev"}}
    assert env.core.says("PATCH", "~/pulls/1", {"base": "nope"}) == (404, "new base 'nope' not exist")


def test_a_fork_proposes(env: ApiEnv, receiver: Receiver, tmp_path: Path) -> None:
    """A pull request from a fork is followed too, and outlives its fork: closed, with its commit kept."""
    env.hook(receiver, "pull_request")
    fork = env.eve.post("~/forks", {})
    assert (fork["full_name"], fork["parent"]["full_name"]) == ("eve/app", "acme/app")
    theirs = env.eve.clone(tmp_path / "fork", "eve/app")
    env.eve.commit(theirs, "from afar", afar__txt="afar\n")
    assert env.eve.git("push", "-q", "origin", "HEAD:patch", cwd=theirs).returncode == 0
    pull = env.eve.post("~/pulls", {"title": "afar", "head": "eve:patch", "base": "main"})
    assert (pull["head"]["repo_id"], pull["head"]["repo"]["full_name"]) == (fork["id"], "eve/app")
    tip = env.eve.commit(theirs, "more", more__txt="more\n")
    pushed = env.eve.git("push", "origin", "HEAD:patch", cwd=theirs).stderr
    assert f"{env.forge.url}/acme/app/pulls/1" in pushed
    env.root.delete("/repos/eve/app")
    receiver.listens_to_bots("pull_request.opened", "pull_request_sync.synchronized", "pull_request.closed")
    left = env.iris.get("~/pulls/1")
    assert (left["state"], left["head"]["repo"], left["head"]["repo_id"], left["head"]["sha"]) == (
        "closed",
        None,
        -1,
        tip,
    )


def test_files_and_diff(env: ApiEnv) -> None:
    """What a pull request changes is listed as files and shown as a diff."""
    env.core.pull("topic", {"x.txt": "x\n"})
    (file,) = env.iris.get("~/pulls/1/files")
    assert (file["filename"], file["status"], file["changes"]) == ("x.txt", "added", 1)
    assert env.iris.get("~/pulls/1.diff").endswith("@@ -0,0 +1 @@\n+x\n")


def remarks(env: ApiEnv, *said: dict[str, Any]) -> list[dict[str, Any]]:
    """What a review with these remarks looks like afterwards."""
    review = env.mara.post("~/pulls/1/reviews", {"event": "COMMENT", "comments": list(said)})
    assert review["comments_count"] == len(said)
    return list(env.iris.get(f"~/pulls/1/reviews/{review['id']}/comments"))


def test_remarks_hang_on_lines(env: ApiEnv) -> None:
    """A remark shows the lines of the diff above it; one outside of the diff hangs there without any."""
    env.core.post("~/contents/x.py", {"content": _b64(TEXT), "message": "x", "branch": "main"})
    sha = env.core.get("~/contents/x.py")["sha"]
    text = TEXT.replace("line10\n", "line10 changed\n").replace("line30\n", "")
    env.core.put("~/contents/x.py", {"content": _b64(text), "sha": sha, "new_branch": "topic", "branch": "main"})
    env.core.post("~/pulls", {"title": "t", "head": "topic", "base": "main"})
    new = {"path": "x.py", "body": "new", "new_position": 10}
    old = {"path": "x.py", "body": "old", "old_position": 30}
    far, lost = (
        {"path": "x.py", "body": "far", "new_position": 20},
        {"path": "no/such", "body": "lost", "new_position": 1},
    )
    by_body = {one["body"]: one for one in remarks(env, new, old, far, lost)}
    assert by_body["new"]["diff_hunk"] == "@@ -8,3 +8,3 @@\n line8\n line9\n-line10\n+line10 changed"
    assert by_body["old"]["diff_hunk"].splitlines()[1:] == [" line27", " line28", " line29", "-line30"]
    assert (by_body["old"]["position"], by_body["old"]["original_position"]) == (0, 30)
    assert (by_body["far"]["diff_hunk"], by_body["lost"]["diff_hunk"]) == ("", "")


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("who", "body", "words"),
    [
        ("core", {"event": "APPROVED"}, "approve your own pull is not allowed"),
        ("core", {"event": "REQUEST_CHANGES", "body": "x"}, "reject your own pull is not allowed"),
        ("mara", {"event": "REQUEST_CHANGES"}, "review event REQUEST_CHANGES requires a body"),
        ("mara", {"event": "COMMENT"}, "review event COMMENT requires a body or a comment"),
        ("mara", {"event": "APPROVE"}, "review event APPROVE requires a body"),
    ],
)
def test_a_review_that_says_nothing_is_refused(env: ApiEnv, who: str, body: dict[str, str], words: str) -> None:
    """No verdict on one's own work, and no verdict but approval without words."""
    env.core.pull("topic")
    assert getattr(env, who).says("POST", "~/pulls/1/reviews", body) == (422, words)


def test_only_writers_review_officially(env: ApiEnv) -> None:
    """Anybody may approve; it counts for those who may write the code."""
    env.core.pull("topic")
    official = {
        who: getattr(env, who).post("~/pulls/1/reviews", {"event": "APPROVED"})["official"]
        for who in ("mara", "triage", "eve")
    }
    assert official == {"mara": True, "triage": False, "eve": False}


def test_the_last_verdict_counts(env: ApiEnv) -> None:
    """A new verdict of the same user dismisses his older one, and answers the request for it."""
    env.core.pull("topic")
    env.core.post("~/pulls/1/requested_reviewers", {"reviewers": ["mara"]})
    env.mara.post("~/pulls/1/reviews", {"event": "APPROVED"})
    env.mara.post("~/pulls/1/reviews", {"event": "REQUEST_CHANGES", "body": "no"})
    told = [(one["state"], one["dismissed"], one["official"]) for one in env.iris.get("~/pulls/1/reviews")]
    assert told == [("APPROVED", True, False), ("REQUEST_CHANGES", False, True)]


def test_a_pending_review_swallows(env: ApiEnv) -> None:
    """An unknown event makes a review that only its author sees, is counted all the same, and takes up his next words."""
    env.core.pull("topic")
    pending = env.mara.post("~/pulls/1/reviews", {"event": "APPROVE", "body": "a word of GitHub"})
    assert pending["state"] == "PENDING"
    hidden = env.iris.call("GET", "~/pulls/1/reviews")
    assert (hidden.json(), hidden.headers["X-Total-Count"]) == ([], "1")
    assert len(env.mara.get("~/pulls/1/reviews")) == 1
    said = {"path": "topic.txt", "body": "here", "new_position": 1}
    assert env.mara.post("~/pulls/1/reviews", {"event": "COMMENT", "comments": [said]})["id"] == pending["id"]


def test_reviews_go_stale_with_the_content(env: ApiEnv, tmp_path: Path) -> None:
    """New content makes reviews stale, and dismisses approvals where the rule says so; a rebase does not."""
    env.protect(enable_push=True, dismiss_stale_approvals=True)
    env.core.pull("topic")
    env.mara.post("~/pulls/1/reviews", {"event": "APPROVED"})
    env.core.branch("other", {"other.txt": "x\n"})
    work = env.core.clone(tmp_path / "work")
    env.core.git("push", "-q", "origin", "origin/other:main", cwd=work)
    env.core.call("POST", "~/pulls/1/update", params={"style": "rebase"})
    (review,) = env.iris.get("~/pulls/1/reviews")
    assert (review["stale"], review["dismissed"], review["commit_id"]) == (
        False,
        False,
        env.iris.get("~/pulls/1")["head"]["sha"],
    )
    env.core.git("fetch", "-q", cwd=work)
    env.core.git("checkout", "-q", "topic", cwd=work)
    env.core.commit(work, "new content", more__txt="more\n")
    env.core.git("push", "-q", "origin", "topic", cwd=work)
    (review,) = env.iris.get("~/pulls/1/reviews")
    assert (review["stale"], review["dismissed"]) == (True, True)


def test_reviewers_are_asked(env: ApiEnv) -> None:
    """The author cannot be asked, twice is once, a team is asked in silence, and asking can be taken back."""
    env.core.pull("topic")
    place = "~/pulls/1/requested_reviewers"
    assert env.core.says("POST", place, {"reviewers": ["core"]})[0] == 422
    assert env.core.says("POST", place, {"reviewers": ["nobody-here"]}) == (404, "User 'nobody-here' not exist")
    assert [one["user"]["login"] for one in env.core.post(place, {"reviewers": ["mara"]})] == ["mara"]
    assert env.core.post(place, {"reviewers": ["mara"]}) == []
    assert env.core.post(place, {"team_reviewers": ["team-core"]})[0]["team"]["name"] == "team-core"
    env.core.delete(place, {"reviewers": ["mara"]})
    pull = env.iris.get("~/pulls/1")
    assert (pull["requested_reviewers"], len(pull["requested_reviewers_teams"])) == ([], 1)


def test_only_admins_dismiss(env: ApiEnv) -> None:
    """A verdict is dismissed by an admin of the repository, and by nobody else."""
    env.core.pull("topic")
    review = env.mara.post("~/pulls/1/reviews", {"event": "REQUEST_CHANGES", "body": "no"})["id"]
    place = f"~/pulls/1/reviews/{review}"
    assert env.core.says("POST", f"{place}/dismissals", {"message": "x"}) == (403, "Must be repo admin")
    assert env.mara.post(f"{place}/dismissals", {"message": "overruled"})["dismissed"] is True


def test_lists_narrow(env: ApiEnv) -> None:
    """Pull requests are listed by state, head, base and poster; as issues they are issues too."""
    for name in ("one", "two"):
        env.core.pull(name)
    env.core.patch("~/pulls/1", {"state": "closed"})
    assert [one["title"] for one in env.iris.get("~/pulls")] == ["two"]
    assert [one["title"] for one in env.iris.get("~/pulls", state="all", sort="oldest")] == ["one", "two"]
    assert env.iris.get("~/pulls", head="one") == []
    assert [one["number"] for one in env.iris.get("~/issues", type="pulls", state="all")] == [2, 1]
    assert env.iris.call("GET", "~/pulls/3").status_code == 404
