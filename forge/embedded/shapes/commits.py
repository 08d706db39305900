"""Commits and contents as JSON."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from forge.embedded.dialect import shaped
from forge.embedded.diffs import ChangedFile
from forge.embedded.git import Commit, Entry, Git, Signature
from forge.embedded.instance import ForgeInstance
from forge.embedded.shapes import people
from forge.embedded.shapes.values import NEVER, Json, always, when
from forge.embedded.state import Row

UNSIGNED: Json = {
    "verified": False, "reason": "gpg.error.not_signed_commit", "signature": "", "signer": None, "payload": "",
}  # fmt: skip
_WORDS = {"A": "added", "D": "removed"}
_TYPES = {"tree": "dir", "commit": "submodule"}


def meta(site: ForgeInstance, repo: Row, sha: str, at: int | None = None, *, kind: str = "commits") -> Json:
    """The short form of a commit or tree; `created` is year 1 where a forge does not look."""
    url = f"{site.api}/repos/{repo['full_name']}/git/{kind}/{sha}"
    return {"url": url, "sha": sha, "created": when(at) if at else NEVER}


def whole(site: ForgeInstance, repo: Row, commit: Commit) -> Json:
    """A commit with its files and counts."""
    at = commit.committer.when
    counts = {"additions": commit.additions, "deletions": commit.deletions}
    return {
        **meta(site, repo, commit.sha, at),
        "html_url": _page(site, repo, commit),
        "commit": {
            "url": f"{site.api}/repos/{repo['full_name']}/git/commits/{commit.sha}",
            **_signatures(commit),
            "message": commit.message,
            # A real forge puts the commit's own sha here.
            "tree": meta(site, repo, commit.sha, at, kind="trees"),
            "verification": UNSIGNED,
        },
        "author": _account(site, commit.author),
        "committer": _account(site, commit.committer),
        "parents": [meta(site, repo, parent) for parent in commit.parents],
        "files": files(commit),
        "stats": {"total": sum(counts.values()), **counts},
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
        "url": _page(site, repo, commit),
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
        "html_url": _page(site, repo, commit),
        **_signatures(commit),
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
    urls = {
        "self": f"{api}/contents/{path}?ref={quote(name, safe='')}",
        "git": f"{api}/git/{'trees' if is_dir else 'blobs'}/{entry.sha}",
        "html": f"{web}/src/{ref}/{path}",
    }
    blob = git.blob(entry.sha) if full and not is_dir else None
    word = "symlink" if entry.mode == "120000" else _TYPES.get(entry.kind, "file")
    shape = {
        "name": entry.path.rpartition("/")[2],
        "path": entry.path,
        "sha": entry.sha,
        "last_commit_sha": last.sha,
        **always(when(last.committer.when), "last_commit_when last_committer_date"),
        "last_author_date": when(last.author.when),
        "type": word,
        "size": entry.size,
        "encoding": None if blob is None else "base64",
        "content": None if blob is None else base64.b64encode(blob).decode(),
        "target": blob.decode(errors="replace") if blob is not None and word == "symlink" else None,
        "url": urls["self"],
        "html_url": urls["html"],
        "git_url": urls["git"],
        "download_url": None if is_dir else f"{web}/raw/{ref}/{path}",
        "submodule_git_url": None,
        "_links": urls,
    }
    return shaped(site.flavour, "content", shape)


def changed_file(site: ForgeInstance, repo: Row, change: ChangedFile, sha: str) -> Json:
    """A file that a pull request changes."""
    web, path = f"{site.url}/{repo['full_name']}", quote(change.path)
    return {
        "filename": change.path,
        **({"previous_filename": change.previous} if change.previous else {}),
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "html_url": f"{web}/src/commit/{sha}/{path}",
        "contents_url": f"{site.api}/repos/{repo['full_name']}/contents/{path}?ref={sha}",
        "raw_url": f"{web}/raw/commit/{sha}/{path}",
    }


def _page(site: ForgeInstance, repo: Row, commit: Commit) -> str:
    return f"{site.url}/{repo['full_name']}/commit/{commit.sha}"


def _signatures(commit: Commit) -> Json:
    pairs = {"author": commit.author, "committer": commit.committer}
    return {key: {"name": one.name, "email": one.email, "date": when(one.when)} for key, one in pairs.items()}


def _find(site: ForgeInstance, signature: Signature) -> Row | None:
    return site.state.row("SELECT * FROM users WHERE email = ? COLLATE NOCASE AND NOT is_org", signature.email)


def _account(site: ForgeInstance, signature: Signature) -> Any:
    found = _find(site, signature)
    return people.user(site, found) if found else None


def _person(site: ForgeInstance, signature: Signature) -> Json:
    found = _find(site, signature)
    return {"name": signature.name, "email": signature.email, "username": found["login"] if found else ""}
