"""How agents are confined, and what an operator is told about it. Fails closed."""

from __future__ import annotations

import os
from dataclasses import replace

from hive.config import Settings
from hive.instance.instance import StartupError
from hive.reconcile.backends import Backend, NoBackend, Nspawn, Podman, find
from hive.reconcile.backends.package_roots import FOLDER, TOOL, PackageRoots, tool
from hive.reconcile.limiter import Limiter

OF_PACKAGES = ("nspawn", "podman")
FIX = {"bubblewrap": "install bubblewrap and allow user namespaces"}
ELSE = "provide what is missing, or set `sandbox: bubblewrap`"
NO_SANDBOX = "no agent is started, because nothing confines it here ({why}): {fix}; docs/operate.md, “The sandbox”"
UNCONFINED = "agents are NOT contained (sandbox: none): they can read and do all that this user can, secrets too"
ROOT = "the hive runs as ROOT: give it a user of its own; each agent has unprivileged users of its own either way"


UNLIMITED = "a limit of containers does not hold here: {what}"


def backend_of(settings: Settings) -> Backend:
    """What makes the containers of agents; raises StartupError if it does not work here."""
    try:
        found = find(settings.sandbox)
    except NoBackend as error:
        raise StartupError(NO_SANDBOX.format(why=str(error)[:200], fix=fix_of(settings))) from error
    return replace(found, roots=package_roots(settings)) if isinstance(found, Nspawn | Podman) else found


def has_units(settings: Settings) -> bool:
    """Whether each container is a unit of the service manager, which holds its limits."""
    return settings.sandbox == "nixos-container"


def package_roots(settings: Settings) -> PackageRoots | None:
    """What makes the root directories of containers of packages; None where they see this host's programs."""
    program = tool()
    if settings.sandbox not in OF_PACKAGES or not settings.root.suite or program is None:
        return None
    return PackageRoots(settings.state / FOLDER, settings.root, program)


def packages_path(settings: Settings) -> tuple[str, ...]:
    """Where this host's programs are looked for; nowhere if containers do not see them."""
    return settings.packages_path if package_roots(settings) is None else ()


def no_roots(settings: Settings) -> str:
    """Why containers see this host's programs although `root` says otherwise; empty if they do not."""
    if not settings.root.suite or package_roots(settings) is not None:
        return ""
    return (
        "`root` is for `sandbox: nspawn` and `podman`"
        if settings.sandbox not in OF_PACKAGES
        else f"{TOOL} is not installed"
    )


def fix_of(settings: Settings) -> str:
    """What an operator can do where the backend of this configuration does not work."""
    return FIX.get(settings.sandbox, ELSE)


def remarks(settings: Settings) -> list[str]:
    """Warnings about the user that runs this hive, and about limits that cannot be had here."""
    said = [ROOT] if os.geteuid() == 0 else []
    said += [
        UNLIMITED.format(what=what) for what in Limiter.find(settings.limits, by_unit=has_units(settings)).lacking()
    ]
    return [*said, UNCONFINED] if settings.sandbox == "none" else said
