"""A night in which the hive hears nothing, and the morning after it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest

from forge.models import Ref
from hive.app.up import PRELOADED, begin, begin_forge
from hive.demo.scripted_replies import HONEY, SORT, Task
from hive.demo.setup import FORGE
from hive.supervisor.processes import Supervisor
from tests.nightly import NIGHTLY
from tests.stories.conftest import APP, CONFIG, Hive

DROPPED = Task("Never mind", "This was a mistake.")


@pytest.fixture
def night(hive: Hive) -> Iterator[Hive]:
    """The same hive, whose processes can all be ended and begun anew."""
    yield hive
    hive.tree.stop()


def blackout(hive: Hive) -> None:
    """The host goes down: every process of the hive is killed outright, and the forge lives on alone."""
    for part in ("work", "web", "host"):
        with suppress(ProcessLookupError):
            os.kill(hive.tree.pid(part), signal.SIGKILL)
    hive.tree.stop()
    hive.tree = Supervisor(hive.instance.settings.state / "logs", lambda name, status: None, preload=PRELOADED)
    begin_forge(hive.instance, FORGE, hive.tree, lambda _: None)


def morning(hive: Hive) -> None:
    """The host comes up again, and the queue of nudges is gone."""
    hive.tree.stop()
    hive.instance.queue.close()
    for path in hive.instance.settings.state.glob("queue.db*"):
        path.unlink()
    hive.tree = Supervisor(hive.instance.settings.state / "logs", lambda name, status: None, preload=PRELOADED)
    begin(hive.instance.settings.home / "hive.yaml", hive.instance, hive.tree, lambda _: None)


def done(hive: Hive, issue: Ref) -> Ref:
    """The pull request of an issue, when review found it good."""
    pull = hive.until(lambda: hive.pull_of(issue), f"the pull request of {issue}")
    hive.until(lambda: hive.status(pull, "hive/review") == "success", f"a green review of {pull}")
    return pull


def ended(hive: Hive, issue: Ref) -> None:
    """The issue is closed."""
    hive.until(lambda: not hive.mara.issue(issue).is_open, f"the end of {issue}")


def twice(hive: Hive) -> list[object]:
    """What was said or judged more than once, in the same words, by the same account, in the same place."""
    said: Counter[object] = Counter()
    for repo in (APP, CONFIG):
        for subject in hive.subjects(repo):
            said.update(
                (subject.ref, c.author.login, c.body.partition("<!--")[0]) for c in hive.mara.comments(subject.ref)
            )
            reviews = hive.mara.reviews(subject.ref) if subject.is_pull else []
            said.update((r.ref, r.author.login, r.head_sha, r.state) for r in reviews if r.state != "REQUEST_REVIEW")
    return [one for one, times in said.items() if times > 1]


@NIGHTLY
def test_s15_a_blind_night(night: Hive) -> None:
    """No webhook arrives, the queue is wiped, every process is killed: in the morning all is caught up, nothing twice."""
    first = night.file(SORT)
    night.until(lambda: night.mara.issue(first).assignees, "the assignment")
    blackout(night)
    heard = len(night.deliveries())

    second = night.file(HONEY)
    third = night.file(DROPPED)
    night.mara.close(third)
    night.mara.label(first, add=["needs-operator"])
    night.mara.comment(second, "No hurry.", marker="No hurry.")
    assert len(night.deliveries()) == heard

    morning(night)
    pulls = [done(night, issue) for issue in (first, second)]
    night.settle()
    assert len(night.pulls(APP)) == 2
    assert twice(night) == []
    assert [user.login for user in night.mara.issue(second).assignees] == ["iris"]
    assert not night.mara.issue(third).assignees
    assert night.mara.comments(third) == []
    for issue, pull in zip((first, second), pulls, strict=True):
        night.merge(pull)
        ended(night, issue)
    night.settle()
    assert twice(night) == []
