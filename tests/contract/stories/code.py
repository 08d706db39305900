"""The second chapter: files, branches, tags."""

from __future__ import annotations

from tests.contract.story import Story, b64

FORM = "name: Task\nabout: Work\ntitle: 'task: '\nlabels: [bug]\nbody:\n- type: textarea\n  id: what\n  attributes: {label: What}\n"


def files(s: Story) -> None:
    """Files are made, changed and looked at; some wishes are refused."""
    a = "~/contents/a.txt"
    first = s.post("contents.create", a, {"content": b64("one\n"), "message": "add a.txt", "branch": "main"})
    s.kept["first"] = first["commit"]["sha"]
    sha = {"sha": first["content"]["sha"], "branch": "main"}
    s.post("contents.create_existing", a, {"content": b64("x"), "message": "again", "branch": "main"})
    s.put("contents.update", a, {"content": b64("two\n"), "message": "change a.txt", **sha})
    s.put("contents.update_wrong_sha", a, {"content": b64("three\n"), "message": "stale", **sha})
    none = {"content": b64("three\n"), "message": "no sha", "branch": "main"}
    s.put("contents.update_no_sha", "~/contents/new.txt", none)
    s.post("contents.create_bad_base64", "~/contents/bad.txt", {"content": "%%%", "message": "bad"})
    s.post("contents.create_by_agent", "~/contents/agent.txt", {"content": b64("x"), "message": "no"}, by="agent")
    s.post(
        "contents.create_unknown_branch", "~/contents/y.txt", {"content": b64("x"), "message": "m", "branch": "nope"}
    )
    many(s)
    s.get("contents.get_dir", "~/contents/src")
    s.get("contents.get_missing", "~/contents/nope.txt")
    s.get("contents.get_at_ref", a, ref=s.kept["first"])
    s.get("contents.get_bad_ref", a, ref="nope")
    s.get("errors.json_etag_probe", "~")
    s.get("git.commit", "~/git/commits/main")
    s.get("git.commit_unknown", f"~/git/commits/{'0' * 40}")


def many(s: Story) -> None:
    """Many files in one commit, all of them or none."""
    where = ".forgejo" if s.forgejo else ".gitea"
    texts = {
        "src/x.py": "".join(f"line{n}\n" for n in range(1, 41)),
        "docs/read.md": "# read\n",
        f"{where}/ISSUE_TEMPLATE/task.yaml": FORM,
        "gone.txt": "gone\n",
    }
    rows = [{"operation": "create", "path": path, "content": b64(text)} for path, text in texts.items()]
    s.post("contents.multi", "~/contents", {"branch": "main", "message": "many files", "files": rows})
    gone = s.get("contents.get_file", "~/contents/gone.txt")["sha"]
    s.delete("contents.delete", "~/contents/gone.txt", {"message": "remove", "sha": gone, "branch": "main"})
    fine = {"operation": "create", "path": "ok.txt", "content": b64("ok")}
    stale = {"operation": "update", "path": "a.txt", "content": b64("x"), "sha": "0" * 40}
    s.post("contents.multi_one_stale", "~/contents", {"branch": "main", "message": "atomic?", "files": [fine, stale]})
    new = {"branch": "main", "new_branch": "from-api", "message": "new branch", "files": [fine]}
    s.post("contents.multi_new_branch", "~/contents", new)


def branches(s: Story) -> None:
    """Branches and tags come and go."""
    s.post("branches.create", "~/branches", {"new_branch_name": "dev", "old_ref_name": "main"})
    s.post("branches.create_again", "~/branches", {"new_branch_name": "dev", "old_ref_name": "main"})
    s.post("branches.create_unknown_base", "~/branches", {"new_branch_name": "dev2", "old_ref_name": "nope"})
    s.post("", "~/branches", {"new_branch_name": "agent/iris/1", "old_ref_name": "main"})
    s.get("branches.get", "~/branches/dev")
    s.get("branches.get_slash", "~/branches/agent/iris/1")
    s.get("branches.get_unknown", "~/branches/nope")
    s.delete("branches.delete", "~/branches/agent/iris/1")
    s.post("tags.create", "~/tags", {"tag_name": "v1", "target": "main"})
    s.post("tags.create_annotated", "~/tags", {"tag_name": "v2", "target": "main", "message": "second"})
    s.post("tags.create_again", "~/tags", {"tag_name": "v1", "target": "main"})
    s.get("tags.get", "~/tags/v2")
    s.delete("tags.delete", "~/tags/v1")


def templates(s: Story) -> None:
    """The form of the repository."""
    s.get("issue_templates.list", "~/issue_templates")


def statuses(s: Story) -> None:
    """Words about a commit: any word is taken."""
    sha = s.get("", "~/branches/from-api")["commit"]["id"]
    at = f"~/statuses/{sha}"
    for state in ("pending", "success", "warning", "failure", "error", "skipped", "nonsense"):
        said = {"context": f"hive/{state}", "description": f"d {state}", "target_url": "https://forge.example/x"}
        s.post(f"statuses.{state}", at, {"state": state} | said)
    s.post("statuses.again", at, {"state": "success", "context": "hive/pending", "description": "done"})
    fine = {"state": "success", "context": "x"}
    s.post("statuses.no_context", at, {"state": "success"})
    s.post("statuses.no_state", at, {"context": "x"})
    s.post("statuses.unknown_sha", f"~/statuses/{'0' * 40}", fine)
    s.post("statuses.branch_name", "~/statuses/from-api", fine | {"context": "by-branch"})
    s.post("statuses.by_agent", at, fine, by="agent")
    s.post("statuses.by_triage", at, fine, by="triage.basic")
    s.post("statuses.issue_scope", at, fine, by="core.issue")
    s.get("statuses.list", at)
