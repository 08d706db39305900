"""Kill -9 anywhere loses nothing: the story ends as it would have."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from forge.models import ReviewState
from hive.demo.scripted_replies import DOWNLOAD, HONEY
from tests.stories.conftest import APP, CONFIG, Hive


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


@pytest.mark.parametrize("part", ["work", "web", "host", "agent", "forgejo"])
def test_killed_in_the_middle(hive: Hive, part: str) -> None:
    """Whatever is killed, five times on the way: one branch, one pull request, one comment, merged."""
    issue = hive.file(HONEY)
    kill(hive, part)
    hive.until(lambda: hive.mara.issue(issue).assignees, "the assignment")
    kill(hive, part)
    pull = hive.until(lambda: hive.pull_of(issue), "the pull request")
    kill(hive, part)
    hive.until(lambda: hive.verdict(pull, ReviewState.REQUEST_CHANGES), "a red review")
    kill(hive, part)
    hive.until(lambda: hive.verdict(pull, ReviewState.APPROVED), "a green review")
    hive.until(lambda: hive.status(pull, "hive/review") == "success", "a green status")
    kill(hive, part)
    hive.merge(pull)
    hive.until(lambda: not hive.mara.issue(issue).is_open, "the issue's end")
    hive.settle()
    said = [comment.body for ref in (issue, pull) for comment in hive.mara.comments(ref)]
    counted = {"issues": 1, "pulls": 1, "comments": 1, "reviews": 2, "assignees": 1, "branches": 0}
    assert hive.census() == counted, said
    assert len(hive.pulls(APP)) == 1


@pytest.mark.parametrize("part", ["host", "work", "agent"])
def test_killed_while_rebuilding(hive: Hive, part: str) -> None:
    """A deployment that is cut off anywhere ends deployed, once."""
    hive.file(DOWNLOAD)
    proposal = hive.until(hive.proposal, "the proposal")
    hive.until(lambda: hive.status(proposal, "hive/eval") == "success", "hive/eval")
    hive.merge(proposal)
    kill(hive, part)
    hive.until(lambda: hive.instance.ledger.deployments.current("iris") or _deployed(hive), "the deployment")
    kill(hive, part)
    hive.until(lambda: _deployed(hive), "the end of the deployment")
    hive.until(lambda: _reports(hive), "the report")
    hive.settle()
    assert _reports(hive) == 1
    baseline = hive.instance.ledger.deployments.baseline("iris")
    assert baseline is not None
    assert baseline.running_sha == hive.mara.branch(CONFIG, "main").sha


def _deployed(hive: Hive) -> bool:
    with hive.instance.ledger.transaction() as db:
        return bool(db.execute("SELECT count(*) FROM deployments WHERE state = 'deployed'").fetchone()[0])


def _reports(hive: Hive) -> int:
    pulls = hive.pulls(CONFIG)
    return sum(comment.body.startswith("🟢") for pull in pulls for comment in hive.mara.comments(pull.ref))
