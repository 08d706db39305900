"""The fourth chapter: pull requests of a branch and of a fork, and their reviews."""

from __future__ import annotations

from tests.contract.story import Story

LINES = [f"line{n}" for n in range(1, 41)]


def opening(s: Story) -> None:
    """A pull request, and those that cannot be."""
    lines = [f"{line} changed" if line in {"line10", "line30"} else line for line in LINES]
    work = s.kept["work"] = s.clone("core")
    s.git("", "checkout", "-q", "-b", "core-a", cwd=work)
    s.commit(work, {"src/x.py": "\n".join(lines) + "\n"})
    s.git("", "push", "-q", "origin", "core-a", cwd=work)
    at, lab = "~/pulls", s.kept["labels"]
    wish = {"labels": [lab["bug"]], "assignees": [s.user("core")], "milestone": s.kept["milestone"], "draft": True}
    body = {"title": "first pull", "head": "core-a", "base": "main", "body": "text", **wish}
    body |= {"reviewers": [s.user("triage")]}
    n = s.kept["pull"] = s.post("pulls.create", at, body)["number"]
    s.post("", f"{at}/{n}/requested_reviewers", {"reviewers": [s.user("operator")]})  # recorded by way of CODEOWNERS
    s.post("pulls.create_duplicate", at, body)
    s.post("pulls.create_no_diff", at, {"title": "none", "head": "dev", "base": "dev"})
    s.post("", "~/branches", {"new_branch_name": "same", "old_ref_name": "main"})
    s.post("pulls.create_no_commits", at, {"title": "none", "head": "same", "base": "main"})
    s.post("pulls.create_unknown_head", at, {"title": "none", "head": "nope", "base": "main"})
    s.post("pulls.create_unknown_base", at, {"title": "none", "head": "core-a", "base": "nope"})
    s.post("pulls.create_no_title", at, {"head": "core-a", "base": "dev"})
    s.post("pulls.create_without_scope", at, {"title": "x", "head": "from-api", "base": "main"}, by="core.issue")
    other = {"title": "by agent", "head": "from-api", "base": "main", "labels": [lab["bug"]]}
    other |= {"assignees": [s.user("agent")]}
    s.post("pulls.create_by_agent_branch_of_others", at, other, by="agent")
    looking(s, f"{at}/{n}")
    s.commit(work, {"src/x.py": "\n".join([*lines, "line41"]) + "\n"})
    s.git("git.push_update", "push", "-q", "origin", "core-a", cwd=work)
    s.git("", "commit", "-q", "--amend", "-m", "amended", cwd=work)
    s.git("git.push_force", "push", "-q", "--force", "origin", "core-a", cwd=work)


def looking(s: Story, at: str) -> None:
    """A pull request from all its sides."""
    s.ready(s.kept["pull"])
    s.get("pulls.get", at)
    s.get("pulls.get_as_issue", at.replace("pulls", "issues"))
    s.get("pulls.get_unknown", "~/pulls/9999")
    s.get("pulls.get_issue_number", f"~/pulls/{s.kept['issue']}")
    s.get("pulls.list", "~/pulls", state="open", limit=1, sort="recentupdate")
    s.get("pulls.list_head_filter_ignored", "~/pulls", state="open", head="nope", base="nope", limit=1)
    s.get("pulls.list_as_issues", "~/issues", type="pulls", limit=1)
    s.get("pulls.diff", f"{at}.diff")
    s.get("pulls.files", f"{at}/files")


def editing(s: Story) -> None:
    """A pull request is changed."""
    at = f"~/pulls/{s.kept['pull']}"
    issue = at.replace("pulls", "issues")
    s.patch("pulls.edit_title", at, {"title": "first pull, renamed"})
    s.patch("pulls.edit_wip", at, {"title": "WIP: first pull"})
    s.get("pulls.get_wip", at)
    s.post("merge.wip", f"{at}/merge", {"Do": "merge"})
    s.patch("pulls.edit_ready", at, {"title": "first pull"})
    s.patch("pulls.edit_draft_field", at, {"draft": True})
    s.patch("pulls.edit_body", at, {"body": "text 2"})
    s.patch("pulls.edit_base", at, {"base": "dev"})
    s.patch("pulls.edit_base_back", at, {"base": "main"})
    s.patch("pulls.edit_base_unknown", at, {"base": "nope"})
    s.patch("pulls.labels_by_patch", at, {"labels": [s.kept["labels"]["kind/task"]]})
    s.post("pulls.labels_by_issue_path", f"{issue}/labels", {"labels": [s.kept["labels"]["state/todo"]]})
    s.delete("pulls.labels_clear", f"{issue}/labels")
    s.patch("pulls.assign", at, {"assignees": [s.user("operator")]})
    s.patch("pulls.assign_clear", at, {"assignees": []})
    s.patch("pulls.milestone_set", at, {"milestone": s.kept["milestone"]})
    s.patch("pulls.milestone_clear", issue, {"milestone": 0})
    s.patch("pulls.edit_reviewers_field", at, {"reviewers": [s.user("triage")]})
    s.patch("pulls.edit_by_agent", at, {"title": "hijack"}, by="agent")
    reviewers(s, f"{at}/requested_reviewers")
    s.post("pulls.comment", f"{issue}/comments", {"body": "on the pull"}, by="operator")
    s.get("pulls.comments_after", f"{issue}/comments")
    s.patch("pulls.close", at, {"state": "closed"})
    s.post("merge.closed", f"{at}/merge", {"Do": "merge"})
    s.patch("pulls.reopen", at, {"state": "open"})


def reviewers(s: Story, at: str) -> None:
    """Who is asked to look."""
    triage = {"reviewers": [s.user("triage")]}
    s.post("reviewers.add", at, triage)
    s.post("reviewers.add_again", at, triage)
    s.post("reviewers.add_author", at, {"reviewers": [s.user("core")]})
    s.post("reviewers.add_stranger", at, {"reviewers": [s.user("stranger")]})
    s.post("reviewers.add_agent", at, {"reviewers": [s.user("agent")]})
    s.post("reviewers.add_unknown", at, {"reviewers": ["nobody-here"]})
    s.post("reviewers.add_team", at, {"team_reviewers": ["core"]})
    s.post("reviewers.add_by_agent", at, {"reviewers": [s.user("operator")]}, by="agent")
    s.delete("reviewers.remove", at, triage)
    s.delete("reviewers.remove_team", at, {"team_reviewers": ["core"]})
    s.delete("reviewers.remove_absent", at, triage)


def forked(s: Story) -> None:
    """A pull request of a stranger's fork, which then goes away."""
    s.post("forks.create", "~/forks", {"name": "app-fork"}, by="stranger")
    fork = f"/repos/{s.user('stranger')}/app-fork"
    s.until(lambda branch: "commit" in branch, f"{fork}/branches/main")
    theirs = s.clone("stranger", f"{s.user('stranger')}/app-fork")
    s.git("", "checkout", "-q", "-b", "patch-1", cwd=theirs)
    s.commit(theirs, {"fork.txt": "fork\n"})
    s.git("", "push", "-q", "origin", "patch-1", by="stranger", cwd=theirs)
    wish = {"labels": [s.kept["labels"]["bug"]], "assignees": [s.user("core")], "milestone": s.kept["milestone"]}
    wish |= {"title": "from fork", "head": f"{s.user('stranger')}:patch-1", "base": "main"}
    wish |= {"reviewers": [s.user("core")]}
    n = s.post("pulls.create_from_fork", "~/pulls", wish, by="stranger")["number"]
    at = f"~/pulls/{n}"
    task = {"labels": [s.kept["labels"]["kind/task"]]}
    s.patch("pulls.labels_by_patch_by_author", at, task, by="stranger")
    ask = f"{at}/requested_reviewers"
    s.post("reviewers.add_by_author_without_write", ask, {"reviewers": [s.user("core")]}, by="stranger")
    s.post("reviewers.add_by_third_party_without_write", ask, {"reviewers": [s.user("triage")]}, by="agent")
    s.patch("pulls.edit_wip_by_author", at, {"title": "WIP: from fork"}, by="stranger")
    s.commit(theirs, {"fork.txt": "fork 2\n"})
    s.git("git.push_to_fork_update", "push", "-q", "origin", "patch-1", by="stranger", cwd=theirs)
    s.ready(n)
    s.get("pulls.get_from_fork", at)
    s.delete("forks.delete", fork, by="stranger.basic")
    s.get("pulls.get_fork_deleted", at)


def reviewing(s: Story) -> None:
    """Reviews of every kind, and refusals of some."""
    at = f"~/pulls/{s.kept['pull']}/reviews"
    head = s.get("", at.removesuffix("/reviews"))["head"]["sha"]
    inline = [
        {"path": "src/x.py", "body": "on a changed line", "new_position": 10},
        {"path": "src/x.py", "body": "on the old line", "old_position": 30},
        {"path": "src/x.py", "body": "far outside the diff", "new_position": 20},
        {"path": "README.md", "body": "file not in the diff", "new_position": 1},
    ]

    def say(name: str, event: str, body: str = "", by: str = "operator", **more: object) -> int:
        said = {"event": event} | ({"body": body} if body else {}) | more
        answer = s.post(name and f"reviews.{name}", at, said, by=by)
        return int(answer.get("id") or 0)

    rid = s.kept["review"] = say("comment_inline", "COMMENT", "four remarks", commit_id=head, comments=inline)
    s.get("reviews.comments", f"{at}/{rid}/comments")
    say("comment_no_body", "COMMENT")
    say("comment_only_inline", "COMMENT", comments=inline[:1])
    say("approve", "APPROVED", "good", commit_id=head)
    say("approve_no_body", "APPROVED", by="triage.basic")
    say("approve_without_scope", "APPROVED", by="triage")
    say("approve_by_stranger", "APPROVED", "me too", by="stranger")
    say("approve_by_agent", "APPROVED", "agent approves", by="agent")
    rejected = say("request_changes", "REQUEST_CHANGES", "no", by="triage.basic")
    say("request_changes_no_body", "REQUEST_CHANGES", by="triage.basic")
    say("github_event_name", "APPROVE", "github word", by="triage.basic")
    say("github_event_name_no_body", "APPROVE")
    say("unknown_event", "FOO", "x", by="stranger")
    for name, event in (("own_approve", "APPROVED"), ("own_reject", "REQUEST_CHANGES"), ("own_comment", "COMMENT")):
        say(name, event, "mine", by="core")
    say("old_commit", "COMMENT", "on an old commit", commit_id=s.kept["first"])
    say("unknown_commit", "COMMENT", "on no commit", commit_id="0" * 40)
    say("unknown_path", "COMMENT", "b", comments=[{"path": "no/such", "body": "x", "new_position": 1}])
    say("line_past_end", "COMMENT", "b", comments=[{"path": "src/x.py", "body": "x", "new_position": 9999}])
    s.get("reviews.list_own_pending_as_triage", at, by="triage.basic")
    say("pending", "PENDING", "not yet", comments=inline[:1])
    s.get("reviews.list_as_author_hides_pending", at)
    s.get("reviews.list_as_owner_of_pending", at, by="operator")
    say("comment_while_pending", "COMMENT", "swallows?", comments=inline[1:2])
    say("pending_2", "PENDING", "again")
    later_remark = {"path": "src/x.py", "body": "later remark", "new_position": 10}
    say("submit_pending", "COMMENT", "now", comments=[later_remark])
    s.delete("reviews.delete_pending", f"{at}/{say('', 'PENDING', 'third')}", by="operator")
    later(s, at, rejected)


def later(s: Story, at: str, rejected: int) -> None:
    """What becomes of reviews, and what a timeline tells of them."""
    s.get("reviews.list", at, limit=50)
    nth = f"{at}/{rejected}"
    s.post("reviews.dismiss_by_core", f"{nth}/dismissals", {"message": "overruled"})
    s.post("reviews.dismiss", f"{nth}/dismissals", {"message": "overruled"}, by="operator")
    s.post("", f"{nth}/dismissals", {"message": "overruled"}, by="operator")
    pushing(s)
    s.get("reviews.list_after_push", at, limit=50)
    s.get("reviews.comments_after_push", f"{at}/{s.kept['review']}/comments")
    issue = f"~/issues/{s.kept['pull']}"
    s.get("reviews.comments_not_in_issue_comments", f"{issue}/comments")
    s.get("timeline.pull", f"{issue}/timeline", limit=50)
    s.get("timeline.pull_small_page", f"{issue}/timeline", limit=5, page=4)
    on_issue = {"event": "COMMENT", "body": "x"}
    s.post("reviews.on_closed_issue", f"~/pulls/{s.kept['issue']}/reviews", on_issue, by="operator")


def pushing(s: Story) -> None:
    """New commits on a branch that is reviewed."""
    head = s.commit(s.kept["work"], {"src/x.py": "totally\nnew\n"})
    s.git("git.push_after_reviews", "push", "-q", "origin", "core-a", cwd=s.kept["work"])
    s.until(lambda pull: pull["head"]["sha"] == head, f"~/pulls/{s.kept['pull']}")
