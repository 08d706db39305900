"""The agent behind a container's sockets, and what of the host it may reach. The socket is the principal.

It holds no operator's power: everything in it is one agent's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from bots.holds import WorkHold
from forge.models import Repo
from hive.gateway.agent_backoff import AgentBackoff
from hive.gateway.outbound import Outbound
from hive.gateway.push_check import PushCheck
from hive.git_mirror.mirror import Login
from hive.ledger import Ledger, Turn
from hive.queue.wakeup import WakeupBroadcast


@dataclass(frozen=True, slots=True)
class AgentSession:
    """The agent of a socket, and what it may reach.

    `knowledge` is read-only. `epoch` is a number that changes when the container ends, `serves` is whether it may hold a turn
    of a run. `login` is called each time, as its token may be rotated. `base` is a repository's default branch, `brief`
    makes a turn's JSON, `address` is the repository's path on the forge: all raise OSError while the forge is unavailable,
    or a repository is missing. `capabilities` are those of the running container's configuration. `status` tells how a run stands on the
    forge, raising OSError; `log` the last lines of a container of the team, control characters escaped, None if there is none. `outbound` looks through what it says, `push` through what it pushes, None if it may push nothing. `hold` is what keeps a run from pushing or speaking now, None for nothing; it raises OSError. `peers` are the agents of the team. `woken` wakes those who wait for the result of an effect, or for a turn.
    """

    agent: str
    team: str
    login: Callable[[], Login]
    forge_url: str
    config_repo: Repo
    ledger: Ledger
    wake: Callable[[int], None]
    heard: Callable[[str, str, str], object]
    epoch: Callable[[], int]
    stop: threading.Event
    rest: AgentBackoff
    base: Callable[[Repo], str]
    brief: Callable[[Turn], dict[str, Any]]
    capabilities: Callable[[], frozenset[str]]
    outbound: Outbound
    push: PushCheck | None = None
    serves: Callable[[int], bool] = bool
    status: Callable[[Turn], dict[str, Any]] = lambda _: {}
    log: Callable[[str, int], str | None] = lambda *_: None
    hold: Callable[[Turn], WorkHold | None] = lambda _: None
    woken: WakeupBroadcast = field(default_factory=WakeupBroadcast)
    knowledge: Repo | None = None
    peers: Callable[[], Collection[str]] = tuple
    address: Callable[[Repo], str] = lambda repo: repo.path
