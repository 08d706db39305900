"""Repositories and their contents: names that lead on, archives, files, trees, comparisons."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from forge.embedded.git import valid_branch

if TYPE_CHECKING:
    from tests.embedded.conftest import Receiver, Village


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_former_name_leads_on(village: Village, tmp_path: Path) -> None:
    """A renamed repository is found under its old name by redirect, also for git, until another takes the name."""
    key = village.iris.get("~")["id"]
    village.mara.patch("~", {"name": "renamed"})
    moved = village.iris.call("GET", "~/branches/main")
    assert (moved.status_code, moved.headers["Location"]) == (301, "/api/v1/repos/acme/renamed/branches/main")
    assert moved.text == '<a href="/api/v1/repos/acme/renamed/branches/main">Moved Permanently</a>.\n\n'
    posted = village.core.call("POST", "~/issues", {"title": "x"})
    assert (posted.status_code, posted.content) == (301, b"")
    assert "redirecting to" in village.iris.git("ls-remote", f"{village.forge.url}/acme/app.git", cwd=tmp_path).stderr
    assert village.iris.get("/repos/acme/renamed")["id"] == key
    assert village.iris.get(f"/repositories/{key}")["full_name"] == "acme/renamed"
    village.root.post("/orgs/acme/repos", {"name": "app"})
    assert village.iris.get("~")["id"] != key


def test_an_archive_is_only_read(village: Village, tmp_path: Path) -> None:
    """An archived repository takes no issues and no pushes, and can be brought back."""
    work = village.core.clone(tmp_path / "work")
    village.core.commit(work, "late", late__txt="late\n")
    village.mara.patch("~", {"archived": True})
    assert village.core.says("POST", "~/issues", {"title": "x"}) == (423, "<Repository 1:acme/app> is archived")
    assert "archived" in village.core.git("push", "origin", "main", cwd=work).stderr
    assert village.iris.get("~")["archived"] is True
    village.mara.patch("~", {"archived": False})
    assert village.core.git("push", "-q", "origin", "main", cwd=work).returncode == 0


def test_a_repository_comes_and_goes(village: Village, receiver: Receiver) -> None:
    """Made and deleted repositories are told; the same name again is another id, a second time 409."""
    village.hook(receiver, "repository")
    made = village.root.post("/orgs/acme/repos", {"name": "fresh", "auto_init": True, "default_branch": "trunk"})
    assert (made["empty"], made["default_branch"], made["permissions"]["admin"]) == (False, "trunk", True)
    assert village.root.says("POST", "/orgs/acme/repos", {"name": "Fresh"})[0] == 409
    village.root.delete("/repos/acme/fresh")
    again = village.root.post("/orgs/acme/repos", {"name": "fresh"})
    assert (again["empty"], again["id"] > made["id"]) == (True, True)
    assert village.core.call("GET", "/repos/acme/fresh/branches").text == "null\n"
    receiver.listens_to_bots("repository.created", "repository.deleted", "repository.created")


def test_files_are_written_one_by_one(village: Village) -> None:
    """A file is created once, changed by who knows its sha, and deleted; each is a commit of who did it."""
    made = village.core.post("~/contents/a.txt", {"content": b64("one\n"), "message": "add"})
    assert made["commit"]["author"] == made["commit"]["committer"]
    assert (made["commit"]["message"], made["content"]["content"]) == ("add\n", b64("one\n"))
    exists = village.core.says("POST", "~/contents/a.txt", {"content": "", "message": "again"})
    assert exists == (422, "repository file already exists [path: a.txt]")
    sha = made["content"]["sha"]
    changed = village.core.put("~/contents/a.txt", {"content": b64("two\n"), "sha": sha})
    stale = village.core.says("PUT", "~/contents/a.txt", {"content": "", "sha": sha})
    assert stale == (409, f"sha does not match [given: {sha}, expected: {changed['content']['sha']}]")
    assert village.core.says("PUT", "~/contents/a.txt", {"content": ""}) == (422, "[SHA]: Required")
    gone = village.core.delete("~/contents/a.txt", {"sha": changed["content"]["sha"]})
    assert gone["content"] is None
    assert village.core.call("GET", "~/contents/a.txt").json()["errors"] == [
        "object does not exist [id: , rel_path: a.txt]"
    ]


def test_files_are_written_together(village: Village) -> None:
    """Several changes are one commit, or none when one of them does not fit."""
    good = {"operation": "create", "path": "ok.txt", "content": b64("ok")}
    stale = {"operation": "update", "path": "README.md", "content": "", "sha": "0" * 40}
    assert village.core.says("POST", "~/contents", {"files": [good, stale]})[0] == 409
    assert village.iris.call("GET", "~/contents/ok.txt").status_code == 404
    village.core.post("~/contents", {"new_branch": "topic", "files": [good]})
    assert village.iris.get("~/contents/ok.txt", ref="topic")["name"] == "ok.txt"
    assert village.core.says("POST", "~/contents/x", {"content": "%%%"}) == (422, "illegal base64 data at input byte 0")
    evil = village.core.says("POST", "~/contents/.git/config", {"content": ""})
    assert evil[0] == 422


def test_readers_and_protection_keep_files(village: Village) -> None:
    """Who may not push does not write files either, and a protected branch takes nobody's."""
    words = "user should have a permission to write to this branch"
    assert village.iris.says("POST", "~/contents/x", {"content": ""}) == (403, words)
    village.protect(enable_push=False)
    assert village.root.says("POST", "~/contents/x", {"content": ""}) == (
        403,
        "user cannot commit to repo [user: root0]",
    )
    assert village.core.says("DELETE", "~/branches/main") == (403, "can not delete default branch")


def test_raw_files_can_be_remembered(village: Village) -> None:
    """A raw file has an ETag, and is not sent again to who has it."""
    raw = village.iris.call("GET", "~/raw/README.md")
    assert (raw.text, raw.headers["Content-Type"]) == ("# app\n", "text/plain; charset=utf-8")
    again = village.iris.call("GET", "~/raw/README.md", headers={"If-None-Match": raw.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_branches_and_tags(village: Village) -> None:
    """A branch with slashes is a branch; a tag has a message or is light; neither is made twice."""
    village.core.post("~/branches", {"new_branch_name": "agent/iris/1", "old_ref_name": "main"})
    assert village.iris.get("~/branches/agent/iris/1")["name"] == "agent/iris/1"
    assert village.core.says("POST", "~/branches", {"new_branch_name": "agent/iris/1"})[0] == 409
    assert village.core.says("POST", "~/branches", {"new_branch_name": "x", "old_ref_name": "nope"}) == (500, "")
    village.core.post("~/tags", {"tag_name": "v1", "target": "main", "message": "first"})
    tag = village.iris.get("~/tags/v1")
    assert tag["message"] == "first"
    assert tag["id"] != tag["commit"]["sha"] == village.iris.get("~/branches/main")["commit"]["id"]
    assert village.core.says("POST", "~/tags", {"tag_name": "v1"}) == (409, "tag already exists [name: v1]")
    kinds = {row["ref"]: row["object"]["type"] for row in village.iris.get("~/git/refs")}
    assert kinds == {"refs/heads/agent/iris/1": "commit", "refs/heads/main": "commit", "refs/tags/v1": "tag"}


def test_comparing(village: Village) -> None:
    """Branches and shas compare, newest commit first; unknown ones are named."""
    old = village.iris.get("~/branches/main")["commit"]["id"]
    village.core.branch("topic", {"b.txt": "b\n", "a.txt": "a\n"})
    for base in ("main", old):
        found = village.iris.get(f"~/compare/{base}...topic")
        assert (found["total_commits"], [file["filename"] for file in found["files"]]) == (1, ["a.txt", "b.txt"])
    wrong = village.iris.call("GET", "~/compare/main...nope").json()["errors"]
    assert wrong == ["could not find 'nope' to be a commit, branch or tag in the head repository acme/app"]


def test_trees_come_in_pages(village: Village) -> None:
    """A recursive tree lists directories before what is in them, and says when it was cut."""
    village.core.post("~/contents/src/deep/x.py", {"content": ""})
    whole = village.iris.get("~/git/trees/main", recursive="true")
    assert [entry["path"] for entry in whole["tree"]] == ["README.md", "src", "src/deep", "src/deep/x.py"]
    page = village.iris.get("~/git/trees/main", recursive="true", per_page=3, page=1)
    assert (len(page["tree"]), page["truncated"], page["total_count"]) == (3, True, 4)
    assert village.iris.says("GET", "~/git/trees/nope") == (400, "sha not found [nope]")


def test_what_no_one_handles(village: Village) -> None:
    """An unknown path is plain text, a wrong method an empty 405 that says what is allowed."""
    unknown = village.iris.call("GET", "~/no-such-path")
    assert (unknown.status_code, unknown.text, unknown.headers["Content-Type"]) == (
        404,
        "404 page not found\n",
        "text/plain; charset=utf-8",
    )
    wrong = village.iris.call("PUT", "~/issues", {})
    assert (wrong.status_code, wrong.headers["Allow"], wrong.content) == (405, "GET, POST", b"")
    assert village.iris.get("/settings/api")["max_response_items"] == 50


def test_names_of_branches() -> None:
    """What git does not take as a branch is none; nothing that could be an option is."""
    assert all(valid_branch(name) for name in ("main", "agent/iris/1", "a-b_c.d", "ünïcode"))
    bad = (
        "",
        "-x",
        ".x",
        "a..b",
        "a//b",
        "a.lock",
        "a/.b",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "@",
        "HEAD",
        "x/",
        "a@{1}",
        "a\\b",
        "a\nb",
    )
    assert not any(valid_branch(name) for name in bad)
