"""What webhooks missed: asks a forge what changed, and brings it through the same door.

    known.py      how repositories and subjects stood at the last look
    look.py       one issue or pull request: what happened to it since
    places.py     one repository: its name, its refs, its releases
    record.py     changes into the ledger, each once, and the events that bots hear
    looker.py     the look that a delivery asks for
    sources.py    each question may fail alone, and one that is refused is asked no more
    state.py      how the sweeps fare, for doctors and health checks
    sweeper.py    one pass over an organisation: where to look, bounded, and what is stored is stored together

A webhook that carries no id of what happened asks for the same look, so both doors make the same
keys. A sweep sees how things stand, not each step on the way; docs/polling.md lists what it cannot see.
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
