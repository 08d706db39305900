"""Checks that a token has no rights that its account does not need, by a few requests. Changes nothing."""

from __future__ import annotations

from forge.gitea.client import route
from forge.gitea.permission_probe import opens
from forge.gitea.reader import GiteaReader


def excess_scopes(reader: GiteaReader, org: str, *, core: bool) -> str:
    """Excess rights of a token; empty if there are none.

    Each of these needs a scope of its own; only `core` needs organisations.
    """
    doors = {"notifications": "/notifications/new"} | ({} if core else {"organisations": route("orgs", org)})
    return ", ".join(name for name, at in doors.items() if opens(reader, at))
