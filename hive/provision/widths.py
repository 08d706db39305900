"""Does a token open doors that its account does not need? Asks at a few of them; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from forge.gitea.read import GiteaReader
from forge.gitea.trial import opens

DOORS: Mapping[str, str] = {
    "notifications": "/notifications/new",
    "organisations": "/orgs",
}
"""What no account of the hive but `core` has any business with: each takes a scope of its own."""


def width(reader: GiteaReader, core: bool) -> str:
    """What is open that should not be; empty for a token that is as narrow as it looks."""
    doors = {name: at for name, at in DOORS.items() if not (core and name == "organisations")}
    return ", ".join(name for name, at in doors.items() if opens(reader, at))
