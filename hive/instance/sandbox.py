"""How agents are confined, and what an operator is told about it. Fails closed."""

from __future__ import annotations

import os

from hive.config import Settings
from hive.instance.instance import StartupError
from hive.reconcile.bwrap import SandboxProfile, find_sandbox

FIX = "install bubblewrap and allow user namespaces"
NO_SANDBOX = (
    "no agent is started, because nothing confines it here ({why}): " + FIX + "; docs/operate.md, “The sandbox”"
)
UNCONFINED = "agents are NOT contained (sandbox: none): they can read and do all that this user can, secrets too"
ROOT = "the hive runs as ROOT: give it a user of its own; each agent has unprivileged users of its own either way"


def sandbox_profile_of(settings: Settings) -> SandboxProfile:
    """The sandbox of agents; raises StartupError if none works here and `sandbox: none` is not set."""
    if settings.sandbox == "none":
        return SandboxProfile(None, "sandbox: none")
    profile = find_sandbox()
    if not profile.contained:
        raise StartupError(NO_SANDBOX.format(why=profile.why_not[:200]))
    return profile


def remarks(settings: Settings) -> list[str]:
    """Warnings about the user that runs this hive."""
    said = [ROOT] if os.geteuid() == 0 else []
    return [*said, UNCONFINED] if settings.sandbox == "none" else said
