"""Repositories and their contents: names that lead on, archives, files, trees, comparisons."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from forge.embedded.git import valid_branch

if TYPE_CHECKING:
    from tests.embedded.conftest import ApiEnv, Receiver


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_former_name_leads_on(env: ApiEnv, tmp_path: Path) -> None:
    """A renamed repository is found under its old name by redirect, also for git, until another takes the name."""
    key = env.iris.get("~")["id"]
    env.mara.patch("~", {"name": "renamed"})
    moved = env.iris.call("GET", "~/branches/main")
    assert (moved.status_code, moved.headers["Location"]) == (301, "/api/v1/repos/acme/renamed/branches/main")
    assert moved.text == '<a href="/api/v1/repos/acme/renamed/branches/main">Moved Permanently</a>.\n\n'
    posted = env.core.call("POST", "~/issues", {"title": "x"})
    assert (posted.status_code, posted.content) == (301, b"")
    assert "redirecting to" in env.iris.git("ls-remote", f"{env.forge.url}/acme/app.git", cwd=tmp_path).stderr
    assert env.iris.get("/repos/acme/renamed")["id"] == key
    assert env.iris.get(f"/repositories/{key}")["full_name"] == "acme/renamed"
    env.root.post("/orgs/acme/repos", {"name": "app"})
    assert env.iris.get("~")["id"] != key


def test_an_archive_is_only_read(env: ApiEnv, tmp_path: Path) -> None:
    """An archived repository takes no issues and no pushes, and can be brought back."""
    work = env.core.clone(tmp_path / "work")
    env.core.commit(work, "late", late__txt="late\n")
    env.mara.patch("~", {"archived": True})
    assert env.core.says("POST", "~/issues", {"title": "x"}) == (423, "<Repository 1:acme/app> is archived")
    assert "archived" in env.core.git("push", "origin", "main", cwd=work).stderr
    assert env.iris.get("~")["archived"] is True
    env.mara.patch("~", {"archived": False})
    assert env.core.git("push", "-q", "origin", "main", cwd=work).returncode == 0


def test_a_repository_comes_and_goes(env: ApiEnv, receiver: Receiver) -> None:
    """Made and deleted repositories are told; the same name again is another id, a second time 409."""
    env.hook(receiver, "repository")
    made = env.root.post("/orgs/acme/repos", {"name": "fresh", "auto_init": True, "default_branch": "trunk"})
    assert (made["empty"], made["default_branch"], made["permissions"]["admin"]) == (False, "trunk", True)
    assert env.root.says("POST", "/orgs/acme/repos", {"name": "Fresh"})[0] == 409
    env.root.delete("/repos/acme/fresh")
    again = env.root.post("/orgs/acme/repos", {"name": "fresh"})
    assert (again["empty"], again["id"] > made["id"]) == (True, True)
    receiver.listens_to_bots("repository.created", "repository.deleted", "repository.created")


def test_files_are_written_one_by_one(env: ApiEnv) -> None:
    """A file is created once, changed by who knows its sha, and deleted; each is a commit of who did it."""
    made = env.core.post("~/contents/a.txt", {"content": b64("one\n"), "message": "add"})
    assert made["commit"]["author"] == made["commit"]["committer"]
    assert (made["commit"]["message"], made["content"]["content"]) == ("add\n", b64("one\n"))
    exists = env.core.says("POST", "~/contents/a.txt", {"content": "", "message": "again"})
    assert exists == (422, "repository file already exists [path: a.txt]")
    sha = made["content"]["sha"]
    changed = env.core.put("~/contents/a.txt", {"content": b64("two\n"), "sha": sha})
    stale = env.core.says("PUT", "~/contents/a.txt", {"content": "", "sha": sha})
    assert stale == (409, f"sha does not match [given: {sha}, expected: {changed['content']['sha']}]")
    assert env.core.says("PUT", "~/contents/a.txt", {"content": ""}) == (422, "[SHA]: Required")
    gone = env.core.delete("~/contents/a.txt", {"sha": changed["content"]["sha"]})
    assert gone["content"] is None
    assert env.core.call("GET", "~/contents/a.txt").json()["errors"] == [
        "object does not exist [id: , rel_path: a.txt]"
    ]


def test_files_are_written_together(env: ApiEnv) -> None:
    """Several changes are one commit, or none when one of them does not fit."""
    good = {"operation": "create", "path": "ok.txt", "content": b64("ok")}
    stale = {"operation": "update", "path": "README.md", "content": "", "sha": "0" * 40}
    assert env.core.says("POST", "~/contents", {"files": [good, stale]})[0] == 409
    assert env.iris.call("GET", "~/contents/ok.txt").status_code == 404
    env.core.post("~/contents", {"new_branch": "topic", "files": [good]})
    assert env.iris.get("~/contents/ok.txt", ref="topic")["name"] == "ok.txt"
    assert env.core.says("POST", "~/contents/x", {"content": "%%%"}) == (422, "illegal base64 data at input byte 0")
    evil = env.core.says("POST", "~/contents/.git/config", {"content": ""})
    assert evil[0] == 422


def test_readers_and_protection_keep_files(env: ApiEnv) -> None:
    """Who may not push does not write files either, and a protected branch takes nobody's."""
    words = "user should have a permission to write to this branch"
    assert env.iris.says("POST", "~/contents/x", {"content": ""}) == (403, words)
    env.protect(enable_push=False)
    assert env.root.says("POST", "~/contents/x", {"content": ""}) == (
        403,
        "user cannot commit to repo [user: root0]",
    )
    assert env.core.says("DELETE", "~/branches/main") == (403, "can not delete default branch")


def test_branches_and_tags(env: ApiEnv) -> None:
    """A branch with slashes is a branch; a tag has a message or is light; neither is made twice."""
    env.core.post("~/branches", {"new_branch_name": "agent/iris/1", "old_ref_name": "main"})
    assert env.iris.get("~/branches/agent/iris/1")["name"] == "agent/iris/1"
    assert env.core.says("POST", "~/branches", {"new_branch_name": "agent/iris/1"})[0] == 409
    assert env.core.says("POST", "~/branches", {"new_branch_name": "x", "old_ref_name": "nope"}) == (500, "")
    env.core.post("~/tags", {"tag_name": "v1", "target": "main", "message": "first"})
    tag = env.iris.get("~/tags/v1")
    assert tag["message"] == "first"
    assert tag["id"] != tag["commit"]["sha"] == env.iris.get("~/branches/main")["commit"]["id"]
    assert env.core.says("POST", "~/tags", {"tag_name": "v1"}) == (409, "tag already exists [name: v1]")
    kinds = {row["ref"]: row["object"]["type"] for row in env.iris.get("~/git/refs")}
    assert kinds == {"refs/heads/agent/iris/1": "commit", "refs/heads/main": "commit", "refs/tags/v1": "tag"}


def test_what_no_one_handles(env: ApiEnv) -> None:
    """An unknown path is plain text, a wrong method an empty 405 that says what is allowed."""
    unknown = env.iris.call("GET", "~/no-such-path")
    assert (unknown.status_code, unknown.text, unknown.headers["Content-Type"]) == (
        404,
        "404 page not found\n",
        "text/plain; charset=utf-8",
    )
    wrong = env.iris.call("PUT", "~/issues", {})
    assert (wrong.status_code, wrong.headers["Allow"], wrong.content) == (405, "GET, POST", b"")


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
