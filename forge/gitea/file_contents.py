"""Files as the contents API hands them out, and as git names them. Performs no I/O."""

from __future__ import annotations

import hashlib
from base64 import b64decode

from forge.gitea.json_value import JsonValue
from forge.protocol import Invalid


def name(content: bytes, like: str) -> str:
    """The name of a blob in git, by the hash of the repository that `like` comes from."""
    blob = b"blob %d\0" % len(content) + content
    if len(like) == 64:
        return hashlib.sha256(blob).hexdigest()
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest()


def is_named(content: bytes, sha: str) -> bool:
    """Whether git calls this content by that name."""
    return bool(sha) and name(content, sha) == sha


def content(entry: JsonValue) -> bytes:
    """The bytes of a file; raises Invalid for one that the forge names but does not hand out."""
    text, size, sha = entry["content"].words(), entry["size"].number(), entry["sha"].sha()
    try:
        found = b64decode(text)
    except ValueError as error:
        raise entry["content"].wrong("is not base64") from error
    if size and not found:
        raise Invalid(f"{entry.name}: larger than the forge hands out")
    if not is_named(found, sha):
        raise entry["content"].wrong("is not what git has under that name")
    return found
