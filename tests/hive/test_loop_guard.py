"""Bots answer one another only where it is meant, and never for long."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bots.bot import AGENTS, Bot
from bots.intents import PostComment, Reply
from forge.events import Event, IssueEdited, IssueLabeled, IssueOpened, PullChanged, SubjectChanged
from forge.gitea.writer import GiteaForge
from forge.models import Issue, Ref, User
from hive.app.status import queue
from hive.app.work import worker_deps
from hive.config import Limits
from hive.demo.setup import FORGE
from hive.instance.instance import Instance
from hive.ledger import Ledger, Origin, Priority, Scope
from hive.outbox.enqueue import enqueue
from hive.poller import REFRESH
from hive.worker.loop_guard import subscribes
from hive.worker.worker import Worker
from tests.hive.conftest import APP, HiveEnv


@pytest.fixture
def issue(hive_env: HiveEnv) -> Issue:
    """An issue of mara's."""
    return hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows")


@contextmanager
def bounded(hive_env: HiveEnv, **limits: int) -> Iterator[tuple[Ledger, Worker]]:
    """The same house with other limits."""
    instance = Instance(dataclasses.replace(hive_env.instance.settings, limits=Limits(**limits)))
    yield instance.ledger, Worker(worker_deps(instance))
    instance.close()


def say(ledger: Ledger, ref: Ref, *words: str) -> list[int]:
    """Triage owes comments."""
    return [enqueue(ledger, "acme", "triage", PostComment(ref, word, key=word), by="test") for word in words]


def drain(ledger: Ledger, worker: Worker) -> None:
    """Work until nothing is due."""
    for _ in range(20):
        for job in ledger.jobs.due():
            worker.run_job(job)
        for effect in ledger.effects.due():
            worker.apply(effect)


def said(hive_env: HiveEnv, ref: Ref) -> list[str]:
    """The first words of each comment."""
    return [comment.body.split("\n")[0] for comment in hive_env.mara.comments(ref)]


def test_own_events_are_heard_only_where_it_is_meant(hive_env: HiveEnv) -> None:
    """A bot hears people, and of the hive's accounts those that it names; by id, since a login proves nothing."""
    team = hive_env.instance.teams["acme"]
    shy, fond = Bot("shy", may=()), Bot("fond", may=(), listens_to_bots={"triage", AGENTS})
    for bot in (shy, fond):
        bot.on(IssueOpened)(lambda event, ctx: ())

    def by(user: User) -> tuple[bool, bool]:
        event: Event = IssueOpened(Ref(APP, 1), user, "k")
        return subscribes(shy, event, team), subscribes(fond, event, team)

    assert by(hive_env.mara.user("mara")) == (True, True)
    assert by(team.accounts["triage"]) == (False, True)
    assert by(team.agents["iris"]) == (False, True)
    assert by(team.accounts["core"]) == (False, False)
    assert by(User(99, "triage")) == (True, True)
    assert not subscribes(fond, IssueEdited(Ref(APP, 1), User(99, "x"), "k"), team)
    shy.on(IssueEdited, listens_to_bots={"core"})(lambda event, ctx: ())
    assert subscribes(shy, IssueEdited(Ref(APP, 1), team.accounts["core"], "k"), team)
    assert by(team.accounts["core"]) == (False, False), "what it hears of one type of event it does not hear of others"


def test_what_machines_do_has_a_cause(hive_env: HiveEnv, issue: Issue) -> None:
    """A person begins a chain; a machine's event goes on with that of its last deed on the subject."""
    ledger, origin, team = hive_env.instance.ledger, hive_env.instance.origins.of, hive_env.instance.teams["acme"]
    event = IssueLabeled(issue.ref, team.accounts["triage"], "k")
    assert origin("acme", IssueOpened(issue.ref, issue.author, "o")) == Origin(Priority.OPERATOR)
    assert origin("acme", IssueOpened(issue.ref, User(99, "eve"), "o")) == Origin(Priority.PERSON)
    assert origin("acme", event) == Origin(Priority.MACHINE, by_person=False, cause=None, depth=1)
    (job,) = ledger.jobs.enqueue(
        "acme", [("triage", IssueOpened(issue.ref, issue.author, "o"))], origin=Origin(depth=4)
    )
    hive_env.worker().run_job(job)
    found = origin("acme", event)
    assert (found.depth, found.by_person) == (5, False)
    with ledger.transaction() as db:
        chain = {(row["kind"], row["cause_kind"]): row["cause_id"] for row in db.execute("SELECT * FROM causes")}
    assert chain["effect", "job"] == job
    assert found.cause is not None


def test_a_subject_that_is_written_to_without_end_is_stopped(hive_env: HiveEnv, issue: Issue) -> None:
    """The operators get one issue; what is owed waits, other subjects go on, and closing that issue lets it go on."""
    other = hive_env.mara.open_issue(APP, "Another", "one", marker="one").ref
    with bounded(hive_env, writes=3) as (ledger, worker):
        say(ledger, issue.ref, *"abcde")
        drain(ledger, worker)
        assert said(hive_env, issue.ref) == ["a", "b", "c"]
        say(ledger, other, "x")
        drain(ledger, worker)
        assert said(hive_env, other) == ["x"]
        (suspension,) = ledger.suspensions.all()
        assert (suspension.scope, suspension.name) == (Scope.SUBJECT, str(issue.ref))
        assert "suspended: 3 writes in ten minutes" in next(iter(queue(ledger)))
        told = hive_env.mara.changed_since(hive_env.instance.ops("acme"), issue.created_at)
        assert ["suspended on acme/app" in found.title for found in told] == [True]

        token = hive_env.instance.secret_store.token(FORGE, "core")
        with GiteaForge(name=FORGE, url=hive_env.forge.url, token=token) as core:
            core.close(told[0].ref)
        ledger.suspensions.reschedule(suspension, -1)
        worker.check_outages()
        assert ledger.suspensions.all(), "only an operator lets it go on"
        hive_env.mara.reopen(told[0].ref)
        hive_env.mara.close(told[0].ref)
        ledger.suspensions.reschedule(suspension, -1)
        worker.check_outages()
        drain(ledger, worker)
        assert ledger.suspensions.all() == []
        assert said(hive_env, issue.ref) == ["a", "b", "c", "d", "e"]


def test_answers_to_people_are_no_talk_among_machines(hive_env: HiveEnv, issue: Issue) -> None:
    """However often an operator commands, the subject is not stopped for that."""
    with bounded(hive_env, writes=2) as (ledger, worker):
        for number in range(4):
            comment = hive_env.mara.comment(issue.ref, f"/help {number}", marker=f"/help {number}")
            reply = Reply(issue.ref, comment.id, (), key=f"r{number}")
            worker.apply(enqueue(ledger, "acme", "core", reply, by="commands"))
        assert ledger.suspensions.all() == []


def test_looks_are_no_answers(hive_env: HiveEnv, issue: Issue) -> None:
    """A forge that sends its deliveries again and again stops nothing: to look at what has changed decides nothing."""
    by = hive_env.instance.teams["acme"].agents["iris"]
    with bounded(hive_env, machine_jobs=4) as (ledger, worker):
        for number in range(8):
            origin = Origin(Priority.MACHINE, by_person=False, depth=1)
            ledger.jobs.enqueue("acme", [(REFRESH, SubjectChanged(issue.ref, by, f"look{number}"))], origin=origin)
            drain(ledger, worker)
        assert (ledger.suspensions.all(), ledger.jobs.due()) == ([], [])


@pytest.mark.parametrize(
    ("limits", "depth", "events"), [({"machine_depth": 5}, 6, 1), ({"machine_jobs": 4}, 1, 6)], ids=["depth", "looks"]
)
def test_machines_do_not_answer_one_another_for_ever(
    hive_env: HiveEnv, issue: Issue, limits: dict[str, int], depth: int, events: int
) -> None:
    """A chain that is too deep, or too many looks that no person caused, stop the subject; a person's word goes first."""
    by = hive_env.instance.teams["acme"].agents["iris"]
    with bounded(hive_env, **limits) as (ledger, worker):
        for number in range(events):
            event = PullChanged(issue.ref, by, f"k{number}")
            origin = Origin(Priority.MACHINE, by_person=False, depth=depth)
            ledger.jobs.enqueue("acme", [("lane", event)], origin=origin)
            drain(ledger, worker)
        (suspension,) = ledger.suspensions.all()
        assert suspension.name == str(issue.ref)
        assert ledger.jobs.due() == []
        told = hive_env.mara.changed_since(hive_env.instance.ops("acme"), issue.created_at)
        hive_env.mara.close(told[0].ref)
        ledger.suspensions.reschedule(suspension, -1)
        worker.check_outages()
        drain(ledger, worker)
        assert (ledger.suspensions.all(), ledger.jobs.due()) == ([], [])
