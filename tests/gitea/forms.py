"""Nouns in the JSON of a forge, for tests that say what a forge says."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from forge.gitea import file_contents
from forge.models import Ref, Repo

PAYLOADS = Path(__file__).parent / "payloads"
APP = Repo.parse("work:acme/app")
ISSUE, PULL = Ref(APP, 12), Ref(APP, 15)
MARK = "<!-- hive:1 -->"
HTML = b"<html>Internal server error</html>"
HEAD, NEXT = "5fd389366ca42011086222b0dd1fc7f9dc0d48d1", "3ab4f0394e7c0ceea1982797282682539987accc"
IRIS, EVE = {"id": 7, "login": "iris"}, {"id": 9, "login": "eve"}


def shape(name: str, key: str, **more: Any) -> dict[str, Any]:
    """A noun of a payload, in the form that the API has as well."""
    return {**json.loads((PAYLOADS / f"{name}.json").read_bytes())[key], **more}


def comment(body: str, user: dict[str, Any] = IRIS, number: int = 546) -> dict[str, Any]:
    return shape("issue_comment.created", "comment", body=body, user=user, id=number)


def issue(**more: Any) -> dict[str, Any]:
    return shape("issues.opened", "issue", **more)


def pull(**more: Any) -> dict[str, Any]:
    return shape("pull_request.opened", "pull_request", **more)


def review(number: int, body: str, state: str = "COMMENT", **more: Any) -> dict[str, Any]:
    said = {"id": number, "user": IRIS, "state": state, "body": body, "commit_id": HEAD}
    return {**said, "submitted_at": "2026-11-21T12:00:00Z", **more}


def label(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "name": name, "color": "00aabb", "description": "", "exclusive": False}


def entry(data: bytes, /, **more: Any) -> dict[str, Any]:
    said = {"type": "file", "size": len(data), "content": b64encode(data).decode(), "encoding": "base64"}
    return {**said, "sha": file_contents.name(data, HEAD), **more}
