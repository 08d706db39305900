"""Bots answer one another only where it is meant, and never for long."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bots.bot import AGENTS, Bot
from bots.intents import PostComment, Reply
from forge.events import Event, IssueEdited, IssueLabeled, IssueOpened, PullChanged
from forge.gitea.write import GiteaForge
from forge.types import Issue, Ref, User
from hive.app.house import House
from hive.app.work import workshop
from hive.apply import owe
from hive.demo.stage import FORGE
from hive.ledger import Ledger, Origin, Priority, Scope
from hive.loops import hears
from hive.settings import Limits
from hive.waiting import queue
from hive.work import Worker
from tests.hive.conftest import APP, Village


@pytest.fixture
def issue(village: Village) -> Issue:
    """An issue of mara's."""
    return village.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows")


@contextmanager
def bounded(village: Village, **limits: int) -> Iterator[tuple[Ledger, Worker]]:
    """The same house with other limits."""
    house = House(dataclasses.replace(village.house.settings, limits=Limits(**limits)))
    yield house.ledger, Worker(workshop(house))
    house.close()


def say(ledger: Ledger, ref: Ref, *words: str) -> list[int]:
    """Triage owes comments."""
    return [owe(ledger, "acme", "triage", PostComment(ref, word, key=word), by="test") for word in words]


def drain(ledger: Ledger, worker: Worker) -> None:
    """Work until nothing is due."""
    for _ in range(20):
        for job in ledger.jobs.due():
            worker.look(job)
        for effect in ledger.effects.due():
            worker.apply(effect)


def said(village: Village, ref: Ref) -> list[str]:
    """The first words of each comment."""
    return [comment.body.split("\n")[0] for comment in village.mara.comments(ref)]


def test_own_events_are_heard_only_where_it_is_meant(village: Village) -> None:
    """A bot hears people, and of the hive's accounts those that it names; by id, since a login proves nothing."""
    team = village.house.teams["acme"]
    shy, fond = Bot("shy", may=()), Bot("fond", may=(), hears={"triage", AGENTS})
    for bot in (shy, fond):
        bot.on(IssueOpened)(lambda event, ctx: ())

    def by(user: User) -> tuple[bool, bool]:
        event: Event = IssueOpened(Ref(APP, 1), user, "k")
        return hears(shy, event, team), hears(fond, event, team)

    assert by(village.mara.user("mara")) == (True, True)
    assert by(team.accounts["triage"]) == (False, True)
    assert by(team.agents["iris"]) == (False, True)
    assert by(team.accounts["core"]) == (False, False)
    assert by(User(99, "triage")) == (True, True)
    assert not hears(fond, IssueEdited(Ref(APP, 1), User(99, "x"), "k"), team)


def test_what_machines_do_has_a_cause(village: Village, issue: Issue) -> None:
    """A person begins a chain; a machine's event goes on with that of its last deed on the subject."""
    ledger, origin, team = village.house.ledger, village.house.origins.of, village.house.teams["acme"]
    event = IssueLabeled(issue.ref, team.accounts["triage"], "k")
    assert origin("acme", IssueOpened(issue.ref, issue.author, "o")) == Origin(Priority.OPERATOR)
    assert origin("acme", IssueOpened(issue.ref, User(99, "eve"), "o")) == Origin(Priority.PERSON)
    assert origin("acme", event) == Origin(Priority.MACHINE, by_person=False, cause=None, depth=1)
    (job,) = ledger.jobs.owe("acme", [("triage", IssueOpened(issue.ref, issue.author, "o"))], origin=Origin(depth=4))
    village.worker().look(job)
    found = origin("acme", event)
    assert (found.depth, found.by_person) == (5, False)
    with ledger.transaction() as db:
        chain = {(row["kind"], row["cause_kind"]): row["cause_id"] for row in db.execute("SELECT * FROM causes")}
    assert chain["effect", "job"] == job
    assert found.cause is not None


def test_a_subject_that_is_written_to_without_end_is_stopped(village: Village, issue: Issue) -> None:
    """The operators get one issue; what is owed waits, other subjects go on, and closing that issue lets it go on."""
    other = village.mara.open_issue(APP, "Another", "one", marker="one").ref
    with bounded(village, writes=3) as (ledger, worker):
        say(ledger, issue.ref, *"abcde")
        drain(ledger, worker)
        assert said(village, issue.ref) == ["a", "b", "c"]
        say(ledger, other, "x")
        drain(ledger, worker)
        assert said(village, other) == ["x"]
        (parked,) = ledger.parking.all()
        assert (parked.scope, parked.name) == (Scope.SUBJECT, str(issue.ref))
        assert "stopped: 3 writes in ten minutes" in next(iter(queue(ledger)))
        told = village.mara.changed_since(village.house.ops("acme"), issue.created_at)
        assert ["stopped on acme/app" in found.title for found in told] == [True]

        token = village.house.vault.token(FORGE, "core")
        with GiteaForge(name=FORGE, url=village.forge.url, token=token) as core:
            core.close(told[0].ref)
        ledger.parking.look_again(parked, -1)
        worker.attend()
        assert ledger.parking.all(), "only an operator lets it go on"
        village.mara.reopen(told[0].ref)
        village.mara.close(told[0].ref)
        ledger.parking.look_again(parked, -1)
        worker.attend()
        drain(ledger, worker)
        assert ledger.parking.all() == []
        assert said(village, issue.ref) == ["a", "b", "c", "d", "e"]


def test_answers_to_people_are_no_talk_among_machines(village: Village, issue: Issue) -> None:
    """However often an operator commands, the subject is not stopped for that."""
    with bounded(village, writes=2) as (ledger, worker):
        for number in range(4):
            comment = village.mara.comment(issue.ref, f"/help {number}", marker=f"/help {number}")
            reply = Reply(issue.ref, comment.id, (), key=f"r{number}")
            worker.apply(owe(ledger, "acme", "core", reply, by="commands"))
        assert ledger.parking.all() == []


@pytest.mark.parametrize(
    ("limits", "depth", "events"), [({"machine_depth": 5}, 6, 1), ({"machine_looks": 4}, 1, 6)], ids=["depth", "looks"]
)
def test_machines_do_not_answer_one_another_for_ever(
    village: Village, issue: Issue, limits: dict[str, int], depth: int, events: int
) -> None:
    """A chain that is too deep, or too many looks that no person caused, stop the subject; a person's word goes first."""
    by = village.house.teams["acme"].agents["iris"]
    with bounded(village, **limits) as (ledger, worker):
        for number in range(events):
            event = PullChanged(issue.ref, by, f"k{number}")
            origin = Origin(Priority.MACHINE, by_person=False, depth=depth)
            ledger.jobs.owe("acme", [("lane", event)], origin=origin)
            drain(ledger, worker)
        (parked,) = ledger.parking.all()
        assert parked.name == str(issue.ref)
        assert ledger.jobs.due() == []
        told = village.mara.changed_since(village.house.ops("acme"), issue.created_at)
        village.mara.close(told[0].ref)
        ledger.parking.look_again(parked, -1)
        worker.attend()
        drain(ledger, worker)
        assert (ledger.parking.all(), ledger.jobs.due()) == ([], [])
