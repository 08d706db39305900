"""Commits and contents as JSON."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from forge.embedded.dialect import shaped
from forge.embedded.diffs import Change
from forge.embedded.git import Commit, Entry, Git, Signature
from forge.embedded.instance import ForgeInstance
from forge.embedded.shapes import people
from forge.embedded.shapes.people import NEVER, Json, when
from forge.embedded.state import Row

UNSIGNED: Json = {
    "verified": False,
    "reason": "gpg.error.not_signed_commit",
    "signature": "",
    "signer": None,
    "payload": "",
}
_WORDS = {"A": "added", "D": "removed"}


def meta(site: ForgeInstance, repo: Row, sha: str, at: int | None = None, *, kind: str = "commits") -> Json:
    """The short form of a commit or tree; `created` is year 1 where a forge does not look."""
    return {
        "url": f"{site.api}/repos/{repo['full_name']}/git/{kind}/{sha}",
        "sha": sha,
        "created": when(at) if at else NEVER,
    }


def whole(site: ForgeInstance, repo: Row, commit: Commit) -> Json:
    """A commit with its files and counts."""
    at = commit.committer.when
    return {
        **meta(site, repo, commit.sha, at),
        "html_url": f"{site.url}/{repo['full_name']}/commit/{commit.sha}",
        "commit": {
            "url": f"{site.api}/repos/{repo['full_name']}/git/commits/{commit.sha}",
            "author": _signature(commit.author),
            "committer": _signature(commit.committer),
            "message": commit.message,
            # A real forge puts the commit's own sha here.
            "tree": meta(site, repo, commit.sha, at, kind="trees"),
            "verification": UNSIGNED,
        },
        "author": _account(site, commit.author),
        "committer": _account(site, commit.committer),
        "parents": [meta(site, repo, parent) for parent in commit.parents],
        "files": files(commit),
        "stats": {
            "total": commit.additions + commit.deletions,
            "additions": commit.additions,
            "deletions": commit.deletions,
        },
    }


def files(commit: Commit) -> list[Json]:
    """The files that a commit changes: added, removed, modified, each in order."""
    rank = {"A": 0, "D": 1}
    ordered = sorted(commit.files.items(), key=lambda item: (rank.get(item[1], 2), item[0]))
    return [{"filename": path, "status": _WORDS.get(letter, "modified")} for path, letter in ordered]


def payload(site: ForgeInstance, repo: Row, commit: Commit, *, files: bool, verified: bool = True) -> Json:
    """A commit as it stands in push events and branches."""

    def of(letters: str) -> list[str] | None:
        return sorted(path for path, letter in commit.files.items() if letter in letters) if files else None

    return {
        "id": commit.sha,
        "message": commit.message,
        "url": f"{site.url}/{repo['full_name']}/commit/{commit.sha}",
        "author": _person(site, commit.author),
        "committer": _person(site, commit.committer),
        "verification": UNSIGNED if verified else None,
        "timestamp": when(commit.committer.when),
        "added": of("A"),
        "removed": of("D"),
        "modified": of("MT"),
    }


def written(site: ForgeInstance, repo: Row, commit: Commit) -> Json:
    """The commit that the contents API made."""
    return {
        **meta(site, repo, commit.sha),
        "html_url": f"{site.url}/{repo['full_name']}/commit/{commit.sha}",
        "author": _signature(commit.author),
        "committer": _signature(commit.committer),
        "parents": [meta(site, repo, parent) for parent in commit.parents],
        "message": commit.message,
        "tree": meta(site, repo, commit.tree, kind="trees"),
    }


def content(site: ForgeInstance, repo: Row, git: Git, entry: Entry, ref: str, *, full: bool) -> Json:
    """A file or directory at a ref (`branch/x` or `commit/sha`); `full` includes the bytes."""
    kind, _, name = ref.partition("/")
    tip = git.resolve(name if kind == "commit" else f"refs/{'heads' if kind == 'branch' else 'tags'}/{name}")
    last = git.last_change(tip, entry.path)
    path, is_dir = quote(entry.path), entry.kind == "tree"
    api, web = f"{site.api}/repos/{repo['full_name']}", f"{site.url}/{repo['full_name']}"
    links = {
        "self": f"{api}/contents/{path}?ref={quote(name, safe='')}",
        "git": f"{api}/git/{'trees' if is_dir else 'blobs'}/{entry.sha}",
        "html": f"{web}/src/{ref}/{path}",
    }
    blob = git.blob(entry.sha) if full and not is_dir else None
    kind_word = (
        "dir" if is_dir else "symlink" if entry.mode == "120000" else "submodule" if entry.kind == "commit" else "file"
    )
    when_changed = when(last.committer.when)
    shape = {
        "name": entry.path.rpartition("/")[2],
        "path": entry.path,
        "sha": entry.sha,
        "last_commit_sha": last.sha,
        "last_commit_when": when_changed,
        "last_committer_date": when_changed,
        "last_author_date": when(last.author.when),
        "type": kind_word,
        "size": entry.size,
        "encoding": None if blob is None else "base64",
        "content": None if blob is None else base64.b64encode(blob).decode(),
        "target": blob.decode(errors="replace") if blob is not None and kind_word == "symlink" else None,
        "url": links["self"],
        "html_url": links["html"],
        "git_url": links["git"],
        "download_url": None if is_dir else f"{web}/raw/{ref}/{path}",
        "submodule_git_url": None,
        "_links": links,
    }
    return shaped(site.flavour, "content", shape)


def changed_file(site: ForgeInstance, repo: Row, change: Change, sha: str) -> Json:
    """A file that a pull request changes."""
    api, web, path = f"{site.api}/repos/{repo['full_name']}", f"{site.url}/{repo['full_name']}", quote(change.path)
    shape: Json = {"filename": change.path}
    if change.previous:
        shape["previous_filename"] = change.previous
    return shape | {
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "html_url": f"{web}/src/commit/{sha}/{path}",
        "contents_url": f"{api}/contents/{path}?ref={sha}",
        "raw_url": f"{web}/raw/commit/{sha}/{path}",
    }


def _signature(signature: Signature) -> Json:
    return {"name": signature.name, "email": signature.email, "date": when(signature.when)}


def _find(site: ForgeInstance, signature: Signature) -> Row | None:
    return site.state.row("SELECT * FROM users WHERE email = ? COLLATE NOCASE AND NOT is_org", signature.email)


def _account(site: ForgeInstance, signature: Signature) -> Any:
    found = _find(site, signature)
    return people.user(site, found) if found else None


def _person(site: ForgeInstance, signature: Signature) -> Json:
    found = _find(site, signature)
    return {"name": signature.name, "email": signature.email, "username": found["login"] if found else ""}
