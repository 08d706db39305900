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

from forge.events import IssueEdited, IssueOpened
from forge.models import Ref, Repo, User
from hive.ledger import Job, Ledger, Origin, Priority, Scope, StaleLease, SuspensionReason
from hive.ledger.jobs import LEASE_SECONDS, MAX_ATTEMPTS, MAX_DEATHS
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
        self.pending: dict[str, int] = {}
        self.leases: dict[int, tuple[Job, float]] = {}
        """Who holds what, by the model: the newest holder of each job and when his lease ends."""
        self.ended: set[int] = set()
        self.deaths: dict[int, int] = {}
        """How often in a row each job's holder died, by the model."""

    def teardown(self) -> None:
        """Whatever happened, what is owed is looked at when workers live and the forge is there."""
        self.ledger.suspensions.resume("acme", Scope.TEAM, "", SuspensionReason.FORGE_UNAVAILABLE)
        for _ in range(len(self.pending) * (MAX_ATTEMPTS + 1) + 1):
            self.clock.pass_(LEASE_SECONDS + 100)
            self.bury()
            if not (due := self.ledger.jobs.due()):
                break
            for number in due:
                job = self.ledger.jobs.claim(number)
                assert job is not None, "what is due can be taken"
                self.ledger.jobs.finish(job)
        assert self.ledger.jobs.due() == []
        with self.ledger.transaction() as db:
            states = dict(db.execute("SELECT id, state FROM jobs").fetchall())
            merged = db.execute("SELECT id, merged_into FROM jobs WHERE state = 'merged'").fetchall()
        assert set(states) == set(self.pending.values())
        assert set(states.values()) <= {"done", "failed", "merged", "superseded"}
        assert {states[into] for _, into in merged} <= {"done", "failed", "superseded"}, (
            "who stands for another was looked at"
        )
        self.ledger.close()
        self.directory.cleanup()

    def bury(self) -> None:
        """Give up what killed its workers too often."""
        for job in self.ledger.dead_letters.crashing():
            self.ledger.jobs.fail(job, "its worker died each time")

    def ours(self, job: Job) -> bool:
        """Whether a holder is the newest one and has not ended."""
        return self.leases.get(job.id, (None,))[0] == job

    @initialize()
    def begin(self) -> None:
        """Two bots owe looks at two subjects."""
        for subject in (1, 2):
            for bot in ("triage", "lane"):
                self.enqueue(subject, 0, bot)

    @rule(subject=st.integers(1, 2), event=st.integers(0, 3), bot=st.sampled_from(["triage", "lane"]))
    def enqueue(self, subject: int, event: int, bot: str) -> None:
        """Something happened, perhaps again."""
        key = f"{bot}:{subject}:{event}"
        kind = IssueOpened if event % 2 else IssueEdited
        happened = kind(Ref(APP, subject), MARA, f"{subject}:{event}")
        origin = Origin(Priority(event), by_person=event < 2)
        made = self.ledger.jobs.enqueue("acme", [(bot, happened)], origin=origin)
        assert (key in self.pending) == (made == [])
        if made:
            self.pending[key] = made[0]

    @rule(target=held, place=st.integers(0, 9))
    def take(self, place: int) -> Taken:
        """A worker takes a job, if it can; every other time one that nobody says is due."""
        due = self.ledger.jobs.due()
        jobs = due if due and place % 2 else sorted(self.pending.values())
        return self.claim(jobs[place % len(jobs)])

    @rule(target=held)
    def take_next(self) -> Taken:
        """A worker takes what comes first: nothing that is due is passed over for ever, and nothing is taken if none is."""
        due = self.ledger.jobs.due()
        job = self.ledger.jobs.claim_next()
        assert (job.id if job else None) == (due[0] if due else None)
        return multiple() if job is None else self.hold(job)

    @rule(target=held, job=held)
    def overtake(self, job: Job) -> Taken:
        """A lease runs out while its holder is still at it, and another worker takes the job."""
        self.pass_(LEASE_SECONDS + 1)
        return self.claim(job.id)

    def claim(self, number: int) -> Taken:
        """Take a job, and see that it could be taken."""
        job = self.ledger.jobs.claim(number)
        return multiple() if job is None else self.hold(job)

    def hold(self, job: Job) -> Job:
        """See that a job could be taken."""
        number, before = job.id, self.leases.get(job.id)
        assert number not in self.ended, "what has ended is not taken again"
        assert before is None or before[1] < self.clock(), "what is held is not taken"
        self.leases[number] = (job, self.clock() + LEASE_SECONDS)
        return job

    @rule(job=consumes(held), how=st.sampled_from(["finish", "fail", "rest", "postpone", "supersede", "die"]))
    def end(self, job: Job, how: str) -> None:
        """A worker ends what it took, in time or late, or dies."""
        if how == "die":
            return
        jobs = self.ledger.jobs
        settle: Callable[[], object] = {
            "finish": lambda: jobs.finish(job),
            "supersede": lambda: jobs.supersede(job),
            "fail": lambda: jobs.fail(job, "x"),
            "rest": lambda: jobs.release(job, "x"),
            "postpone": lambda: jobs.retry(job, "x", 30),
        }[how]
        if not self.ours(job):
            with pytest.raises(StaleLease):
                settle()
            return
        settle()
        del self.leases[job.id]
        self.deaths.pop(job.id, None)
        if how in {"finish", "fail", "supersede"} or (how == "postpone" and job.attempts >= MAX_ATTEMPTS):
            self.ended.add(job.id)

    @rule(job=held)
    def renew(self, job: Job) -> None:
        """A worker says that it is still at it; who lost a job is told."""
        assert self.ledger.jobs.renew(job) == self.ours(job)
        if self.ours(job):
            self.leases[job.id] = (job, self.clock() + LEASE_SECONDS)

    @rule(seconds=st.sampled_from([1.0, 31.0, LEASE_SECONDS + 1]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.pass_(seconds)

    def pass_(self, seconds: float) -> None:
        """Time passes; who scans takes back what nobody holds any more, and gives up what killed its workers too often."""
        self.clock.pass_(seconds)
        self.bury()
        self.ledger.jobs.due()
        for number, (_, until) in list(self.leases.items()):
            if until < self.clock():
                del self.leases[number]
                self.deaths[number] = self.deaths.get(number, 0) + 1
                if self.deaths[number] >= MAX_DEATHS:
                    self.ended.add(number)

    @rule(away=st.sampled_from([True, False, False]))
    def forge(self, away: bool) -> None:
        """The forge goes away or comes back."""
        if away:
            self.ledger.suspensions.suspend("acme", Scope.TEAM, "", SuspensionReason.FORGE_UNAVAILABLE, "down")
        else:
            self.ledger.suspensions.resume("acme", Scope.TEAM, "", SuspensionReason.FORGE_UNAVAILABLE)

    @invariant()
    def one_holder_for_each_subject(self) -> None:
        """At no time do two workers look at one subject."""
        live = [job.event.ref for job, until in self.leases.values() if until >= self.clock()]
        assert len(live) == len(set(live))

    @invariant()
    def what_rests_is_not_due(self) -> None:
        """While a forge is away nothing of its team is due."""
        if self.ledger.suspensions.all():
            assert self.ledger.jobs.due() == []


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None)
