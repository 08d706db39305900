"""What an artifact is made from, and the name of it."""

from __future__ import annotations

import hashlib
from typing import Self


class Generation(str):
    """A commit of a configuration on a base, as the name of its artifact: 40 hexadecimal digits, empty without a commit.

    Without a base that is the commit itself; with one it is a digest of both, so that one commit on two bases is two artifacts.
    """

    __slots__ = ("base", "commit")
    commit: str
    base: str

    def __new__(cls, commit: str, base: str = "") -> Self:
        """Name the artifact of a commit on the base of a digest."""
        name = hashlib.sha256(f"{commit} {base}".encode()).hexdigest()[:40] if commit and base else commit
        made = super().__new__(cls, name)
        made.commit, made.base = commit, base
        return made
