"""Files, branches and tags made through the forge instead of git."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from forge.embedded import rules
from forge.embedded.git import EMPTY_TREE, ZERO, Commit, Git, Moved, valid_branch
from forge.embedded.instance import ForgeInstance, Missing, Refusal, broken
from forge.embedded.services import feed, pushes, repos
from forge.embedded.state import Row


@dataclass(frozen=True, slots=True)
class ContentEdit:
    """One change of a file: `create`, `update` or `delete`."""

    operation: str
    path: str
    content: bytes = b""
    sha: str = ""


def decoded(text: str) -> bytes:
    """The bytes of base64 text."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        good = next((n for n, letter in enumerate(text) if not (letter.isalnum() or letter in "+/=")), len(text))
        raise Refusal(422, f"illegal base64 data at input byte {good}") from error


def commit(
    site: ForgeInstance,
    actor: Row,
    repo: Row,
    edits: Sequence[ContentEdit],
    *,
    branch: str,
    new_branch: str,
    message: str,
) -> Commit:
    """Commit changes of files to a branch, or to a new one that starts there: all of them or none."""
    base, target = branch or repo["default_branch"], new_branch or branch or repo["default_branch"]
    tip = repos.tip(site, repo, base)
    if not tip and site.state.row("SELECT 1 FROM refs WHERE repo_id = ?", repo["id"]):
        raise Refusal(404, site.flavour.unknown_branch.format(name=base, repo_id=repo["id"]))
    _refuse_branch(site, actor, repo, base, target)
    git, who = site.git(repo), repos.signature(site, actor)
    changes: dict[str, str | None] = {}
    for edit in edits:
        _plan(site, git, tip, edit, changes)
    tree = git.write_tree(tip or EMPTY_TREE, changes)
    text = message or f"{edits[0].operation.capitalize()} {edits[0].path}"
    sha = git.write_commit(tree, [tip] if tip else [], text, who, who)
    old = tip if target == base else ZERO
    try:
        pushes.move(site, actor, repo, [(f"refs/heads/{target}", old or ZERO, sha)])
    except Moved as error:
        raise Refusal(409, f"PushRejected with remote message: error: {error}") from error
    return git.commit(sha)


def _refuse_branch(site: ForgeInstance, actor: Row, repo: Row, base: str, target: str) -> None:
    if target != base:
        if not valid_branch(target):
            raise Refusal(422, f"'{target}' is not a valid branch name")
        if repos.tip(site, repo, target):
            raise Refusal(422, f"branch already exists [name: {target}]")
    if not rules.may_push(site, repo, actor, target, rules.access(site, actor, repo)):
        raise Refusal(403, f"user cannot commit to repo [user: {actor['login']}]")


def _plan(site: ForgeInstance, git: Git, tip: str, edit: ContentEdit, changes: dict[str, str | None]) -> None:
    """Add one edit to the changes of a tree, if what it expects is there."""
    path = edit.path.strip("/")
    if not path or any(part in {"", ".", "..", ".git"} for part in path.lower().split("/")):
        raise Refusal(422, f"path contains a malformed path component [path: {edit.path}]")
    found = next((entry for entry in git.tree(tip, path)), None) if tip else None
    if edit.operation == "create":
        if found:
            raise Refusal(422, f"repository file already exists [path: {path}]")
    else:
        if found is None:
            raise Refusal(404, f"repository file does not exist [path: {path}]")
        if edit.sha != found.sha:
            raise Refusal(
                site.flavour.stale_sha_status, f"sha does not match [given: {edit.sha}, expected: {found.sha}]"
            )
    changes[path] = None if edit.operation == "delete" else git.store(edit.content)


def create_branch(site: ForgeInstance, actor: Row, repo: Row, name: str, start: str) -> str:
    """A new branch at a branch, tag or commit; answers its tip."""
    if not valid_branch(name):
        raise Refusal(422, f"'{name}' is not a valid branch name")
    if repos.tip(site, repo, name):
        raise Refusal(409, "The branch already exists.")
    sha = site.git(repo).resolve(start or repo["default_branch"])
    if not sha:
        raise broken()
    try:
        pushes.move(site, actor, repo, [(f"refs/heads/{name}", ZERO, sha)])
    except Moved as error:
        raise Refusal(409, "The branch already exists.") from error
    return sha


def delete_branch(site: ForgeInstance, actor: Row, repo: Row, name: str) -> None:
    """Remove a branch; its open pull requests are closed."""
    tip = repos.tip(site, repo, name)
    if not tip:
        raise Missing(f"branch does not exist [name: {name}]")
    if name == repo["default_branch"]:
        raise Refusal(403, "can not delete default branch")
    if rules.rule_for(site, repo, name):
        raise Refusal(403, "branch protected")
    pushes.move(site, actor, repo, [(f"refs/heads/{name}", tip, ZERO)])


def create_tag(site: ForgeInstance, actor: Row, repo: Row, name: str, *, target: str = "", message: str = "") -> None:
    """A light tag, or with a message an annotated one; the forge keeps a hidden release for it."""
    if site.state.row("SELECT 1 FROM refs WHERE repo_id = ? AND name = ?", repo["id"], f"refs/tags/{name}"):
        raise Refusal(409, f"tag already exists [name: {name}]")
    if not valid_branch(name):
        raise Refusal(422, f"'{name}' is not a valid tag name")
    git = site.git(repo)
    sha = git.resolve(target or repo["default_branch"])
    if not sha:
        raise Missing(f"target does not exist [target: {target}]")
    pointed = sha
    if message:
        who = repos.signature(site, actor)
        tag = f"object {sha}\ntype commit\ntag {name}\ntagger {who.name} <{who.email}> {who.when} +0000\n\n{message}\n"
        pointed = git.text("mktag", stdin=tag)
    pushes.move(site, actor, repo, [(f"refs/tags/{name}", ZERO, pointed)])
    about = {
        "repo_id": repo["id"],
        "user_id": actor["id"],
        "tag": name,
        "target": sha,
        "is_tag": 1,
        "created": site.now(),
    }
    site.state.insert("releases", **about)


def delete_tag(site: ForgeInstance, actor: Row, repo: Row, name: str) -> None:
    """Remove a tag."""
    ref = site.state.row("SELECT * FROM refs WHERE repo_id = ? AND name = ?", repo["id"], f"refs/tags/{name}")
    if ref is None:
        raise Missing
    pushes.move(site, actor, repo, [(ref["name"], ref["sha"], ZERO)])


def release(site: ForgeInstance, actor: Row, repo: Row, tag: str, **about: str) -> Row:
    """Publish a release; its tag is made if it is not there."""
    target = about.pop("target_commitish", "") or repo["default_branch"]
    if not site.state.row("SELECT 1 FROM refs WHERE repo_id = ? AND name = ?", repo["id"], f"refs/tags/{tag}"):
        create_tag(site, actor, repo, tag, target=target)
    with site.state.writing():
        site.state.run("DELETE FROM releases WHERE repo_id = ? AND tag = ?", repo["id"], tag)
        row = {"repo_id": repo["id"], "user_id": actor["id"], "tag": tag, "target": target, "created": site.now()}
        entry = site.must("releases", site.state.insert("releases", **row, **about))
        feed.record(site, actor, repo, "publish_release", ref=tag, content=entry["name"])
    return entry
