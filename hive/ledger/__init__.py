"""The ledger: one SQL database that knows what is owed, to whom, and what was done.

    deliveries   what a forge sent, whole
    changes      what happened on a forge, as sweeps and looks found it; how things stood then
    jobs         a bot owes a look at a ref
    effects      a deed is owed to a forge
    suspensions  whose jobs, effects and turns are suspended, why and since when
    breakers     subjects on which machines wrote too much, until an operator lets them go on
    runs, turns  an agent's work on an issue, and each message that moves it
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
from hive.ledger.database import Clock, Database, Lost
from hive.ledger.deployments import Anchor, Deployment, Deployments, DeploymentState
from hive.ledger.effects import Effect, Effects
from hive.ledger.intake import Intake
from hive.ledger.jobs import Ceiling, Job, Jobs, Origin, Priority
from hive.ledger.open import Item, Open
from hive.ledger.packing import pack, unpack
from hive.ledger.parking import NEVER, Parked, Parking, Scope, Why
from hive.ledger.repositories import Pinned
from hive.ledger.runs import Run, Runs, Turn
from hive.ledger.standings import Standing, Standings
from hive.ledger.store import Ledger
from hive.ledger.transcripts import Astray, Full, Transcripts

__all__ = [
    "NEVER",
    "Act",
    "Anchor",
    "Astray",
    "Audit",
    "AuditRow",
    "Ceiling",
    "Clock",
    "Database",
    "Deployment",
    "DeploymentState",
    "Deployments",
    "Effect",
    "Effects",
    "Full",
    "Intake",
    "Item",
    "Job",
    "Jobs",
    "Ledger",
    "Lost",
    "Open",
    "Origin",
    "Parked",
    "Parking",
    "Pinned",
    "Priority",
    "Run",
    "Runs",
    "Scope",
    "Standing",
    "Standings",
    "Transcripts",
    "Turn",
    "Why",
    "pack",
    "unpack",
]
