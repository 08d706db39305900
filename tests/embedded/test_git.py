"""Git over HTTP: who may clone and push, what a push says, and what it leaves in the books."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forge.embedded.git import ZERO

if TYPE_CHECKING:
    from tests.embedded.conftest import ApiEnv, Receiver


def refused(stderr: str) -> str:
    """What the forge said on the terminal, without git's own words."""
    lines = [line.removeprefix("remote: ").rstrip() for line in stderr.splitlines() if line.startswith("remote: ")]
    return "\n".join(lines).strip()


def test_what_is_pushed_can_be_cloned(env: ApiEnv, tmp_path: Path) -> None:
    """A push by one is in the clone of another, and the API knows it at once."""
    work = env.core.clone(tmp_path / "one")
    sha = env.core.commit(work, "more", more__txt="more\n")
    assert env.core.git("push", "-q", "origin", "main", cwd=work).returncode == 0
    assert env.iris.get("~/branches/main")["commit"]["id"] == sha
    assert (env.nobody.clone(tmp_path / "two") / "more.txt").read_text() == "more\n"


def test_a_push_leaves_a_record(env: ApiEnv, tmp_path: Path) -> None:
    """The feed says who moved a branch from where to where, whatever the commits say."""
    work = env.core.clone(tmp_path / "work")
    old = env.core.git("rev-parse", "HEAD", cwd=work).stdout.strip()
    new = env.mara.commit(work, "by another hand", hand__txt="hand\n")
    env.core.git("push", "-q", "origin", "main", cwd=work)
    row = env.iris.get("~/activities/feeds")[0]
    assert (row["op_type"], row["ref_name"]) == ("commit_repo", "refs/heads/main")
    assert row["act_user_id"] == env.core.get("/user")["id"]
    assert json.loads(row["content"])["CompareURL"] == f"acme/app/compare/{old}...{new}"
    assert env.iris.get("/orgs/acme/activities/feeds")[0]["id"] == row["id"]


def test_the_terminal_is_told_what_next(env: ApiEnv, tmp_path: Path) -> None:
    """A new branch is answered with where to open a pull request, an old one with where that is."""
    work = env.core.clone(tmp_path / "work")
    env.core.commit(work, "topic", topic__txt="topic\n")
    done = env.core.git("push", "origin", "HEAD:topic", cwd=work)
    place = f"{env.forge.url}/acme/app"
    assert refused(done.stderr) == f"Create a new pull request for 'topic':\n  {place}/compare/main...topic"
    env.core.post("~/pulls", {"title": "topic", "head": "topic", "base": "main"})
    env.core.commit(work, "more", more__txt="more\n")
    done = env.core.git("push", "origin", "HEAD:topic", cwd=work)
    assert refused(done.stderr) == f"Visit the existing pull request:\n  {place}/pulls/1"


def test_strangers_do_not_push(env: ApiEnv, tmp_path: Path) -> None:
    """Who may only read is told so by the hook."""
    work = env.iris.clone(tmp_path / "work")
    env.iris.commit(work, "mine", mine__txt="mine\n")
    done = env.iris.git("push", "origin", "main", cwd=work)
    assert done.returncode == 1
    assert refused(done.stderr) == "Forgejo: User permission denied for writing."
    assert env.nobody.git("push", "origin", "main", cwd=work).returncode == 128


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("HEAD:main", "Not allowed to push to protected branch main"),
        ("+HEAD~1:main", "branch main is protected from force push"),
        (":main", "branch main is the default branch and cannot be deleted"),
        ("HEAD:refs/pull/1/head", "The ref refs/pull/1/head is kept by the forge itself."),
    ],
)
def test_protection_holds_admins_too(env: ApiEnv, tmp_path: Path, ref: str, words: str) -> None:
    """A protected branch moves by merging only, and nobody writes the heads of pull requests."""
    env.core.put("~/contents/README.md", {"content": "eA==", "message": "x", "sha": _readme(env)})
    env.protect(enable_push=False)
    work = env.root.clone(tmp_path / "work")
    env.root.commit(work, "direct", direct__txt="direct\n") if ref == "HEAD:main" else None
    done = env.root.git("push", "origin", ref, cwd=work)
    assert done.returncode == 1
    assert refused(done.stderr) == f"Forgejo: {words}"
    assert "(pre-receive hook declined)" in done.stderr


def _readme(env: ApiEnv) -> str:
    return str(env.core.get("~/contents/README.md")["sha"])


def test_protected_files_cannot_be_pushed(env: ApiEnv, tmp_path: Path) -> None:
    """A rule can let people push and still keep files from them."""
    env.protect(enable_push=True, protected_file_patterns="*.lock;secret/**")
    work = env.core.clone(tmp_path / "work")
    env.core.commit(work, "lock", any__lock="locked\n")
    done = env.core.git("push", "origin", "main", cwd=work)
    assert refused(done.stderr) == "Forgejo: branch main is protected from changing file any.lock"


def test_a_read_scope_is_refused_before_git_speaks(env: ApiEnv, tmp_path: Path) -> None:
    """A token without the scope gets 403 where one with it would reach the hook."""
    work = env.core.clone(tmp_path / "work")
    made = env.root.post("/users/core/tokens", {"name": "read", "scopes": ["read:repository"]})
    reader = type(env.core)(env.forge, "core", f"token {made['sha1']}")
    assert reader.git("ls-remote", "origin", cwd=work).returncode == 0
    done = reader.git("push", "origin", "HEAD:other", cwd=work)
    assert done.returncode == 128
    assert "remote: Forbidden" in done.stderr
    assert "403" in done.stderr


def test_private_repositories_are_not_there(env: ApiEnv, tmp_path: Path) -> None:
    """Who may not see a repository is told that there is none."""
    env.mara.patch("~", {"private": True})
    done = env.eve.git("clone", f"{env.forge.url}/acme/app.git", "x", cwd=tmp_path)
    assert "remote: Repository not found" in done.stderr
    assert env.eve.says("GET", "~") == (404, "The target couldn't be found.")


def test_a_deleted_branch_closes_its_pull_request(env: ApiEnv, receiver: Receiver, tmp_path: Path) -> None:
    """The pull request of a branch that is gone is closed and keeps its commit."""
    pull = env.core.pull("topic")
    env.hook(receiver, "delete", "pull_request")
    work = env.core.clone(tmp_path / "work")
    assert env.core.git("push", "-q", "origin", ":topic", cwd=work).returncode == 0
    receiver.listens_to_bots("delete", "pull_request.closed")
    closed = env.iris.get("~/pulls/1")
    assert (closed["state"], closed["head"]["ref"]) == ("closed", "refs/pull/1/head")
    kept = env.iris.git("ls-remote", "origin", "refs/pull/1/head", cwd=work).stdout
    assert kept.split()[0] == pull["head"]["sha"] == closed["head"]["sha"]


def test_tags_are_told_as_pushes(env: ApiEnv, receiver: Receiver, tmp_path: Path) -> None:
    """A tag comes and goes as a push with a create or a delete behind it."""
    env.hook(receiver, "push", "create", "delete")
    work = env.core.clone(tmp_path / "work")
    for words in (("tag", "v1"), ("push", "-q", "origin", "v1"), ("push", "-q", "origin", ":v1")):
        assert env.core.git(*words, cwd=work).returncode == 0
    push, made, gone, deleted = receiver.listens_to_bots("push", "create", "push", "delete")
    assert push.json["before"] == gone.json["after"] == ZERO
    assert (made.json["ref"], deleted.json["ref_type"]) == ("refs/tags/v1", "tag")


def test_many_branches_in_one_push(env: ApiEnv, receiver: Receiver, tmp_path: Path) -> None:
    """Each branch of a push is told on its own, in order."""
    env.hook(receiver, "push", "create")
    work = env.core.clone(tmp_path / "work")
    for name in ("a", "b"):
        env.core.git("branch", name, cwd=work)
    assert env.core.git("push", "-q", "origin", "a", "b", cwd=work).returncode == 0
    heard = receiver.listens_to_bots("create", "push", "create", "push")
    assert [arrival.json["ref"] for arrival in heard] == ["refs/heads/a"] * 2 + ["refs/heads/b"] * 2
