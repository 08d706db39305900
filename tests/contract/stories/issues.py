"""The third chapter: issues and what hangs on them."""

from __future__ import annotations

import time

from tests.contract.story import Story

OLD = "2020-01-01T00:00:00Z"
UNKNOWN = 99999999


def labels(s: Story) -> None:
    """Labels of the repository and of its organisation, and a milestone."""
    at = "~/labels"
    held = s.kept["labels"] = {}
    for name, exclusive in (("bug", False), ("kind/task", False), ("state/todo", True), ("state/doing", True)):
        body = {"name": name, "color": "#00aabb", "description": "a label", "exclusive": exclusive}
        held[name] = s.post(f"labels.create_{name.replace('/', '_')}", at, body)["id"]
    s.post("", at, {"name": "by-twice", "color": "#112233"})
    s.post("labels.create_same_name", at, {"name": "by-twice", "color": "#112233"})
    s.post("labels.create_bad_color", at, {"name": "bad", "color": "red"})
    s.post("labels.create_by_agent", at, {"name": "mine", "color": "#112233"}, by="agent")
    s.post("labels.create_by_triage", at, {"name": "by-triage", "color": "112233"}, by="triage")
    s.get("labels.list", at)
    s.patch("labels.patch", f"{at}/{held['kind/task']}", {"description": "new"})
    urgent = {"name": "urgent", "color": "#ff0000"}
    held["urgent"] = s.post("labels.org_create", "/orgs/{org}/labels", urgent, by="admin")["id"]
    s.get("labels.org_list", "/orgs/{org}/labels")
    due = {"due_on": "2030-01-02T00:00:00Z"} if s.forgejo else {}  # Gitea 1.26 had lost it by another change
    mile = {"title": "m1", "description": "first"} | due
    s.kept["milestone"] = s.post("milestones.create", "~/milestones", mile)["id"]


def filing(s: Story) -> None:
    """Issues are filed, with wishes that are granted, dropped or refused."""
    at, lab = "~/issues", s.kept["labels"]
    full = {"body": f"hello @{s.user('operator')}", "assignees": [s.user("core"), s.user("agent")]}
    full |= {"title": "full", "labels": [lab["bug"], lab["state/todo"]], "milestone": s.kept["milestone"]}
    n = s.kept["issue"] = s.post("issues.create_full", at, full)["number"]
    s.post("issues.create_by_agent_with_wishes", at, full | {"title": "wishes"}, by="agent")
    s.post("issues.create_by_stranger_with_wishes", at, full | {"title": "stranger wishes"}, by="stranger")
    s.post("issues.create_by_triage", at, full | {"title": "triage"}, by="triage")
    s.post("issues.create_anonymous", at, {"title": "anon"}, by="none")
    m = s.kept["plain"] = s.post("issues.create_plain", at, {"title": "plain", "body": ""})["number"]
    s.post("issues.create_closed", at, {"title": "born closed", "closed": True})
    s.post("issues.create_no_title", at, {"body": "x"})
    s.post("issues.create_unknown_label", at, {"title": "unknown label", "labels": [UNKNOWN]})
    s.post("issues.create_label_names", at, {"title": "label names", "labels": ["bug"]})
    s.post("issues.create_unknown_assignee", at, {"title": "unknown assignee", "assignees": ["nobody-here"]})
    stranger = {"title": "stranger assignee", "assignees": [s.user("stranger")]}
    s.post("issues.create_stranger_assignee", at, stranger)
    s.post("issues.create_unknown_milestone", at, {"title": "unknown milestone", "milestone": UNKNOWN})
    s.post("issues.create_extra_field", at, {"title": "extra field", "nonsense": 1})
    s.post("issues.create_without_scope", at, {"title": "x"}, by="core.read")
    s.get("issues.get", f"{at}/{n}")
    s.get("issues.get_plain", f"{at}/{m}")
    s.get("issues.get_unknown", f"{at}/9999")
    s.get("issues.get_text_index", f"{at}/abc")


def editing(s: Story) -> None:
    """An issue is changed, by those who may."""
    at = f"~/issues/{s.kept['plain']}"
    s.patch("issues.edit_title", at, {"title": "plain 2"})
    s.patch("issues.edit_body", at, {"body": "body 2"})
    s.patch("issues.edit_title_and_body", at, {"title": "plain 3", "body": "body 3"})
    s.patch("issues.edit_same_title", at, {"title": "plain 3"})
    s.patch("issues.edit_empty_body", at, {})
    s.patch("issues.edit_empty_title", at, {"title": ""})
    s.patch("issues.edit_by_agent", at, {"title": "hijack"}, by="agent")
    s.patch("issues.close", at, {"state": "closed"})
    s.patch("issues.close_again", at, {"state": "closed"})
    s.patch("issues.reopen", at, {"state": "open"})
    s.patch("issues.bad_state", at, {"state": "done"})
    s.patch("issues.close_by_agent", at, {"state": "closed"}, by="agent")


def labelling(s: Story) -> None:
    """Labels are put on an issue and taken off it."""
    at, lab = f"~/issues/{s.kept['plain']}/labels", s.kept["labels"]

    def add(name: str, *wanted: object, by: str = "core") -> None:
        s.post(f"issue_labels.{name}", at, {"labels": list(wanted)}, by=by)

    add("add_id", lab["bug"])
    add("add_again", lab["bug"])
    add("add_name", "kind/task")
    add("add_unknown_name", "no-such")
    add("add_unknown_id", UNKNOWN)
    add("add_mixed", lab["bug"], "kind/task")
    s.post("issue_labels.add_bare_array", at, ["bug"])
    add("add_org_id", lab["urgent"])
    s.delete("issue_labels.remove_org", f"{at}/{lab['urgent']}")
    add("add_org_name", "urgent")
    add("add_exclusive_first", lab["state/todo"])
    add("add_exclusive_second", lab["state/doing"])
    add("add_exclusive_both", lab["state/todo"], lab["state/doing"])
    s.get("issue_labels.list", at)
    s.delete("issue_labels.remove", f"{at}/{lab['bug']}")
    s.delete("issue_labels.remove_absent", f"{at}/{lab['bug']}")
    s.delete("issue_labels.remove_unknown", f"{at}/{UNKNOWN}")
    s.delete("issue_labels.remove_by_name", f"{at}/kind%2Ftask")
    s.put("issue_labels.replace", at, {"labels": [lab["bug"]]})
    s.put("issue_labels.replace_same", at, {"labels": [lab["bug"]]})
    s.put("issue_labels.replace_by_name", at, {"labels": ["kind/task", "bug"]})
    s.put("issue_labels.replace_empty", at, {"labels": []})
    add("add_two", "bug", "kind/task")
    s.delete("issue_labels.clear", at)
    s.delete("issue_labels.clear_empty", at)
    add("add_by_agent", lab["bug"], by="agent")
    add("add_by_triage", lab["bug"], by="triage")
    add("add_without_scope", lab["bug"], by="core.read")


def assigning(s: Story) -> None:
    """People are put on an issue; it waits for another, and is liked."""
    at = f"~/issues/{s.kept['plain']}"
    core, agent = s.user("core"), s.user("agent")
    for name, wanted in (("one", [agent]), ("same", [agent]), ("add_second", [agent, core])):
        s.patch(f"assign.{name}", at, {"assignees": wanted})
    s.patch("assign.swap", at, {"assignees": [s.user("operator")]})
    s.patch("assign.legacy_assignee", at, {"assignee": core})
    s.patch("assign.clear", at, {"assignees": []})
    s.patch("assign.stranger", at, {"assignees": [s.user("stranger")]})
    s.patch("assign.unknown", at, {"assignees": ["nobody-here"]})
    s.patch("assign.by_agent", at, {"assignees": [agent]}, by="agent")
    s.patch("assign.by_triage", at, {"assignees": [agent]}, by="triage")
    s.patch("issues.milestone_set", at, {"milestone": s.kept["milestone"]})
    s.patch("issues.milestone_clear", at, {"milestone": 0})
    s.patch("issues.due_date_set", at, {"due_date": "2030-01-02T00:00:00Z"})
    s.patch("issues.due_date_unset", at, {"unset_due_date": True})
    s.patch("", at, {"due_date": "2031-01-02T00:00:00Z"})
    if not s.forgejo:
        s.put("issues.lock", f"{at}/lock", {"lock_reason": "resolved"}, by="operator")
    s.post("issues.comment_on_locked_by_stranger", f"{at}/comments", {"body": "locked?"}, by="stranger")
    if not s.forgejo:
        s.delete("issues.unlock", f"{at}/lock", by="operator")
    s.post("issues.pin", f"{at}/pin", by="operator")
    s.delete("issues.unpin", f"{at}/pin", by="operator")
    s.post("issues.pin_by_core", f"{at}/pin")
    waiting(s, at)


def waiting(s: Story, at: str) -> None:
    """What is waited for, and how it is liked."""
    n, m = s.kept["issue"], s.kept["plain"]
    dep = {"index": n, "owner": s.org, "repo": "app"}
    s.post("dependencies.add", f"{at}/dependencies", dep)
    s.post("dependencies.add_again", f"{at}/dependencies", dep)
    s.post("dependencies.add_circular", f"~/issues/{n}/dependencies", dep | {"index": m})
    s.get("dependencies.list", f"{at}/dependencies")
    s.patch("dependencies.close_blocked", at, {"state": "closed"})
    s.delete("dependencies.remove", f"{at}/dependencies", dep)
    s.post("dependencies.add_other_repo", f"{at}/dependencies", dep | {"repo": "config", "index": 1})
    s.post("reactions.add", f"{at}/reactions", {"content": "eyes"})
    s.post("reactions.add_again", f"{at}/reactions", {"content": "eyes"})
    s.post("reactions.add_unknown", f"{at}/reactions", {"content": "robot"})
    s.post("reactions.add_by_agent", f"{at}/reactions", {"content": "rocket"}, by="agent")
    s.get("reactions.list", f"{at}/reactions")
    s.delete("reactions.remove", f"{at}/reactions", {"content": "eyes"})


def talking(s: Story) -> None:
    """Comments are written, changed and taken back."""
    at = f"~/issues/{s.kept['plain']}/comments"
    time.sleep(1.1)  # forges count time in seconds
    hello = {"body": f"hello @{s.user('core')} and #{s.kept['issue']}"}
    c = s.kept["comment"] = s.post("comments.create", at, hello, by="operator")["id"]
    s.post("comments.create_by_agent", at, {"body": "from the agent"}, by="agent")
    s.post("comments.create_by_stranger", at, {"body": "/command from a stranger"}, by="stranger")
    s.post("comments.create_empty", at, {"body": ""})
    s.post("comments.create_on_unknown", "~/issues/9999/comments", {"body": "x"})
    s.post("comments.create_anonymous", at, {"body": "x"}, by="none")
    before = s.get("", f"~/issues/{s.kept['plain']}")["updated_at"]
    time.sleep(1.1)
    one = f"~/issues/comments/{c}"
    s.patch("comments.edit", one, {"body": "edited"}, by="operator")
    s.get("comments.issue_after_edit", f"~/issues/{s.kept['plain']}")
    s.patch("comments.edit_same", one, {"body": "edited"}, by="operator")
    s.patch("comments.edit_by_agent", one, {"body": "hijack"}, by="agent")
    s.patch("comments.edit_empty", one, {"body": ""}, by="operator")
    s.get("comments.get", one)
    s.get("comments.get_unknown", f"~/issues/comments/{UNKNOWN}")
    s.post("reactions.comment_add", f"{one}/reactions", {"content": "eyes"})
    s.get("reactions.comment_list", f"{one}/reactions")
    s.get("comments.list", at)
    s.get("comments.list_limit", at, limit=1, page=1)
    s.get("comments.list_since", at, since=before)
    s.get("comments.repo_wide", "~/issues/comments", limit=2)
    s.get("comments.repo_wide_since", "~/issues/comments", since=before, limit=50)
    extra = s.post("", at, {"body": "temporary"})["id"]
    s.delete("comments.delete_by_agent", f"~/issues/comments/{extra}", by="agent")
    s.delete("comments.delete", f"~/issues/comments/{extra}")
    s.delete("comments.delete_again", f"~/issues/comments/{extra}")
    log = {"attachment": ("log.txt", b"log text", "text/plain")}
    s.post("attachments.create", at.replace("comments", "assets"), files=log)
    rows(s, before)


def rows(s: Story, before: str) -> None:
    """Timelines, whole and in pages."""
    at = f"~/issues/{s.kept['plain']}/timeline"
    s.get("timeline.all", at)
    s.get("timeline.page_1", at, limit=50, page=1)
    s.get("timeline.page_2", at, limit=50, page=2)
    s.get("timeline.limit_without_page", at, limit=3)
    s.get("timeline.small_page", at, limit=3, page=2)
    s.get("timeline.since", at, since=before, limit=50)
    s.get("timeline.full_issue", f"~/issues/{s.kept['issue']}/timeline", limit=50)


def listing(s: Story) -> None:
    """Lists, their filters and their ends; requests that are none."""
    at = "~/issues"
    s.get("issues.list", at, state="all", limit=2)
    s.get("issues.list_page_2", at, state="all", limit=2, page=2)
    s.get("issues.list_past_end", at, state="all", limit=50, page=99)
    s.get("issues.list_limit_0", at, limit=0)
    s.get("issues.list_limit_1000", at, state="all", limit=1000)
    s.get("issues.list_page_0", at, limit=1, page=0)
    s.get("issues.list_since", at, state="all", since=OLD, limit=1)
    s.get("issues.list_bad_since", at, since="yesterday")
    s.get("issues.list_by_label", at, state="all", labels="bug", limit=1)
    s.get("issues.list_by_two_labels", at, state="all", labels="bug,state/todo", limit=50)
    s.get("issues.list_known_and_unknown_label", at, state="all", labels="bug,no-such", limit=1)
    s.get("issues.list_unknown_label", at, labels="no-such", limit=1)
    s.get("issues.list_assigned", at, assigned_by=s.user("agent"), type="issues", limit=1)
    s.post("errors.invalid_json", at, raw='{"title": "x"')
    s.post("errors.wrong_type", at, {"title": 5})
    s.post("errors.wrong_list_type", at, {"title": "x", "assignees": "core"})
    s.post("errors.form_body", at, raw="title=form", headers={"Content-Type": "application/x-www-form-urlencoded"})
    s.post("errors.empty_body", at, raw="")
    s.get("errors.unknown_repo", "/repos/{org}/no-such-repo")
    nth = f"{at}/{s.kept['plain'] + 1}"
    s.delete("issues.delete_by_core", nth)
    s.delete("issues.delete_by_operator", nth, by="operator")
    s.get("issues.get_deleted", nth)
