"""When a delivery goes out: the queues of a real forge doze off when nothing happens.

Seen on Forgejo 10, 17 and Gitea 1.26: 0.15 s after a busy moment, up to 2 s after a quiet one, and the same
again for a push, which passes two queues. So a push can be overtaken by what happened after it.
"""

from __future__ import annotations

from forge.embedded.instance import ForgeInstance

_AWAKE = 0.05
"""Seconds that a queue stays awake."""
_NAP = 2.0
_FIRST = {"push": 0.45, "hook": 0.0}
"""Two queues do not wake at the same moments; in naps."""


def due(site: ForgeInstance, *, pushed: bool) -> float:
    """The time at which a new delivery goes out; at once without `idleness`."""
    now = site.clock()
    if site.idleness <= 0:
        return now + site.hook_delay
    if pushed:
        now = _wakes(site, now, "push")
    return _wakes(site, now, "hook") + site.hook_delay


def _wakes(site: ForgeInstance, now: float, queue: str) -> float:
    """When the queue looks next: from its last work on it naps again and again."""
    nap = _NAP * site.idleness
    last = site.woken.get(queue, _FIRST[queue] * nap)
    awake = 0 <= now - last <= _AWAKE * site.idleness
    wakes = now if awake else now + (last - now) % nap
    site.woken[queue] = wakes
    return wakes
