"""How one gets into a forge that is there already: its address, and a site admin's login. Asks nothing of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from hive.app.house import NotReady
from hive.settings.names import url as what_is_wrong

PASSWORD = "HIVE_ADMIN_PASSWORD"  # noqa: S105  the name of a variable


@dataclass(frozen=True, slots=True)
class Door:
    """A forge and a site admin of it."""

    url: str
    login: str
    password: str = field(repr=False)


def door(url: str, admin: str | None) -> Door:
    """Read what the command line says: an address, and LOGIN or LOGIN:PASSWORD. Raises NotReady.

    The password may be in HIVE_ADMIN_PASSWORD instead, where no list of processes shows it; it is
    taken out of the environment, which children inherit.
    """
    held = os.environ.pop(PASSWORD, "")
    if "@" in url:
        raise NotReady("--forge takes an address without a login; name the site admin by --admin")
    if reason := what_is_wrong(url):
        raise NotReady(f"--forge {reason}")
    login, _, password = (admin or "").partition(":")
    if not login:
        raise NotReady("--forge needs --admin LOGIN: a site admin makes the accounts of the story")
    if not (password or held):
        raise NotReady(f"set the password of {login} in {PASSWORD}, or say --admin {login}:PASSWORD")
    return Door(url.rstrip("/"), login, password or held)
