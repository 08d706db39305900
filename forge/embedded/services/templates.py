"""Issue templates of a default branch: YAML forms and Markdown with front matter; what cannot be read is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import yaml

from forge.embedded.git import Entry, Git
from forge.embedded.instance import ForgeInstance
from forge.embedded.services import repos
from forge.embedded.state import Row

LARGEST = 64 * 1024
_DIRECTORIES = ("ISSUE_TEMPLATE", "issue_template")
_CONFIG = "config"
"""Where forges keep what is no template: links beside them."""

_BRANCHES = "refs/heads/"

_FRONT = re.compile(r"---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)(.*)", re.DOTALL)


def of(site: ForgeInstance, repo: Row) -> Iterator[Row]:
    """Each template as the API shows it."""
    tip = repos.tip(site, repo, repo["default_branch"])
    if not tip:
        return
    own = (".forgejo", ".gitea") if site.flavour.is_forgejo else (".gitea",)
    git = site.git(repo)
    for above in ("", *own, ".github"):
        for name in _DIRECTORIES:
            for found in _inside(git, tip, f"{above}/{name}".lstrip("/")):
                assignees = {} if site.flavour.is_forgejo else {"assignees": None}
                yield {**found, **assignees}


def _inside(git: Git, tip: str, directory: str) -> Iterator[Row]:
    if not any(entry.kind == "tree" for entry in git.tree(tip, directory)):
        return
    for entry in git.tree(f"{tip}:{directory}"):
        if entry.kind == "blob" and (found := _read(git, entry)) is not None:
            yield {**found, "file_name": f"{directory}/{entry.path}"}


def _read(git: Git, entry: Entry) -> Row | None:
    path = PurePosixPath(entry.path)
    if path.suffix not in {".md", ".yaml", ".yml"} or path.stem == _CONFIG or int(entry.size or 0) > LARGEST:
        return None
    text = git.blob(entry.sha).decode(errors="replace")
    if path.suffix == ".md":
        front = _FRONT.fullmatch(text)
        about, content = (_mapping(front[1]), front[2]) if front else ({}, text)
        body = None
    else:
        about, content = _mapping(text), ""
        body = about.get("body")
        if not isinstance(body, list) or not all(isinstance(each, dict) and each.get("type") for each in body):
            return None
    if not isinstance(about.get("name"), str) or not about["name"].strip():
        return None
    labels = about.get("labels") or []
    return {
        **{key: str(about.get(key) or "") for key in ("name", "title", "about")},
        "ref": _BRANCHES + str(about.get("ref") or "").removeprefix(_BRANCHES),
        "labels": labels if isinstance(labels, list) else [one.strip() for one in str(labels).split(",")],
        "content": content,
        "body": body and [_field(each) for each in body],
    }


def _field(given: dict[str, Any]) -> Row:
    kind = str(given["type"])
    return {
        "type": kind,
        "id": str(given.get("id") or ""),
        "attributes": given.get("attributes") or {},
        "validations": given.get("validations") or None,
        "visible": given.get("visible") or (["form"] if kind == "markdown" else ["form", "content"]),
    }


def _mapping(text: str) -> dict[str, Any]:
    """A YAML mapping, empty for anything else; aliases are refused, as they can make much of little."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            return {}
        read = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
