"""Kill -9 anywhere loses nothing: the story ends as it would have. One hive lives through all of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from forge.models import Ref, ReviewState
from tests.chaos.rounds import Mind, Round
from tests.nightly import by_night
from tests.stories.conftest import CONFIG, Hive, raised


@pytest.fixture(scope="module")
def hive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hive]:
    """A hive whose parts are started again at once, however often they die."""
    with raised(tmp_path_factory.mktemp("hive"), Mind(), longest_delay=0.3) as made:
        yield made


def kill(hive: Hive, part: str) -> None:
    """Kill a process of the hive outright."""
    pid = innermost(hive) if part == "agent" else hive.tree.pid(part)
    with suppress(ProcessLookupError):
        if pid:
            os.kill(pid, signal.SIGKILL)


def innermost(hive: Hive) -> int:
    """What iris is at, as this machine sees it: her harness, or the git or command that it waits for."""
    pid = hive.tree.pid("host")
    while children := _children(pid):
        pid = children[0]
    return pid if pid != hive.tree.pid("host") else 0


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


@pytest.mark.parametrize(
    ("number", "part"), [(1, "work"), (2, "host"), (3, "agent"), *by_night((4, "web"), (5, "forgejo"))]
)
def test_killed_in_the_middle(hive: Hive, number: int, part: str) -> None:
    """Whatever is killed, five times on the way: one branch, one pull request, a comment each on its routing, its progress and its review, merged."""
    made, before = Round(hive, number), hive.census()
    issue = made.file("written")
    kill(hive, part)
    made.wait(lambda: hive.mara.issue(issue).assignees, "the assignment")
    kill(hive, part)
    pull = made.wait(lambda: hive.pull_of(issue), "the pull request")
    kill(hive, part)
    made.wait(lambda: hive.verdict(pull, ReviewState.REQUEST_CHANGES), "a red review")
    kill(hive, part)
    made.wait(lambda: hive.status(pull, "hive/review") == "success", "a green review")
    kill(hive, part)
    made.merge(pull)
    made.wait(lambda: not hive.mara.issue(issue).is_open, "the issue's end")
    hive.settle()
    said = [comment.body for ref in (issue, pull) for comment in hive.mara.comments(ref)]
    counted = {"issues": 1, "pulls": 1, "comments": 3, "reviews": 2, "assignees": 1, "branches": 0}
    assert {what: count - before[what] for what, count in hive.census().items()} == counted, said


@pytest.mark.parametrize(("number", "part"), [(6, "host"), *by_night((7, "work"), (8, "agent"))])
def test_killed_while_rebuilding(hive: Hive, number: int, part: str) -> None:
    """A deployment that is cut off anywhere ends deployed, once."""
    made, before = Round(hive, number), _deployed(hive)
    proposal = made.propose()
    made.wait(lambda: hive.status(proposal, "hive/eval") == "success", "hive/eval")
    made.merge(proposal)
    kill(hive, part)
    made.wait(lambda: hive.instance.ledger.deployments.current("iris") or _deployed(hive) > before, "the deployment")
    kill(hive, part)
    made.wait(lambda: _deployed(hive) > before, "the end of the deployment")
    made.wait(lambda: _reports(hive, proposal), "the report")
    hive.settle()
    assert _reports(hive, proposal) == 1
    baseline = hive.instance.ledger.deployments.baseline("iris")
    assert baseline is not None
    assert baseline.running_sha == hive.mara.branch(CONFIG, "main").sha


def _deployed(hive: Hive) -> int:
    with hive.instance.ledger.transaction() as db:
        return int(db.execute("SELECT count(*) FROM deployments WHERE state = 'deployed'").fetchone()[0])


def _reports(hive: Hive, proposal: Ref) -> int:
    return sum(comment.body.startswith("🟢") for comment in hive.mara.comments(proposal))
