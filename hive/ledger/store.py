"""The ledger as one thing: its parts over one database file."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path
from sqlite3 import Connection

from forge.models import User
from hive.ledger.audit import Audit
from hive.ledger.backlog import Backlog
from hive.ledger.bases import Bases
from hive.ledger.breakers import Breakers
from hive.ledger.broker_calls import BrokerCalls
from hive.ledger.budgets import Budgets
from hive.ledger.cascades import Cascades
from hive.ledger.conversations import Conversations
from hive.ledger.corrections import Corrections
from hive.ledger.database import WORTH_ROWS, Clock, Database
from hive.ledger.dead_letters import DeadLetters
from hive.ledger.deliveries import Deliveries
from hive.ledger.deployments import Deployments
from hive.ledger.effects import Effects
from hive.ledger.incidents import Incidents
from hive.ledger.issue_index import IssueIndex
from hive.ledger.job_history import JobHistory
from hive.ledger.jobs import Jobs
from hive.ledger.mailbox import WaitingMessages
from hive.ledger.model_answers import ModelAnswers
from hive.ledger.progress import Progress
from hive.ledger.proposals import Proposals
from hive.ledger.pruning import Pruning
from hive.ledger.questions import Questions
from hive.ledger.ready_queue import ReadyQueue
from hive.ledger.recordings import Recordings
from hive.ledger.repositories import Repositories
from hive.ledger.review_lessons import ReviewLessons
from hive.ledger.review_memory import ReviewMemory
from hive.ledger.rosters import Rosters
from hive.ledger.run_states import RunStates
from hive.ledger.runs import Runs
from hive.ledger.snapshots import Snapshots
from hive.ledger.spending import SpendingReport
from hive.ledger.standing import AgentStandings
from hive.ledger.status_issues import StatusIssues
from hive.ledger.suspensions import Suspensions
from hive.ledger.transcripts import Transcripts
from hive.ledger.triage_notes import TriageNotes
from hive.ledger.verdict_retries import VerdictRetries
from hive.ledger.verdicts import Verdicts


class Ledger:
    """All parts, sharing transactions: what is done inside `transaction()` is done whole or not at all."""

    def __init__(self, path: Path, clock: Clock = time.time) -> None:
        """Open or create the file; raises OSError if it cannot be written."""
        self._db = Database(path)
        self.clock = clock
        self.deliveries = Deliveries(self._db, clock)
        self.jobs = Jobs(self._db, clock)
        self.snapshots = Snapshots(self._db)
        self.repositories = Repositories(self._db)
        self.effects = Effects(self._db, clock)
        self.suspensions = Suspensions(self._db, clock)
        self.job_history = JobHistory(self._db)
        self.recordings = Recordings(self._db, clock)
        self.breakers = Breakers(self._db, clock)
        self.dead_letters = DeadLetters(self._db, clock)
        self.backlog = Backlog(self._db, clock)
        self.runs = Runs(self._db, clock)
        self.mailbox = WaitingMessages(self._db, clock)
        self.broker_calls = BrokerCalls(self._db, clock)
        self.questions = Questions(self._db, clock)
        self.corrections = Corrections(self._db, clock)
        self.issue_index = IssueIndex(self._db, clock)
        self.triage_notes = TriageNotes(self._db, clock)
        self.ready_queue = ReadyQueue(self._db, clock)
        self.conversations = Conversations(self._db)
        self.transcripts = Transcripts(self._db, clock)
        self.run_states = RunStates(self._db)
        self.budgets = Budgets(self._db, clock)
        self.spending = SpendingReport(self._db, clock)
        self.progress = Progress(self._db, clock)
        self.verdicts = Verdicts(self._db)
        self.verdict_retries = VerdictRetries(self._db, clock)
        self.model_answers = ModelAnswers(self._db, clock)
        self.review_lessons = ReviewLessons(self._db, clock)
        self.review_memory = ReviewMemory(self._db, clock, self.review_lessons)
        self.deployments = Deployments(self._db, clock)
        self.proposals = Proposals(self._db, clock)
        self.rosters = Rosters(self._db, clock)
        self.bases = Bases(self._db, clock)
        self.cascades = Cascades(self._db, clock)
        self.status_issues = StatusIssues(self._db)
        self.standings = AgentStandings(self._db, clock)
        self.incidents = Incidents(self._db, clock)
        self.audit = Audit(self._db, clock)
        self.pruning = Pruning(self._db)

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[Connection]:
        """One transaction over all parts; one that is not `durable` need not outlive a power cut."""
        return self._db.transaction(durable=durable)

    def wait_at_most(self, seconds: float) -> None:
        """Set how many seconds new threads wait for other writers; sqlite3.OperationalError after that."""
        self._db.retry = seconds

    def checkpoint(self, *, worth: int = WORTH_ROWS) -> None:
        """Bring what was committed from the log into the file, if it is so many rows."""
        self._db.checkpoint(worth=worth)

    def expire_leases(self) -> None:
        """Expire the leases of jobs and effects, when no worker is alive: they can be claimed at once."""
        self.jobs.expire_leases()
        self.effects.expire_leases()

    def probe(self) -> None:
        """Write a row; raises sqlite3.Error if that is not possible now."""
        with self._db.transaction(durable=False):
            self.deliveries.move_cursor("probe", f"{self.clock():.0f}")

    def forget(self, before: float) -> int:
        """Delete some bodies from before a time; returns how many, 0 when none is left."""
        return (
            self.deliveries.drop_bodies(before)
            + self.recordings.delete_before(before)
            + self.transcripts.delete_before(before)
        )

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy to a new file while others write on; raises OSError, DatabaseError if it is damaged."""
        self._db.copy_to(path)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def pin(self, forge: str, user: User) -> bool:
        """Remember by which id a login is known; False if it is known by another one."""
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO identities (forge, login, user_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (forge, user.login, user.id),
            )
        return self.identity(forge, user.login) == user

    def identity(self, forge: str, login: str) -> User | None:
        """The account that was pinned for a login."""
        row = self._db.row("SELECT user_id FROM identities WHERE forge = ? AND login = ? COLLATE NOCASE", forge, login)
        return None if row is None else User(row["user_id"], login)
