"""Jobs and leases against a model: nothing is lost, nothing has two holders, nobody starves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from forge.events import IssueOpened
from forge.types import Ref, Repo, User
from hive.ledger import Job, Ledger, Lost, Scope, Why
from hive.ledger.intake import LEASE_SECONDS, MAX_ATTEMPTS
from tests.conftest import Clock

Taken = Job | MultipleResults[Job]
APP = Repo("forgejo", "acme", "app")
MARA = User(1, "mara")


class Jobs(RuleBasedStateMachine):
    """Workers that take, end, die and come back late, while time passes and forges go away."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.clock = Clock()
        self.ledger = Ledger(Path(self.directory.name) / "ledger.db", self.clock)
        self.owed: dict[str, int] = {}
        self.leases: dict[int, tuple[Job, float]] = {}
        """Who holds what, by the model: the newest holder of each job and when his lease ends."""
        self.ended: set[int] = set()

    def teardown(self) -> None:
        """Whatever happened, what is owed is looked at when workers live and the forge is there."""
        self.ledger.parking.release("acme", Scope.TEAM, "", Why.FORGE_AWAY)
        for _ in range(len(self.owed) * (MAX_ATTEMPTS + 1) + 1):
            self.clock.pass_(LEASE_SECONDS + 100)
            for number in self.ledger.intake.due():
                job = self.ledger.intake.claim(number)
                assert job is not None, "what is due can be taken"
                self.ledger.intake.finish(job)
        assert self.ledger.intake.due() == []
        with self.ledger.transaction() as db:
            states = dict(db.execute("SELECT id, state FROM jobs").fetchall())
        assert set(states) == set(self.owed.values())
        assert set(states.values()) <= {"done", "failed"}
        self.ledger.close()
        self.directory.cleanup()

    def ours(self, job: Job) -> bool:
        """Whether a holder is the newest one and has not ended."""
        return self.leases.get(job.id, (None,))[0] == job

    @initialize()
    def begin(self) -> None:
        """Two bots owe looks at two subjects."""
        for subject in (1, 2):
            for bot in ("triage", "lane"):
                self.owe(subject, 0, bot)

    @rule(subject=st.integers(1, 2), event=st.integers(0, 3), bot=st.sampled_from(["triage", "lane"]))
    def owe(self, subject: int, event: int, bot: str) -> None:
        """Something happened, perhaps again."""
        key = f"{bot}:{subject}:{event}"
        made = self.ledger.intake.owe("acme", [(bot, IssueOpened(Ref(APP, subject), MARA, f"{subject}:{event}"))])
        assert (key in self.owed) == (made == [])
        if made:
            self.owed[key] = made[0]

    @rule(target=held, place=st.integers(0, 9))
    def take(self, place: int) -> Taken:
        """A worker takes a job, if it can; every other time one that nobody says is due."""
        due = self.ledger.intake.due()
        jobs = due if due and place % 2 else sorted(self.owed.values())
        return self.claim(jobs[place % len(jobs)])

    @rule(target=held, job=held)
    def overtake(self, job: Job) -> Taken:
        """A lease runs out while its holder is still at it, and another worker takes the job."""
        self.pass_(LEASE_SECONDS + 1)
        return self.claim(job.id)

    def claim(self, number: int) -> Taken:
        """Take a job, and see that it could be taken."""
        before, job = self.leases.get(number), self.ledger.intake.claim(number)
        if job is None:
            return multiple()
        assert number not in self.ended, "what has ended is not taken again"
        assert before is None or before[1] < self.clock(), "what is held is not taken"
        self.leases[number] = (job, self.clock() + LEASE_SECONDS)
        return job

    @rule(job=consumes(held), how=st.sampled_from(["finish", "fail", "rest", "postpone", "die"]))
    def end(self, job: Job, how: str) -> None:
        """A worker ends what it took, in time or late, or dies."""
        if how == "die":
            return
        intake = self.ledger.intake
        settle: Callable[[], object] = {
            "finish": lambda: intake.finish(job),
            "fail": lambda: intake.fail(job, "x"),
            "rest": lambda: intake.rest(job, "x"),
            "postpone": lambda: intake.postpone(job, "x", 30),
        }[how]
        if not self.ours(job):
            with pytest.raises(Lost):
                settle()
            return
        settle()
        del self.leases[job.id]
        if how in {"finish", "fail"} or (how == "postpone" and job.attempts >= MAX_ATTEMPTS):
            self.ended.add(job.id)

    @rule(job=held)
    def renew(self, job: Job) -> None:
        """A worker says that it is still at it; who lost a job is told."""
        assert self.ledger.intake.renew(job) == self.ours(job)
        if self.ours(job):
            self.leases[job.id] = (job, self.clock() + LEASE_SECONDS)

    @rule(seconds=st.sampled_from([1.0, 31.0, LEASE_SECONDS + 1]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.pass_(seconds)

    def pass_(self, seconds: float) -> None:
        """Time passes; who scans gives up what killed its workers too often."""
        self.clock.pass_(seconds)
        self.ledger.intake.due()
        for number, (job, until) in list(self.leases.items()):
            if until < self.clock() and job.attempts >= MAX_ATTEMPTS:
                del self.leases[number]
                self.ended.add(number)

    @rule(away=st.sampled_from([True, False, False]))
    def forge(self, away: bool) -> None:
        """The forge goes away or comes back."""
        if away:
            self.ledger.parking.park("acme", Scope.TEAM, "", Why.FORGE_AWAY, "down")
        else:
            self.ledger.parking.release("acme", Scope.TEAM, "", Why.FORGE_AWAY)

    @invariant()
    def one_holder_for_each_subject(self) -> None:
        """At no time do two workers look at one subject."""
        live = [job.event.ref for job, until in self.leases.values() if until >= self.clock()]
        assert len(live) == len(set(live))

    @invariant()
    def what_rests_is_not_due(self) -> None:
        """While a forge is away nothing of its team is due."""
        if self.ledger.parking.all():
            assert self.ledger.intake.due() == []


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None)
