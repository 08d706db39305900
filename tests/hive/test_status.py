"""What waits is said in lines that fit, with its reason."""

from __future__ import annotations

from forge.events import IssueOpened
from forge.models import Ref, Repo, User
from hive.app.status import inbox, queue
from hive.ledger import Ledger, Scope, SuspensionReason
from tests.conftest import Clock

APP = Repo("forgejo", "acme", "app")


def event(number: int) -> IssueOpened:
    """An issue is filed."""
    return IssueOpened(Ref(APP, number), User(1, "mara"), f"opened:{number}")


def test_an_idle_hive_says_so(ledger: Ledger) -> None:
    """An empty queue and an empty inbox are one line."""
    assert list(queue(ledger)) == ["nothing is pending"]
    assert list(inbox(ledger, "iris")) == ["nothing is pending for iris"]


def test_each_state_is_told_from_the_others(ledger: Ledger, clock: Clock) -> None:
    """What is running, pending, retried later, suspended and failed, each with its age."""
    first, _, third, fourth = ledger.jobs.enqueue("acme", [("lane", event(number)) for number in range(1, 5)])
    for number in (first, third, fourth):
        job = ledger.jobs.claim(number)
        assert job is not None
        if number == third:
            ledger.jobs.retry(job, "502", 12)
        if number == fourth:
            ledger.jobs.fail(job, "ValueError: no\nsuch thing")
    ledger.effects.enqueue("other", "core", "post_comment", "triage:reply", "{}")
    ledger.suspensions.suspend("other", Scope.TEAM, "", SuspensionReason.FORGE_UNAVAILABLE, "forge unavailable: 502")
    clock.pass_(3)
    assert list(queue(ledger)) == [
        "suspended  other: forge unavailable: 502, since 2027-01-15T08:00:00+00:00",
        "running     3 s  job 1  lane issue_opened forgejo:acme/app#1",
        "pending     3 s  job 2  lane issue_opened forgejo:acme/app#2",
        "pending     3 s  job 3  lane issue_opened forgejo:acme/app#3, again in 9 s, 502",
        "suspended   3 s  effect 1  core post_comment triage:reply",
        "failed job 4  lane issue_opened forgejo:acme/app#4: ValueError: no such thing",
    ]


def test_an_inbox_is_in_order(ledger: Ledger) -> None:
    """The messages of one agent, the one that it is at first; what strangers wrote stays on its line."""
    run = ledger.runs.start("acme", "iris", "forgejo:acme/app#1", "k", "You were assigned\x1b[31m issue #1")
    ledger.runs.add_turn(run, "k2", "Review says: " + "fix this, " * 20, by_person=False)
    lines = list(inbox(ledger, "iris"))
    assert lines[0] == "pending     0 s  forgejo:acme/app#1  You were assigned [31m issue #1"
    assert lines[1].endswith("…")
    assert max(map(len, lines)) <= 79
    assert list(inbox(ledger, "atlas")) == ["nothing is pending for atlas"]
