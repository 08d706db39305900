"""The fifth chapter: merges of every kind, and each reason for which one is refused."""

from __future__ import annotations

from typing import Any

from tests.contract.story import Story, b64

ZERO = "0" * 40


def merge(s: Story, name: str, number: int, by: str = "operator", *, ready: bool = True, **body: Any) -> Any:
    """One try."""
    if ready:
        s.ready(number)
    return s.post(name, f"~/pulls/{number}/merge", {"Do": "merge"} | body, by=by)


def styles(s: Story) -> None:
    """Every way of merging, and tries that are none."""
    s.patch("repos.patch_settings", "~", {"allow_fast_forward_only_merge": True, "allow_manual_merge": True,
            "autodetect_manual_merge": False, "default_delete_branch_after_merge": False}, by="operator")  # fmt: skip
    n, sha = s.pull("m-mismatch")
    at = f"~/pulls/{n}/merge"
    merge(s, "merge.head_mismatch", n, "core", head_commit_id=ZERO)
    s.ready(n)
    s.post("merge.no_do", at, {})
    s.post("merge.bad_do", at, {"Do": "octopus"})
    s.ready(n)
    s.post("merge.lower_case_do", at, {"do": "merge", "head_commit_id": ZERO})
    for by, name in (("agent", "by_agent"), ("triage.basic", "by_triage"), ("core.issue", "issue_scope")):
        merge(s, f"merge.{name}", n, by)
    words: dict[str, Any] = {
        "MergeTitleField": "title T",
        "MergeMessageField": "message M",
        "delete_branch_after_merge": True,
    }
    merge(s, "merge.merge", n, head_commit_id=sha, **words)
    merge(s, "merge.again", n, "core", ready=False)
    got = s.get("pulls.get_merged", f"~/pulls/{n}")
    s.get("git.commit_to_pull", f"~/commits/{got['merge_commit_sha']}/pull")
    s.get("git.commit_to_pull_head", f"~/commits/{sha}/pull")
    s.get("git.commit_to_pull_none", f"~/commits/{s.kept['first']}/pull")
    for style in ("rebase", "rebase-merge", "squash", "fast-forward-only"):
        word = style.replace("-", "_")
        n, sha = s.pull(f"m-{style}")
        merge(s, f"merge.{word}", n, Do=style, head_commit_id=sha)
        s.get("" if style == "rebase-merge" else f"merge.{word}_after", f"~/pulls/{n}")


def troubles(s: Story) -> None:
    """Branches that have parted, conflicts, words that close issues, branches that go away."""
    n, sha = s.pull("m-diverged")
    s.write("a.txt", "moved\n")
    merge(s, "merge.fast_forward_diverged", n, Do="fast-forward-only", head_commit_id=sha)
    s.post("pulls.update_merge", f"~/pulls/{n}/update?style=merge")
    s.post("pulls.update_nothing", f"~/pulls/{n}/update?style=rebase")
    s.post("pulls.update_by_agent", f"~/pulls/{n}/update", by="agent")
    s.post("merge.manually_merged_wrong", f"~/pulls/{n}/merge",
           {"Do": "manually-merged", "MergeCommitID": s.kept["first"]}, by="operator")  # fmt: skip
    n, _ = s.pull("m-conflict", {"a.txt": "left\n"})
    s.write("a.txt", "right\n")
    s.until(lambda pull: not pull["mergeable"], f"~/pulls/{n}")
    s.get("pulls.get_conflict", f"~/pulls/{n}")
    merge(s, "merge.conflict", n, ready=False)
    s.post("pulls.update_conflict", f"~/pulls/{n}/update?style=merge")
    a, b = (s.post("", "~/issues", {"title": f"closed by {what}"})["number"] for what in ("keyword", "commit"))
    n, sha = s.pull("m-closes", message=f"fixes #{b}", body=f"Closes #{a}")
    merge(s, "merge.closes_issues", n, head_commit_id=sha)
    s.until(lambda issue: issue["state"] == "closed", f"~/issues/{b}")
    s.get("merge.closed_issue_after", f"~/issues/{a}")
    s.get("timeline.closed_by_merge", f"~/issues/{a}/timeline")
    s.get("timeline.closed_by_commit", f"~/issues/{b}/timeline")
    s.get("timeline.merged_pull", f"~/issues/{n}/timeline")
    n, _ = s.pull("m-delete-source")
    s.delete("branches.delete_open_pull_head", "~/branches/m-delete-source")
    s.until(lambda pull: pull["state"] == "closed", f"~/pulls/{n}")
    s.get("pulls.get_head_deleted", f"~/pulls/{n}")
    n, _ = s.pull("m-depends")
    d = s.post("", "~/issues", {"title": "open dependency"})["number"]
    s.post("", f"~/issues/{n}/dependencies", {"index": d, "owner": s.org, "repo": "app"})
    merge(s, "merge.open_dependency", n)


def rules(s: Story) -> None:
    """Rules are made, looked at and changed; nobody writes past them."""
    at, one, operator = "~/branch_protections", "~/branch_protections/main", s.user("operator")
    rule = {"rule_name": "main", "enable_push": False, "enable_merge_whitelist": True, "required_approvals": 0}
    rule |= {"merge_whitelist_usernames": [operator], "block_on_rejected_reviews": True, "enable_status_check": True}
    rule |= {"status_check_contexts": ["hive/*"], "block_on_outdated_branch": True, "apply_to_admins": True}
    rule |= {"protected_file_patterns": "secret/**;LOCKED", "block_admin_merge_override": True}
    s.post("protection.create_by_core", at, rule)
    s.post("protection.create", at, rule, by="operator")
    s.post("protection.create_again", at, rule, by="operator")
    glob = {"rule_name": "release/**", "enable_push": True, "required_approvals": 1}
    s.post("protection.create_glob", at, glob, by="operator")
    nobody = {"rule_name": "x", "enable_push_whitelist": True, "push_whitelist_usernames": ["nobody-here"]}
    s.post("protection.create_unknown_user", at, nobody, by="operator")
    s.get("protection.get", one, by="operator")
    s.get("protection.get_glob", f"{at}/release%2F**", by="operator")
    s.get("protection.list", at, by="operator")
    s.get("protection.list_by_core", at)
    s.get("protection.get_unknown", f"{at}/nope", by="operator")
    s.get("branches.get_protected", "~/branches/main")
    s.patch("protection.patch_only_one_key", one, {"required_approvals": 1}, by="operator")
    s.patch("protection.patch_back", one, {"required_approvals": 0}, by="operator")
    direct = {"content": b64("x"), "message": "m", "branch": "main"}
    s.post("protection.contents_refused", "~/contents/direct.txt", direct)
    s.post("protection.contents_refused_admin", "~/contents/direct.txt", direct, by="admin.token")


def word(s: Story, sha: str, state: str = "success") -> None:
    """The check that the rule waits for speaks."""
    s.post("", f"~/statuses/{sha}", {"state": state, "context": "hive/eval"})


def checked(s: Story) -> None:
    """Who may merge, and only what is green; a merge that waits for its check."""
    n, sha = s.pull("p-status")
    merge(s, "protected.not_in_whitelist", n, "core")
    merge(s, "protected.not_in_whitelist_admin", n, "admin.token")
    merge(s, "protected.not_in_whitelist_admin_force", n, "admin.token", force_merge=True)
    merge(s, "protected.status_missing", n)
    merge(s, "protected.status_missing_force", n, force_merge=True)
    word(s, sha, "failure")
    merge(s, "protected.status_failed", n)
    s.ready(n)
    s.get("protected.get_blocked", f"~/pulls/{n}")
    wait: dict[str, Any] = {"merge_when_checks_succeed": True, "head_commit_id": sha}
    merge(s, "protected.schedule", n, **wait)
    merge(s, "protected.schedule_again", n, **wait)
    s.get("protected.get_scheduled", f"~/pulls/{n}")
    s.delete("protected.schedule_cancel", f"~/pulls/{n}/merge", by="operator")
    s.delete("protected.schedule_cancel_again", f"~/pulls/{n}/merge", by="operator")
    merge(s, "", n, **wait, delete_branch_after_merge=True)
    green = {"state": "success", "context": "hive/eval"}
    s.post("protected.status_success_merges_scheduled", f"~/statuses/{sha}", green)
    s.until(lambda pull: pull["merged"], f"~/pulls/{n}")
    s.get("protected.get_after_scheduled", f"~/pulls/{n}")
    s.get("timeline.scheduled_pull", f"~/issues/{n}/timeline")


def approved(s: Story) -> None:
    """What reviews have to say in it."""
    one, operator = "~/branch_protections/main", s.user("operator")

    def say(event: str, by: str) -> None:
        s.post("", f"~/pulls/{n}/reviews", {"event": event, "body": "said"}, by=by)

    n, sha = s.pull("p-review")
    word(s, sha)
    say("REQUEST_CHANGES", "triage.basic")
    merge(s, "protected.rejected_by_non_writer", n, head_commit_id=ZERO)
    say("REQUEST_CHANGES", "operator")
    merge(s, "protected.rejected", n)
    say("APPROVED", "operator")
    say("APPROVED", "triage.basic")
    s.patch("", one, {"required_approvals": 2}, by="operator")
    merge(s, "protected.approvals_missing", n)
    listed = {"enable_approvals_whitelist": True, "approvals_whitelist_username": [operator]}
    s.patch("protection.patch_approvals_whitelist", one, {"required_approvals": 1, **listed}, by="operator")
    s.patch("", one, {"block_on_official_review_requests": True}, by="operator")
    s.post("", f"~/pulls/{n}/requested_reviewers", {"reviewers": [operator]})
    merge(s, "protected.review_requested", n, head_commit_id=sha)
    off = {"block_on_official_review_requests": False, "required_approvals": 0, "enable_approvals_whitelist": False}
    s.patch("", one, off, by="operator")


def behind(s: Story) -> None:
    """Files that nobody may touch, branches that are behind, and who is above the rule."""
    one = "~/branch_protections/main"
    n, sha = s.pull("p-files", {"secret/key.txt": "x\n"})
    word(s, sha)
    merge(s, "protected.files", n)
    late, late_sha = s.pull("p-late")
    n, sha = s.pull("p-good")
    word(s, sha)
    merge(s, "protected.merged", n, head_commit_id=sha)
    s.ready(late)
    word(s, late_sha)
    merge(s, "protected.outdated", late)
    s.post("pulls.update_rebase", f"~/pulls/{late}/update?style=rebase")
    s.ready(late)
    s.get("protected.get_after_update", f"~/pulls/{late}")
    free = {"apply_to_admins": False, "block_admin_merge_override": False}
    s.patch("protection.patch_admins_exempt", one, free, by="operator")
    merge(s, "protected.admins_exempt_without_force", late)
    merge(s, "protected.admins_exempt_force", late, force_merge=True)
    s.delete("protection.delete_glob", "~/branch_protections/release%2F**", by="operator")
    s.delete("protection.delete", one, by="operator")
