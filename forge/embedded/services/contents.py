"""Files, branches and tags made through the forge instead of git."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from forge.embedded import events, rules
from forge.embedded.git import EMPTY_TREE, SHA, ZERO, Commit, Git, Moved, Signature, valid_branch
from forge.embedded.instance import ForgeInstance, Missing, Refusal, broken
from forge.embedded.services import feed, pushes, repos
from forge.embedded.state import Row


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a file: `create`, `update` or `delete`; `was` is the path that it moves away from."""

    operation: str
    path: str
    content: bytes = b""
    sha: str = ""
    was: str = ""


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
    edits: Sequence[Edit],
    *,
    branch: str,
    new_branch: str,
    message: str,
    author: Signature | None,
    committer: Signature | None,
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
    sha = git.write_commit(tree, [tip] if tip else [], text, author or who, committer or author or who)
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


def _plan(site: ForgeInstance, git: Git, tip: str, edit: Edit, changes: dict[str, str | None]) -> None:
    """Add one edit to the changes of a tree, if what it expects is there."""
    path = edit.path.strip("/")
    if not path or any(part in {"", ".", "..", ".git"} for part in path.lower().split("/")):
        raise Refusal(422, f"path contains a malformed path component [path: {edit.path}]")
    found = next((entry for entry in git.tree(tip, path)), None) if tip else None
    if edit.operation == "create":
        if found:
            raise Refusal(422, f"repository file already exists [path: {path}]")
    else:
        old = next((entry for entry in git.tree(tip, edit.was)), None) if edit.was else found
        if old is None:
            raise Refusal(404, f"repository file does not exist [path: {edit.was or path}]")
        if edit.sha != old.sha:
            raise Refusal(site.flavour.stale_sha_status, f"sha does not match [given: {edit.sha}, expected: {old.sha}]")
    if edit.was:
        changes[edit.was] = None
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


def rename_branch(site: ForgeInstance, repo: Row, old: str, new: str) -> None:
    """Give a branch another name; pull requests follow, and no push record tells of it."""
    tip, refs = repos.tip(site, repo, old), (f"refs/heads/{old}", f"refs/heads/{new}")
    if not tip:
        raise Missing(f"branch does not exist [name: {old}]")
    if not valid_branch(new) or repos.tip(site, repo, new):
        raise Refusal(422, f"Cannot rename a branch to '{new}'.")
    with site.moving(repo["id"]), site.state.writing():
        site.git(repo).move([(refs[0], tip, ZERO), (refs[1], ZERO, tip)])
        site.state.run("UPDATE refs SET name = ? WHERE repo_id = ? AND name = ?", refs[1], repo["id"], refs[0])
        site.state.run(
            "UPDATE pulls SET head_branch = ? WHERE head_repo_id = ? AND head_branch = ? AND NOT agit",
            new,
            repo["id"],
            old,
        )
        site.state.run("UPDATE pulls SET base_branch = ? WHERE repo_id = ? AND base_branch = ?", new, repo["id"], old)
        if old == repo["default_branch"]:
            repos.edit(site, {}, repo, {"default_branch": new})


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
        events.released(site, actor, repo, entry, "published")
        feed.record(site, actor, repo, "publish_release", ref=tag, content=entry["name"])
    return entry


def blob(site: ForgeInstance, repo: Row, sha: str) -> Row:
    """A blob by its sha."""
    git = site.git(repo)
    if not SHA.fullmatch(sha) or not git.resolve(sha, "blob"):
        raise Missing
    content = git.blob(sha)
    url = f"{site.api}/repos/{repo['full_name']}/git/blobs/{sha}"
    return {
        "content": base64.b64encode(content).decode(),
        "encoding": "base64",
        "url": url,
        "sha": sha,
        "size": len(content),
    }
