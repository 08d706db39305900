"""The poller: finds what webhooks missed, and records it the same way.

    poller.py              one poll of an organisation: what to check, bounded, stored in one transaction
    repository.py          what changed in a repository: its name, refs and releases
    subject.py             what changed on an issue or pull request
    refresher.py           the same for one subject, when a delivery only names it
    recorder.py            changes into the ledger, each once, and the events that bots get
    snapshots.py           repositories and subjects as they were at the last poll
    sources.py             requests that may fail alone; a refused one is not repeated for a while
    health.py              how the polls of an organisation go, for doctors and health checks
    repository_tracker.py  where repositories are, by their ids

A webhook without the id of what happened asks for a refresh, so both ways make the same keys. A poll sees the current
state, not each step on the way; docs/polling.md lists what it cannot see.
"""

from hive.poller.health import PollerHealth
from hive.poller.health import of as state_of
from hive.poller.pass_result import PollResult
from hive.poller.poller import OVERLAP, Poller
from hive.poller.recorder import REFRESH, PollerDeps
from hive.poller.refresher import SubjectRefresher, start_watching

__all__ = [
    "OVERLAP",
    "REFRESH",
    "PollResult",
    "Poller",
    "PollerDeps",
    "PollerHealth",
    "SubjectRefresher",
    "start_watching",
    "state_of",
]
