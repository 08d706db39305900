"""How one gets into a forge that is there already: its address, and a site admin's login. Asks nothing of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from hive.config.naming import url as what_is_wrong
from hive.instance.instance import StartupError

PASSWORD = "HIVE_ADMIN_PASSWORD"  # noqa: S105  the name of a variable


@dataclass(frozen=True, slots=True)
class ForgeAccess:
    """A forge and a site admin of it."""

    url: str
    login: str
    password: str = field(repr=False)


def forge_access(url: str, admin: str | None) -> ForgeAccess:
    """Parse the command line: an address, and LOGIN or LOGIN:PASSWORD. Raises StartupError.

    The password may be in HIVE_ADMIN_PASSWORD instead, where no process list shows it; it is
    removed from the environment, which children inherit.
    """
    held = os.environ.pop(PASSWORD, "")
    if "@" in url:
        raise StartupError("--forge takes an address without a login; name the site admin by --admin")
    if reason := what_is_wrong(url):
        raise StartupError(f"--forge {reason}")
    login, _, password = (admin or "").partition(":")
    if not login:
        raise StartupError("--forge needs --admin LOGIN: a site admin makes the accounts of the story")
    if not (password or held):
        raise StartupError(f"set the password of {login} in {PASSWORD}, or say --admin {login}:PASSWORD")
    return ForgeAccess(url.rstrip("/"), login, password or held)
