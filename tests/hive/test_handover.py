"""An issue is given to its agent, or waits in the queue of its lane, with one label that says so and fights nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bots.agent_intents import GiveWork, LeaveQueue
from bots.intents import EndRun, StartRun
from forge.events import WorkEnded
from forge.models import Ref
from hive.app.work import worker_deps
from hive.outbox.enqueue import enqueue
from hive.worker.run_display import RunDisplay
from hive.worker.worker import Worker
from tests.hive.conftest import APP, HiveEnv


class House:
    """A hive in which iris may have one run open."""

    def __init__(self, env: HiveEnv) -> None:
        self.env = env
        self.ledger = env.instance.ledger
        team = env.instance.teams["acme"]
        env.instance.teams["acme"] = replace(team, max_open_runs=1)
        self.lane = next(lane.name for lane in team.lanes if lane.agent == "iris")
        self.worker = Worker(worker_deps(env.instance))
        self.keys = 0

    def file(self, title: str) -> Ref:
        """Mara files an issue."""
        return self.env.mara.open_issue(APP, title, f"It is. {title}", marker=title).ref

    def do(self, action: object, by: str = "triage") -> None:
        """Do what a bot wants, and what comes of it."""
        enqueue(self.ledger, "acme", "core", action, by=by)  # type: ignore[arg-type]
        for _ in range(3):
            for effect in self.ledger.effects.due():
                self.worker.apply(effect)
            RunDisplay(self.ledger, "core", self.env.instance.teams).sync()

    def give(self, ref: Ref) -> None:
        """Triage gives an issue to iris."""
        self.keys += 1
        self.do(GiveWork(ref, "iris", self.lane, key=f"g{self.keys}"))

    def start(self, ref: Ref) -> int:
        """What the lane bot does when she is assigned."""
        self.do(StartRun(ref, "iris", "do it", key=f"s:{ref}"), by="lane")
        run = self.ledger.runs.find(str(ref))
        assert run is not None
        return run.id

    def labels(self, ref: Ref) -> set[str]:
        """The labels of an issue."""
        return set(self.env.mara.issue(ref).labels)

    def assigned(self, ref: Ref) -> list[str]:
        """Who is assigned."""
        return [user.login for user in self.env.mara.issue(ref).assignees]

    @property
    def queue(self) -> str:
        """The label of what waits for iris."""
        return f"queue/{self.lane}"


@pytest.fixture
def house(hive_env: HiveEnv) -> House:
    """Nothing is at work."""
    return House(hive_env)


def test_from_the_queue_to_the_end(house: House) -> None:
    """Ready, working, over: the first is assigned, the second waits with a label, and is next when the first ends."""
    first, second = house.file("one"), house.file("two")
    house.give(first)
    house.give(second)
    assert (house.assigned(first), house.labels(first)) == (["iris"], set())
    assert (house.assigned(second), house.labels(second)) == ([], {house.queue})
    run = house.start(first)
    assert house.labels(first) == {"state/working"}
    house.do(EndRun(run, "merged", key="e"), by="lane")
    due = house.ledger.jobs.due(10)
    jobs = [job for number in due if (job := house.ledger.jobs.claim(number)) is not None]
    ends = [job.event for job in jobs if job.bot == "ready-queue" and isinstance(job.event, WorkEnded)]
    assert [(event.agent, event.ref) for event in ends] == [("iris", first)]
    house.give(second)
    assert (house.assigned(second), house.labels(second)) == (["iris"], set())
    house.start(second)
    assert house.labels(second) == {"state/working"}
    assert house.ledger.ready_queue.get(str(second)) is None


def test_the_end_of_work_gives_the_next(house: House) -> None:
    """The worker does it by itself: the job of the end of the run assigns what waits."""
    first, second = house.file("one"), house.file("two")
    house.give(first)
    house.give(second)
    house.do(EndRun(house.start(first), "merged", key="e"), by="lane")
    for number in house.ledger.jobs.due(10):
        house.worker.run_job(number)
    assert (house.assigned(second), house.labels(second)) == (["iris"], set())


def test_who_takes_it_off_the_queue_is_obeyed(house: House) -> None:
    """A label that a person took away is not set again; one that a person set by hand is not taken away."""
    first, second, third = house.file("one"), house.file("two"), house.file("three")
    for ref in (first, second):
        house.give(ref)
    house.env.mara.label(second, add=(), remove=[house.queue])
    house.give(second)
    assert house.labels(second) == set()
    house.env.mara.label(third, add=[house.queue])
    house.do(EndRun(house.start(first), "merged", key="e"), by="lane")
    house.ledger.ready_queue.remove(str(second))
    house.give(third)
    assert (house.assigned(third), house.labels(third)) == (["iris"], {house.queue})


def test_an_order_does_not_wait(house: House) -> None:
    """An operator assigns what waits: it leaves the queue with its label, and counts."""
    first, second = house.file("one"), house.file("two")
    for ref in (first, second):
        house.give(ref)
    house.start(second)
    assert house.labels(second) == {"state/working"}
    assert house.ledger.ready_queue.get(str(second)) is None


def test_what_depends_on_another_waits(house: House) -> None:
    """As long as that is open, whatever room there is."""
    first, second = house.file("one"), house.file("two")
    at = f"/repos/{APP.path}/issues/{second.number}/dependencies"
    house.env.mara._client.post(at, index=first.number, owner=APP.owner, repo=APP.name)
    house.give(second)
    assert (house.assigned(second), house.labels(second)) == ([], {house.queue})
    house.env.mara.close(first)
    house.give(second)
    assert (house.assigned(second), house.labels(second)) == (["iris"], set())


def test_what_is_over_leaves(house: House) -> None:
    """A closed issue is given to nobody, and bears no label of the queue; nor does one that leaves it."""
    first, second, third = house.file("one"), house.file("two"), house.file("three")
    for ref in (first, second, third):
        house.give(ref)
    house.env.mara.close(second)
    house.give(second)
    house.do(LeaveQueue(third, key="l"), by="ready-queue")
    assert house.labels(second) == house.labels(third) == set()
    assert house.ledger.ready_queue.waiting("iris") == []
    assert house.assigned(second) == []
