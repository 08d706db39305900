"""The receiver: takes deliveries, checks them, writes them down, answers. Calls no forge, model or host.

    http_loop.py  sockets, one thread; http_head.py reads HTTP, limits.py says which connection is closed first
    ingest.py     verifies deliveries and stores a batch in one synced transaction, then answers
    health.py     /healthz and /livez
    receiver.py   puts the three together

A forge tries each delivery once and lets all others wait behind a slow receiver (five seconds at
the most, seen on Forgejo 10, 17 and Gitea 1.26). So nothing is decided here that can be decided
later: a delivery that bears the signature is on the disk when it is answered, and the worker reads it.
"""

from hive.web.ingest import IngestDeps, WebhookEndpoint
from hive.web.limits import ReceiverLimits
from hive.web.receiver import Receiver

__all__ = ["IngestDeps", "Receiver", "ReceiverLimits", "WebhookEndpoint"]
