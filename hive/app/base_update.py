"""`hive base update`, and the host's own look: has the host changed below what operators merged as the base of all containers?"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hive.config.base_yaml import Base
from hive.instance.instance import Instance, StartupError
from hive.outbox.actions import ProposeBaseUpdate
from hive.outbox.enqueue import enqueue
from hive.reconcile.base_file import base_of
from hive.reconcile.base_lock import lock_differences, lock_of
from hive.reconcile.build import BuildFailed
from hive.worker.worker import EFFECT

log = logging.getLogger("hive.app.base_update")

EACH_SECONDS = 300.0
NIXOS, NIXPKGS = "nixos-container", Path("/etc/forgehive/nixpkgs")
SAME = "{meta} on {forge}: the base says what the host holds"
PROPOSED = "{meta} on {forge}: `hive work` opens a pull request on base.yaml there; an operator's merge rolls it out"
BY = "base"


def update(instance: Instance) -> Iterator[str]:
    """Propose what this host holds now as the base, on each forge where it says otherwise; raises StartupError."""
    for forge in instance.settings.forges:
        base = accepted_base(instance, forge)
        lock = host_lock(instance, base)
        facts = {"meta": instance.settings.meta, "forge": forge}
        said = tuple(lock_differences(dict(base.lock), lock))
        if not said:
            yield SAME.format(**facts)
            continue
        yield from said
        propose(instance, forge, lock, key=f"{instance.ledger.clock():.0f}")
        yield PROPOSED.format(**facts)


def accepted_base(instance: Instance, forge: str) -> Base:
    """The base of a forge that operators merged last; raises StartupError if it cannot be read."""
    try:
        return base_of(instance.ledger, instance.ledger.bases.accepted(forge))
    except BuildFailed as error:
        raise StartupError(f"the base on {forge}: {error}") from error


def host_lock(instance: Instance, base: Base) -> dict[str, str]:
    """What the packages of a base are on this host; raises OSError."""
    settings = instance.settings
    nixpkgs = NIXPKGS if settings.sandbox == NIXOS and NIXPKGS.exists() else None
    return lock_of(base, settings.packages_path, nixpkgs)


def propose(instance: Instance, forge: str, lock: dict[str, str], *, key: str) -> None:
    """Have a pull request opened that says what the packages are; one `key` is one proposal for one lock."""
    settings, words = instance.settings, tuple(sorted(lock.items()))
    digest = Base(lock=words).digest[:12]
    action = ProposeBaseUpdate(settings.meta_of(forge), words, key=f"{forge}:{digest}:{key}")
    effect = enqueue(instance.ledger, settings.first_team(forge), settings.account("core"), action, by=BY)
    instance.queue.push(EFFECT, effect)
    instance.wakeup.notify()


@dataclass
class BaseWatch:
    """Looks every few minutes whether what operators merged is what the host holds, and proposes it once if not."""

    _next_look: float = 0.0

    def look(self, instance: Instance) -> None:
        """Look if it is time to. Raises OSError, and errors of the ledger."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + EACH_SECONDS
        for forge in instance.settings.forges:
            try:
                base = accepted_base(instance, forge)
            except StartupError as error:
                log.warning("base_unreadable error=%r", str(error)[:300])
                continue
            if not base.lock:  # nobody wants to know
                continue
            lock = host_lock(instance, base)
            if dict(base.lock) != lock and instance.ledger.cascades.open() == []:
                propose(instance, forge, lock, key=base.digest[:12])
