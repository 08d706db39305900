"""The checklist for a change of a configuration: what an operator should look at before merging. Pure: no I/O.

It refuses nothing. What a configuration may not say is an error of its file; this is what it may say, and somebody should notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bots.configurations import PolicyPoint
from bots.money import dollars
from hive.agent.engines import scripted
from hive.config import EVERYDAY
from hive.reconcile.build import BASE, DECLARATION, PROMPT, Plan

READ = frozenset({DECLARATION, PROMPT, "agent.nix", "identity.md", "README.md", scripted.FILE})
"""Files of a configuration that somebody reads; everything below `prompts/` is among them."""

OWN = "It stays within the agent's own files and lane"
PACKAGES = "Its packages are for the work of an agent"
SIMPLER = "Nothing in it is there already"
OTHERS = "It gives the agent no more than it had"

_ROOT = "acts as another user, which no container has"
_CONTAINERS = "runs containers, for which a container has no right"
_NETWORK = "talks to other machines, and a container has no network"
_INSTALLS = "installs what no merge approved, and a container has no network"
_SYSTEM = "changes the system around a container, for which it has no right"
BROAD: Mapping[str, str] = {
    **dict.fromkeys(("doas", "pkexec", "su", "sudo"), _ROOT),
    **dict.fromkeys(("buildah", "docker", "kubectl", "nerdctl", "podman", "runc"), _CONTAINERS),
    **dict.fromkeys(("curl", "nc", "ncat", "rsync", "scp", "socat", "ssh", "telnet", "wget"), _NETWORK),
    **dict.fromkeys(("apt", "apt-get", "cargo", "dpkg", "gem", "nix", "nix-env", "npm", "pip", "pip3", "rpm"), _INSTALLS),
    **dict.fromkeys(("bwrap", "chroot", "mount", "nsenter", "systemctl", "systemd-run", "umount", "unshare"), _SYSTEM),
}  # fmt: skip
"""Programs that reach beyond an agent's task, and why each hardly helps it."""


def checklist(old: Plan | None, new: Plan, paths: Iterable[str]) -> tuple[PolicyPoint, ...]:
    """The four questions about a change from one configuration to another that touches some paths."""
    return (
        PolicyPoint(OWN, tuple(_beyond_own(old, new, paths))),
        PolicyPoint(PACKAGES, tuple(f"{name}: it {BROAD[name]}" for name in _added(old, new) if name in BROAD)),
        PolicyPoint(SIMPLER, tuple(_redundant(old, new))),
        PolicyPoint(OTHERS, tuple(_grown(old, new))),
    )


def _added(old: Plan | None, new: Plan) -> list[str]:
    before = () if old is None else old.spec.packages
    return [name for name in dict.fromkeys(new.spec.packages) if name not in before]


def _beyond_own(old: Plan | None, new: Plan, paths: Iterable[str]) -> Iterator[str]:
    for path in sorted(paths):
        if path not in READ and not path.startswith("prompts/"):
            yield f"{path}: nothing reads it"
    if old is not None and old.spec.lane != new.spec.lane:
        yield f"the lane: {old.spec.lane} → {new.spec.lane}"


def _redundant(old: Plan | None, new: Plan) -> Iterator[str]:
    for name in _added(old, new):
        if name in BASE:
            yield f"{name}: every container has it"
    twice = {name for name in new.spec.packages if new.spec.packages.count(name) > 1}
    yield from (f"{name}: it stands there twice" for name in sorted(twice))


def _grown(old: Plan | None, new: Plan) -> Iterator[str]:
    """What makes an agent more powerful, or another one; a first configuration is compared with the usual one."""
    before = EVERYDAY if old is None else old.spec.capabilities
    yield from (f"it may {word}" for word in new.spec.capabilities if word not in before)
    if old is None:
        return
    if old.spec.role != new.spec.role:
        yield f"its role: {old.spec.role} → {new.spec.role}"
    if (old.spec.engine, old.spec.command) != (new.spec.engine, new.spec.command):
        yield "another engine or command works on its turns"
    if old.spec.prompt != new.spec.prompt:
        yield "what it is told"
    if old.spec.env != new.spec.env:
        yield "the environment of its commands"
    caps, own = dict(old.spec.budget), dict(new.spec.budget)
    for name in sorted({*caps, *own}):
        if name in caps and own.get(name, caps[name] + 1) > caps[name]:
            yield f"its budget.{name}: {dollars(caps[name])} → {dollars(own[name]) if name in own else 'no cap of its own'}"
