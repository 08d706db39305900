"""The keys by which two events are the same event, however they were learnt. Performs no I/O.

A key is made of ids that the forge gave and never gives again, so that a webhook and a sweep that
meet the same thing make the same key of it. Most payloads carry no such id: what they tell has no
key, and only a look at the timeline gives it one.
"""

from __future__ import annotations

from hashlib import sha256

UNKNOWN = ""
"""The key of what a delivery tells without saying which happening it is: go and look."""


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
    """A row of a timeline: whatever happens to a conversation leaves one, and each has its own id."""
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
    """What stands for a text that people wrote: a key is one short line."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
