"""Git over HTTP: who may clone and push, what a push says, and what it leaves in the books."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forge.embedded.git import ZERO

if TYPE_CHECKING:
    from tests.embedded.conftest import Receiver, Village


def refused(stderr: str) -> str:
    """What the forge said on the terminal, without git's own words."""
    lines = [line.removeprefix("remote: ").rstrip() for line in stderr.splitlines() if line.startswith("remote: ")]
    return "\n".join(lines).strip()


def test_what_is_pushed_can_be_cloned(village: Village, tmp_path: Path) -> None:
    """A push by one is in the clone of another, and the API knows it at once."""
    work = village.core.clone(tmp_path / "one")
    sha = village.core.commit(work, "more", more__txt="more\n")
    assert village.core.git("push", "-q", "origin", "main", cwd=work).returncode == 0
    assert village.iris.get("~/branches/main")["commit"]["id"] == sha
    assert (village.nobody.clone(tmp_path / "two") / "more.txt").read_text() == "more\n"


def test_a_push_leaves_a_record(village: Village, tmp_path: Path) -> None:
    """The feed says who moved a branch from where to where, whatever the commits say."""
    work = village.core.clone(tmp_path / "work")
    old = village.core.git("rev-parse", "HEAD", cwd=work).stdout.strip()
    new = village.mara.commit(work, "by another hand", hand__txt="hand\n")
    village.core.git("push", "-q", "origin", "main", cwd=work)
    row = village.iris.get("~/activities/feeds")[0]
    assert (row["op_type"], row["ref_name"]) == ("commit_repo", "refs/heads/main")
    assert row["act_user_id"] == village.core.get("/user")["id"]
    assert json.loads(row["content"])["CompareURL"] == f"acme/app/compare/{old}...{new}"
    assert village.iris.get("/orgs/acme/activities/feeds")[0]["id"] == row["id"]


def test_the_terminal_is_told_what_next(village: Village, tmp_path: Path) -> None:
    """A new branch is answered with where to open a pull request, an old one with where that is."""
    work = village.core.clone(tmp_path / "work")
    village.core.commit(work, "topic", topic__txt="topic\n")
    done = village.core.git("push", "origin", "HEAD:topic", cwd=work)
    place = f"{village.forge.url}/acme/app"
    assert refused(done.stderr) == f"Create a new pull request for 'topic':\n  {place}/compare/main...topic"
    village.core.post("~/pulls", {"title": "topic", "head": "topic", "base": "main"})
    village.core.commit(work, "more", more__txt="more\n")
    done = village.core.git("push", "origin", "HEAD:topic", cwd=work)
    assert refused(done.stderr) == f"Visit the existing pull request:\n  {place}/pulls/1 merges into main"


def test_strangers_do_not_push(village: Village, tmp_path: Path) -> None:
    """Who may only read is told so by the hook, and how to propose a change instead."""
    work = village.iris.clone(tmp_path / "work")
    village.iris.commit(work, "mine", mine__txt="mine\n")
    done = village.iris.git("push", "origin", "main", cwd=work)
    assert done.returncode == 1
    assert refused(done.stderr).startswith(
        "Forgejo: User 'iris' is not allowed to push to branch 'main' in 'acme/app'."
    )
    assert "git push origin HEAD:refs/for/main/choose-a-descriptor" in done.stderr
    assert village.nobody.git("push", "origin", "main", cwd=work).returncode == 128


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("HEAD:main", "Not allowed to push to protected branch main"),
        ("+HEAD~1:main", "branch main is protected from force push"),
        (":main", "branch main is the default branch and cannot be deleted"),
        ("HEAD:refs/pull/1/head", "The ref refs/pull/1/head is kept by the forge itself."),
    ],
)
def test_protection_holds_admins_too(village: Village, tmp_path: Path, ref: str, words: str) -> None:
    """A protected branch moves by merging only, and nobody writes the heads of pull requests."""
    village.core.put("~/contents/README.md", {"content": "eA==", "message": "x", "sha": _readme(village)})
    village.protect(enable_push=False)
    work = village.root.clone(tmp_path / "work")
    village.root.commit(work, "direct", direct__txt="direct\n") if ref == "HEAD:main" else None
    done = village.root.git("push", "origin", ref, cwd=work)
    assert done.returncode == 1
    assert refused(done.stderr) == f"Forgejo: {words}"
    assert "(pre-receive hook declined)" in done.stderr


def _readme(village: Village) -> str:
    return str(village.core.get("~/contents/README.md")["sha"])


def test_protected_files_cannot_be_pushed(village: Village, tmp_path: Path) -> None:
    """A rule can let people push and still keep files from them."""
    village.protect(enable_push=True, protected_file_patterns="*.lock;secret/**")
    work = village.core.clone(tmp_path / "work")
    village.core.commit(work, "lock", any__lock="locked\n")
    done = village.core.git("push", "origin", "main", cwd=work)
    assert refused(done.stderr) == "Forgejo: branch main is protected from changing file any.lock"


def test_a_read_scope_is_refused_before_git_speaks(village: Village, tmp_path: Path) -> None:
    """A token without the scope gets 403 where one with it would reach the hook."""
    work = village.core.clone(tmp_path / "work")
    made = village.root.post("/users/core/tokens", {"name": "read", "scopes": ["read:repository"]})
    reader = type(village.core)(village.forge, "core", f"token {made['sha1']}")
    assert reader.git("ls-remote", "origin", cwd=work).returncode == 0
    done = reader.git("push", "origin", "HEAD:other", cwd=work)
    assert done.returncode == 128
    assert "remote: Forbidden" in done.stderr
    assert "403" in done.stderr


def test_private_repositories_are_not_there(village: Village, tmp_path: Path) -> None:
    """Who may not see a repository is told that there is none."""
    village.mara.patch("~", {"private": True})
    done = village.eve.git("clone", f"{village.forge.url}/acme/app.git", "x", cwd=tmp_path)
    assert "remote: Repository not found" in done.stderr
    assert village.eve.says("GET", "~") == (404, "The target couldn't be found.")


def test_a_deleted_branch_closes_its_pull_request(village: Village, receiver: Receiver, tmp_path: Path) -> None:
    """The pull request of a branch that is gone is closed and keeps its commit."""
    pull = village.core.pull("topic")
    village.hook(receiver, "delete", "pull_request")
    work = village.core.clone(tmp_path / "work")
    assert village.core.git("push", "-q", "origin", ":topic", cwd=work).returncode == 0
    receiver.listens_to_bots("delete", "pull_request.closed")
    closed = village.iris.get("~/pulls/1")
    assert (closed["state"], closed["head"]["ref"]) == ("closed", "refs/pull/1/head")
    kept = village.iris.git("ls-remote", "origin", "refs/pull/1/head", cwd=work).stdout
    assert kept.split()[0] == pull["head"]["sha"] == closed["head"]["sha"]


def test_tags_are_told_as_pushes(village: Village, receiver: Receiver, tmp_path: Path) -> None:
    """A tag comes and goes as a push with a create or a delete behind it."""
    village.hook(receiver, "push", "create", "delete")
    work = village.core.clone(tmp_path / "work")
    for words in (("tag", "v1"), ("push", "-q", "origin", "v1"), ("push", "-q", "origin", ":v1")):
        assert village.core.git(*words, cwd=work).returncode == 0
    push, made, gone, deleted = receiver.listens_to_bots("push", "create", "push", "delete")
    assert push.json["before"] == gone.json["after"] == ZERO
    assert (made.json["ref"], deleted.json["ref_type"]) == ("refs/tags/v1", "tag")


def test_many_branches_in_one_push(village: Village, receiver: Receiver, tmp_path: Path) -> None:
    """Each branch of a push is told on its own, in order."""
    village.hook(receiver, "push", "create")
    work = village.core.clone(tmp_path / "work")
    for name in ("a", "b"):
        village.core.git("branch", name, cwd=work)
    assert village.core.git("push", "-q", "origin", "a", "b", cwd=work).returncode == 0
    heard = receiver.listens_to_bots("create", "push", "create", "push")
    assert [arrival.json["ref"] for arrival in heard] == ["refs/heads/a"] * 2 + ["refs/heads/b"] * 2


def test_a_reader_proposes_by_pushing(village: Village, tmp_path: Path) -> None:
    """`refs/for/main` makes a pull request without any right to write, and the same topic brings it up to date."""
    work = village.iris.clone(tmp_path / "work")
    first = village.iris.commit(work, "an idea\n\nand why", idea__txt="idea\n")
    done = village.iris.git("push", "origin", "HEAD:refs/for/main", "-o", "topic=idea", cwd=work)
    assert "* [new reference]   HEAD -> refs/pull/1/head" in done.stderr, done.stderr
    assert refused(done.stderr) == f"Visit the existing pull request:\n  {village.forge.url}/acme/app/pulls/1"
    pull = village.iris.get("~/pulls/1")
    assert (pull["title"], pull["body"], pull["flow"], pull["user"]["login"]) == ("an idea", "and why", 1, "iris")
    assert (pull["head"]["label"], pull["head"]["ref"], pull["head"]["sha"]) == ("iris/idea", "refs/pull/1/head", first)
    second = village.iris.commit(work, "better", idea__txt="better\n")
    assert village.iris.git("push", "origin", "HEAD:refs/for/main/idea", cwd=work).returncode == 0
    assert village.iris.get("~/pulls/1")["head"]["sha"] == second


def test_a_proposal_is_refused_in_words(village: Village, tmp_path: Path) -> None:
    """Without a topic, twice the same, rewritten, or for no branch: each is refused for its own reason."""
    work = village.iris.clone(tmp_path / "work")
    village.iris.commit(work, "idea", idea__txt="idea\n")

    def push(ref: str, *options: str) -> str:
        flags = [word for option in options for word in ("-o", option)]
        return village.iris.git("push", "origin", f"HEAD:{ref}", *flags, cwd=work).stderr

    assert "(The topic-branch option is not set)" in push("refs/for/main")
    assert "Forgejo: Unexpected ref: refs/for/nope" in push("refs/for/nope", "topic=idea")
    push("refs/for/main", "topic=idea")
    assert "(The new commit is the same as the old commit)" in push("refs/for/main", "topic=idea")
    village.iris.git("commit", "-q", "--amend", "-m", "amended", cwd=work)
    assert "set the `force-push` option" in push("refs/for/main", "topic=idea")
    assert "-> refs/pull/1/head" in push("refs/for/main", "topic=idea", "force-push=true")
