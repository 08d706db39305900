"""Backends: what makes the containers of this host. Each is one module that `BACKENDS` names, and `sandbox` in `hive.yaml`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hive.reconcile.backends.backend import Backend, Command, NoBackend
from hive.reconcile.backends.bounds import Bounds
from hive.reconcile.backends.bubblewrap import Bubblewrap
from hive.reconcile.backends.nixos_container import NixosContainer
from hive.reconcile.backends.nspawn import Nspawn
from hive.reconcile.backends.podman import Podman
from hive.reconcile.backends.unconfined import Unconfined

__all__ = [
    "BACKENDS",
    "Backend",
    "Bounds",
    "Bubblewrap",
    "Command",
    "NixosContainer",
    "NoBackend",
    "Nspawn",
    "Podman",
    "Unconfined",
    "find",
    "look_for",
]

BACKENDS: Mapping[str, Callable[[], Backend]] = {
    "bubblewrap": Bubblewrap.find,
    "nspawn": Nspawn.find,
    "podman": Podman.find,
    "nixos-container": NixosContainer.find,
    "none": Unconfined.find,
}
"""What finds each backend on this machine, or raises NoBackend."""


def find(name: str) -> Backend:
    """The backend of a name, tried by running a command in it; raises NoBackend with the reason if it does not work."""
    return BACKENDS[name]()


def look_for(name: str) -> tuple[Backend | None, str]:
    """The backend of a name, or None and the reason why this machine has none."""
    try:
        return find(name), ""
    except NoBackend as error:
        return None, str(error)
