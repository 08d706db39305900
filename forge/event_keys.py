"""Keys by which two events are the same, whether they came by webhook or polling. Performs no I/O.

A key consists of ids that the forge never reuses, so that a webhook and a poll make the same key. Most payloads
contain no such id: they have no key, and only the timeline gives them one.
"""

from __future__ import annotations

from hashlib import sha256

UNKNOWN = ""
"""The key of a delivery that does not identify what happened: the subject has to be refreshed."""


def opened(forge: str, repo_id: int, number: int) -> str:
    """An issue or pull request is opened once; a repository's name can be taken again, its id cannot."""
    return f"opened:{forge}:{repo_id}#{number}"


def merged(forge: str, repo_id: int, number: int) -> str:
    """A pull request is merged once."""
    return f"merged:{forge}:{repo_id}#{number}"


def deleted(forge: str, repo_id: int, number: int) -> str:
    """An issue is deleted once, and its number is not given again."""
    return f"deleted:{forge}:{repo_id}#{number}"


def commented(forge: str, comment_id: int) -> str:
    """A comment is posted once."""
    return f"comment:{forge}:{comment_id}"


def row(forge: str, row_id: int) -> str:
    """A row of a timeline: everything that happens to a subject adds one, with an id of its own."""
    return f"timeline:{forge}:{row_id}"


def reviewed(forge: str, review_id: int) -> str:
    """A review is submitted once."""
    return f"review:{forge}:{review_id}"


def remarked(forge: str, remark_id: int) -> str:
    """A remark on a line is written once."""
    return f"remark:{forge}:{remark_id}"


def stated(forge: str, repo_id: int, sha: str, number: int) -> str:
    """Commit statuses are only ever added; what the API calls their id counts from one on each commit."""
    return f"status:{forge}:{repo_id}:{sha}:{number}"


def digest(text: str) -> str:
    """The digest of a text, since a key is one short line."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
