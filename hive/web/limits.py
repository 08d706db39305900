"""How much a receiver holds, and who makes room where it is too little. Closes nothing itself."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hive.web.http_messages import Connection

OWN_FILES = 128
"""Descriptors that are reserved for other uses than connections."""


@dataclass(frozen=True, slots=True)
class ReceiverLimits:
    """Limits of a receiver over all peers: connections, bytes of unfinished requests, and time.

    There is no limit for a single peer, since a forge behind a proxy is one peer with everything: if there is not enough
    for all, the peer with the largest share is evicted, its slowest connection first.
    """

    connections: int = 1024
    held: int = 64 * 1024 * 1024
    first_seconds: float = 10.0
    """How long a new connection may be silent."""
    request_seconds: float = 20.0
    """How long a request may take from its first byte to its last."""

    @classmethod
    def here(cls) -> ReceiverLimits:
        """The usual ones, as far as this process may open files: the ledger and the secrets need some as well."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls() if files == resource.RLIM_INFINITY else cls(max(1, min(1024, files - OWN_FILES)))


def worst_first(connections: Iterable[Connection], share: Callable[[Connection], int]) -> list[Connection]:
    """Connections in the order in which they make room: the unproven before the proven, those of the peer with the greatest share first, the longest waited for first."""
    found = list(connections)
    of_peer: Counter[str] = Counter()
    for connection in found:
        of_peer[connection.peer] += share(connection)
    return sorted(found, key=lambda c: (c.proven, -of_peer[c.peer], c.since))
