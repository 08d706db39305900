"""Who owns the code that a pull request changes: the patterns of a CODEOWNERS file are regular expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from forge.embedded.git import Git
from forge.embedded.instance import ForgeInstance
from forge.embedded.services import people
from forge.embedded.state import Row

_PLACES = ("CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS", ".forgejo/CODEOWNERS")


def owners(site: ForgeInstance, git: Git, at: str, paths: Iterable[str]) -> list[Row]:
    """The users whom the file at a commit names for any of these paths, in order."""
    text = _read(git, at)
    changed = list(paths)
    logins: dict[str, None] = {}
    for line in text.splitlines():
        pattern, *names = line.partition("#")[0].split()
        if names and any(_owns(pattern, path) for path in changed):
            logins |= dict.fromkeys(name.removeprefix("@") for name in names)
    found = [people.find(site, login) for login in logins]
    return [user for user in found if user and not user["is_org"]]


def _read(git: Git, at: str) -> str:
    for place in _PLACES:
        for entry in git.tree(at, place):
            if entry.kind == "blob":
                return "\n".join(
                    line
                    for line in git.blob(entry.sha).decode(errors="replace").splitlines()
                    if line.strip() and line[0] != "#"
                )
    return ""


def _owns(pattern: str, path: str) -> bool:
    negative = pattern.startswith("!")
    try:
        return bool(re.fullmatch(pattern.removeprefix("!"), path)) != negative
    except re.error:
        return False
