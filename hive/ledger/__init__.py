"""The ledger: one SQL database of pending work, its holders and its results.

    deliveries   what a forge sent, whole
    changes      what happened on a forge, as polling found it, and snapshots of how things stood
    jobs         a bot handles an event
    effects      the outbox: actions on a forge or on the ledger
    suspensions  whose jobs, effects and turns are suspended, why and since when
    breakers     subjects on which machines wrote too much, until an operator lets them go on
    runs, turns  an agent's work on an issue, and each message that it has to deal with
    transcripts  what was said and done in a run, line by line
    conversations on which lines of a pull request a run was told something, until that is resolved
    deployments  one commit on one container; baselines say what was approved last
    incidents    what is wrong with the hive itself, from when to when; crashes of containers
    recordings   what a bot was told when it looked, so that its decision can be made again
    causes       what came of what: event, job, effect, run, turn, and the event that an effect made
    repositories which repository bears which name, known by id, and what the forge calls it now
    audit        who did what, where; kept for `keep.row_days` at least as long as what was said

Everything that is decided is written here before it is done, so that any process may be killed
at any instruction. Performs no I/O but on its own database.
"""

from hive.ledger.audit import Act, Audit, AuditRow
from hive.ledger.backlog import Backlog, BacklogItem
from hive.ledger.compression import compress, decompress
from hive.ledger.database import Clock, Database, StaleLease
from hive.ledger.deliveries import Deliveries
from hive.ledger.deployments import Baseline, Deployment, Deployments, DeploymentState
from hive.ledger.effects import Effect, Effects
from hive.ledger.jobs import ConcurrencyLimit, Job, Jobs, Origin, Priority
from hive.ledger.repositories import PinnedRepository
from hive.ledger.run_states import RunState, RunStates
from hive.ledger.runs import Run, Runs, Turn
from hive.ledger.store import Ledger
from hive.ledger.suspensions import NEVER, Scope, Suspension, SuspensionReason, Suspensions
from hive.ledger.transcripts import OutOfSequence, TranscriptFull, Transcripts

__all__ = [
    "NEVER",
    "Act",
    "Audit",
    "AuditRow",
    "Backlog",
    "BacklogItem",
    "Baseline",
    "Clock",
    "ConcurrencyLimit",
    "Database",
    "Deliveries",
    "Deployment",
    "DeploymentState",
    "Deployments",
    "Effect",
    "Effects",
    "Job",
    "Jobs",
    "Ledger",
    "Origin",
    "OutOfSequence",
    "PinnedRepository",
    "Priority",
    "Run",
    "RunState",
    "RunStates",
    "Runs",
    "Scope",
    "StaleLease",
    "Suspension",
    "SuspensionReason",
    "Suspensions",
    "TranscriptFull",
    "Transcripts",
    "Turn",
    "compress",
    "decompress",
]
