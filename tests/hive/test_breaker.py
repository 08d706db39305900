"""The breaker's limits, to the last job, write and second; and where events come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest

from bots.bot import AGENTS, Bot
from bots.intents import OpenIssue, PostComment, React, RefreshVerdict, Reply, SetVerdict
from bots.models import Team
from forge.events import Event, IssueEdited, IssueOpened, PullChanged
from forge.models import Ref, Repo, User
from hive.ledger import Act, Effect, Job, Ledger, Origin, Priority, Scope, SuspensionReason
from hive.worker.loop_guard import LoopGuard, LoopLimits, Origins, speakers, subscribes
from tests.conftest import Clock

APP = Repo("forgejo", "acme", "app")
OPS = Repo("forgejo", "acme", "ops")
SUBJECT, OTHER = Ref(APP, 1), Ref(APP, 2)
MARA, EVE, IRIS, NOAH, CORE = User(1, "mara"), User(66, "eve"), User(2, "iris"), User(7, "noah"), User(4, "core")
TEAM = Team(
    name="acme",
    operators=frozenset({MARA.id}),
    agents={"iris": IRIS, "noah": NOAH},
    accounts={"core": CORE, "commands": CORE, "review": User(3, "argus")},
    lanes=(),
    kinds=(),
    repos=frozenset({APP}),
    configs={},
)


@dataclass
class Site:
    """A breaker over a ledger, the issues by which it tells operators, and shorthands for work."""

    ledger: Ledger
    clock: Clock
    loop_guard: LoopGuard
    told: list[OpenIssue] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def jobs(self, count: int, *, ref: Ref = SUBJECT, by_person: bool = False, team: str = "acme") -> None:
        """Jobs that are done."""
        for _ in range(count):
            self.clock.pass_(1)
            event = PullChanged(ref, IRIS, f"{self.clock.now}")
            origin = Origin(Priority.MACHINE, by_person=by_person)
            (made,) = self.ledger.jobs.enqueue(team, [("lane", event)], origin=origin)
            job = self.ledger.jobs.claim(made)
            assert job is not None
            self.ledger.jobs.finish(job)

    def job(self, depth: int = 0, *, by_person: bool = False, created_at: float | None = None) -> Job:
        """A job that is to begin."""
        at = self.clock.now if created_at is None else created_at
        return Job(99, "acme", "lane", PullChanged(SUBJECT, IRIS, "k"), 0, depth, by_person, at)

    def write(self, kind: str = PostComment.WIRE, *, ref: str = str(SUBJECT), done: bool = True) -> Effect:
        """An effect, done if so."""
        self.clock.pass_(1)
        made = self.ledger.effects.enqueue("acme", "core", kind, f"key-{next(self.numbers)}", "{}", ref=ref)
        effect = self.ledger.effects.claim(made)
        assert effect is not None
        if done:
            self.ledger.effects.finish(effect, {})
        return effect

    def stopped(self) -> list[str]:
        """Subjects that are suspended as runaways."""
        return [
            one.name
            for one in self.ledger.suspensions.all()
            if (one.scope, one.reason) == (Scope.SUBJECT, SuspensionReason.RUNAWAY)
        ]


@pytest.fixture
def site(ledger: Ledger, clock: Clock) -> Site:
    """Limits of 3 answers in a row, 4 jobs and 5 writes."""
    told: list[OpenIssue] = []

    def tell(team: str, issue: OpenIssue) -> int:
        told.append(issue)
        return ledger.effects.enqueue(team, "core", OpenIssue.WIRE, issue.key, "{}")

    loop_guard = LoopGuard(ledger, LoopLimits(depth=3, machine_jobs=4, writes=5), lambda _: OPS, tell)
    return Site(ledger, clock, loop_guard, told)


@pytest.mark.parametrize(("depth", "stops"), [(2, False), (3, False), (4, True)])
def test_a_chain_of_answers_is_bounded(site: Site, depth: int, *, stops: bool) -> None:
    """Machines answer one another as often as the limit says, and not once more."""
    assert site.loop_guard.blocks_job(site.job(depth)) is stops
    assert site.stopped() == ([str(SUBJECT)] if stops else [])
    assert not site.loop_guard.blocks_job(site.job(99, by_person=True)), "a person's word is heard"


@pytest.mark.parametrize(("jobs", "stops"), [(3, False), (4, False), (5, True)])
def test_jobs_that_no_person_caused_are_bounded(site: Site, jobs: int, *, stops: bool) -> None:
    """As many in a row on one subject as the limit says; other subjects and other teams do not count."""
    site.jobs(9, ref=OTHER)
    site.jobs(9, team="zeta")
    site.jobs(jobs)
    assert not site.loop_guard.blocks_job(site.job(by_person=True)), "a person's word is heard"
    assert site.loop_guard.blocks_job(site.job()) is stops
    assert site.stopped() == ([str(SUBJECT)] if stops else [])


def test_a_person_begins_anew(site: Site) -> None:
    """Jobs in a row are counted from the last that a person caused."""
    site.jobs(4)
    site.jobs(1, by_person=True)
    site.jobs(4)
    assert not site.loop_guard.blocks_job(site.job())
    site.jobs(1)
    assert site.loop_guard.blocks_job(site.job())


@pytest.mark.parametrize(("writes", "stops"), [(4, False), (5, True), (6, True)])
def test_writes_are_bounded(site: Site, writes: int, *, stops: bool) -> None:
    """The write that would be one too many waits; those on other subjects, and those that are not done, do not count."""
    for _ in range(9):
        site.write(ref=str(OTHER))
        site.write(done=False)
    for _ in range(writes):
        site.write()
    assert site.loop_guard.blocks_action(site.write(done=False)) is stops
    assert site.stopped() == ([str(SUBJECT)] if stops else [])


@pytest.mark.parametrize("kind", [intent.WIRE for intent in (React, Reply, SetVerdict, RefreshVerdict)])
def test_answers_count_for_nothing(site: Site, kind: str) -> None:
    """What answers a person's command, or keeps a merge from going through, neither counts nor is stopped."""
    for _ in range(9):
        site.write(kind)
    assert not site.loop_guard.blocks_action(site.write(done=False))
    for _ in range(5):
        site.write()
    assert not site.loop_guard.blocks_action(site.write(kind, done=False))
    assert site.loop_guard.blocks_action(site.write(done=False))


def test_what_is_on_no_subject_is_not_stopped(site: Site) -> None:
    """Tags and records of deployments have no thread on which machines could talk."""
    for _ in range(9):
        site.write(ref="")
    assert not site.loop_guard.blocks_action(site.write(ref="", done=False))


@pytest.mark.parametrize(("seconds", "stops"), [(599, True), (600, False)])
def test_writes_count_for_ten_minutes(site: Site, seconds: float, *, stops: bool) -> None:
    """What was written longer ago does not count."""
    for effect in [site.write(done=False) for _ in range(5)]:
        site.ledger.effects.finish(effect, {})
    effect = site.write(done=False)
    site.clock.pass_(seconds - 1)
    assert site.loop_guard.blocks_action(effect) is stops


def test_what_was_before_a_reset_counts_no_more(site: Site) -> None:
    """An operator lets a subject go on: chains, jobs and writes are counted from then."""
    for _ in range(5):
        site.write()
    site.jobs(5)
    old = site.job(9)
    assert site.loop_guard.blocks_job(old)
    site.ledger.suspensions.resume("acme", Scope.SUBJECT, str(SUBJECT), SuspensionReason.RUNAWAY)
    site.ledger.breakers.reset("acme", str(SUBJECT))
    assert not site.loop_guard.blocks_job(old), "it waited since before the reset"
    assert not site.loop_guard.blocks_job(site.job(9)), "it came in the moment of the reset"
    assert not site.loop_guard.blocks_action(site.write(done=False))
    assert site.stopped() == []
    site.clock.pass_(1)
    assert site.loop_guard.blocks_job(site.job(9))


def test_a_stop_is_told_once_golden(site: Site, golden: Callable[[str, str], None]) -> None:
    """Operators get one issue, the audit log one row, and the subject stays stopped for whatever comes after."""
    for _ in range(5):
        site.write()
    effect = site.write(done=False)
    assert site.loop_guard.blocks_action(effect)
    assert site.loop_guard.blocks_action(effect)
    assert site.loop_guard.blocks_job(site.job(4))
    (issue,) = site.told
    assert issue.repo == OPS
    assert issue.key == f"stopped:{SUBJECT}:{site.clock.now:.0f}"
    golden("hive/stopped.md", f"{issue.title}\n\n{issue.body}")
    (row,) = site.ledger.audit.after(0)
    assert (row.actor, row.action, row.team, row.ref) == ("hive", Act.SUBJECT_SUSPENDED, "acme", str(SUBJECT))
    assert row.detail == {"why": "5 writes in ten minutes"}
    tripped = site.ledger.breakers.of("acme", str(SUBJECT))
    assert tripped is not None
    assert site.ledger.effects.get(tripped.issue).key == issue.key
    (suspension,) = site.ledger.suspensions.all()
    assert suspension.detail == "suspended: 5 writes in ten minutes"


@pytest.mark.parametrize(
    ("jobs", "depth", "why"),
    [(0, 4, "4 answers of machines in a row"), (5, 0, "5 jobs in a row without a person")],
)
def test_a_stop_has_a_reason(site: Site, jobs: int, depth: int, why: str) -> None:
    """It says what there was too much of."""
    site.jobs(jobs)
    assert site.loop_guard.blocks_job(site.job(depth))
    assert [row.detail["why"] for row in site.ledger.audit.after(0)] == [why]
    assert why in site.told[0].body


def test_accounts_have_the_names_of_those_who_speak_by_them() -> None:
    """An account may be that of several bots, an agent's is known as one, and a person's has no such name."""
    assert speakers(TEAM, CORE) == {"core", "commands"}
    assert speakers(TEAM, IRIS) == speakers(TEAM, NOAH) == {AGENTS}
    assert speakers(TEAM, MARA) == speakers(TEAM, User(99, "core")) == set()


def test_bots_are_deaf_to_machines_they_do_not_name() -> None:
    """Of events of its kinds a bot gets those of people, and those of machines by any name that it names."""
    bot = Bot("fond", may=(), listens_to_bots={"commands"})
    bot.on(IssueOpened)(lambda event, ctx: ())

    def by(actor: User, kind: type[Event] = IssueOpened) -> bool:
        return subscribes(bot, kind(SUBJECT, actor, "k"), TEAM)

    assert by(MARA)
    assert by(EVE)
    assert by(CORE)
    assert not by(IRIS)
    assert not by(TEAM.accounts["review"])
    assert not by(MARA, IssueEdited)


def test_where_events_come_from(site: Site) -> None:
    """A person begins; a machine's event is one deeper than the last effect of its account on that subject."""
    of = Origins(site.ledger, {"acme": TEAM, "zeta": Team("zeta", frozenset(), {}, {}, (), (), frozenset(), {})}).of
    assert of("acme", IssueOpened(SUBJECT, MARA, "k")) == Origin(Priority.OPERATOR)
    assert of("acme", IssueOpened(SUBJECT, EVE, "k")) == Origin(Priority.PERSON)
    assert of("acme", IssueOpened(SUBJECT, CORE, "k")) == Origin(Priority.MACHINE, by_person=False, depth=1)
    made = site.ledger.effects.enqueue("acme", "core", PostComment.WIRE, "k", "{}", ref=str(SUBJECT), depth=6)
    site.ledger.effects.claim(made)
    seen = Origin(Priority.MACHINE, by_person=False, cause=made, depth=7)
    assert of("acme", IssueOpened(SUBJECT, CORE, "k")) == seen
    assert of("acme", IssueOpened(OTHER, CORE, "k")).depth == 1
    assert of("zeta", IssueOpened(SUBJECT, CORE, "k")) == Origin(Priority.PERSON)
