"""How the agents of this hive are confined, and what an operator is told about it. Fails closed."""

from __future__ import annotations

import os

from hive.app.house import NotReady
from hive.reconcile.bwrap import Jail, find_jail
from hive.settings import Settings

MEND = "install bubblewrap and allow user namespaces"
NO_SANDBOX = (
    "no agent is started, because nothing confines it here ({why}): " + MEND + "; docs/operate.md, “The sandbox”"
)
UNCONFINED = "agents are NOT contained (sandbox: none): they can read and do all that this user can, secrets too"
ROOT = "the hive runs as ROOT: give it a user of its own; each agent has unprivileged users of its own either way"


def jail_of(settings: Settings) -> Jail:
    """What agents are started in; raises NotReady where nothing confines them and nobody has said that it need not."""
    if settings.sandbox == "none":
        return Jail(None, "sandbox: none")
    jail = find_jail()
    if not jail.contained:
        raise NotReady(NO_SANDBOX.format(why=jail.why_not[:200]))
    return jail


def remarks(settings: Settings) -> list[str]:
    """What whoever starts this hive has to know about who runs it."""
    said = [ROOT] if os.geteuid() == 0 else []
    return [*said, UNCONFINED] if settings.sandbox == "none" else said
