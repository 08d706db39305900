"""The ledger: one SQL database of pending work, its holders and its results.

deliveries   what a forge sent, complete
changes      what happened on a forge, as polling found it, and snapshots of repositories and subjects
jobs         a bot handles an event
effects      the outbox: actions on a forge or on the ledger
suspensions  whose jobs, effects and turns are suspended, why and since when
breakers     subjects that machines wrote to too often, until an operator resumes them
runs, turns  an agent's work on an issue, and each message of it
bookings     what each answer of a model cost; holds are reservations, spending the sums that caps are compared with
transcripts  the conversation of a run with its model, line by line
broker_calls which calls a run made on its broker, as far as they are limited by number
progress     what people are shown of a run while it goes on, and which comment shows it
questions    what runs asked people, kept for ever, and what came of it
conversations on which lines of a pull request a run was notified, until they are resolved
deployments  attempts to run another commit; baselines are the last approved ones
proposals    heads of configurations that were evaluated while their pull requests were open
reviews      rounds of reviews with their findings; dismissals say which of these operators do not want, facts what became of each;
             model_answers are paid for
rosters      which agents there are, as merged last; spawns were asked for, tombstones are of those that are no more
incidents    what is wrong with the hive itself, from when to when; crashes of containers
recordings   what a bot read for a job, so that its decision can be replayed
causes       which event, job, effect, run or turn caused which, and the event that an effect caused
repositories names of repositories by id, and the forge's current ones
audit        who did what, where; kept for `keep.row_days`, at least as long as its cause

Every decision is written here before it is performed, so that any process may be killed
at any instruction. Performs no I/O except on its own database.
"""

from hive.ledger.audit import Act, Audit, AuditRow
from hive.ledger.backlog import Backlog, BacklogItem
from hive.ledger.budgets import Budgets
from hive.ledger.caps import (
    SCOPES,
    BudgetScope,
    CapBusy,
    CapReached,
    Caps,
    CapWarning,
    Hold,
    OverCap,
    Period,
    Quote,
    Spender,
    TokenCounts,
)
from hive.ledger.cascades import Cascade, Cascades, CascadeStep, StepState
from hive.ledger.compression import compress, decompress
from hive.ledger.database import Clock, Database, StaleLease
from hive.ledger.deliveries import Deliveries
from hive.ledger.deployments import Baseline, Deployment, Deployments, DeploymentState
from hive.ledger.effects import Effect, Effects
from hive.ledger.generation import Generation
from hive.ledger.jobs import ConcurrencyLimit, Job, Jobs, Origin, Priority
from hive.ledger.progress import ProgressItem, RunProgress, ShownProgress
from hive.ledger.questions import CANCELLED, EXPIRED, Question
from hive.ledger.repositories import PinnedRepository
from hive.ledger.review_memory import Dismissal
from hive.ledger.rosters import AcceptedRoster, Rosters, SpawnRequest, Tombstone
from hive.ledger.run_states import RunState, RunStates
from hive.ledger.runs import Run, Runs, Turn
from hive.ledger.spending import BookedAnswer, RunSpending, SpendingReport, SpendingRow
from hive.ledger.store import Ledger
from hive.ledger.suspensions import NEVER, Scope, Suspension, SuspensionReason, Suspensions
from hive.ledger.transcripts import OutOfSequence, TranscriptFull, Transcripts

__all__ = [
    "CANCELLED",
    "EXPIRED",
    "NEVER",
    "SCOPES",
    "AcceptedRoster",
    "Act",
    "Audit",
    "AuditRow",
    "Backlog",
    "BacklogItem",
    "Baseline",
    "BookedAnswer",
    "BudgetScope",
    "Budgets",
    "CapBusy",
    "CapReached",
    "CapWarning",
    "Caps",
    "Cascade",
    "CascadeStep",
    "Cascades",
    "Clock",
    "ConcurrencyLimit",
    "Database",
    "Deliveries",
    "Deployment",
    "DeploymentState",
    "Deployments",
    "Dismissal",
    "Effect",
    "Effects",
    "Generation",
    "Hold",
    "Job",
    "Jobs",
    "Ledger",
    "Origin",
    "OutOfSequence",
    "OverCap",
    "Period",
    "PinnedRepository",
    "Priority",
    "ProgressItem",
    "Question",
    "Quote",
    "Rosters",
    "Run",
    "RunProgress",
    "RunSpending",
    "RunState",
    "RunStates",
    "Runs",
    "Scope",
    "ShownProgress",
    "SpawnRequest",
    "Spender",
    "SpendingReport",
    "SpendingRow",
    "StaleLease",
    "StepState",
    "Suspension",
    "SuspensionReason",
    "Suspensions",
    "TokenCounts",
    "Tombstone",
    "TranscriptFull",
    "Transcripts",
    "Turn",
    "compress",
    "decompress",
]
