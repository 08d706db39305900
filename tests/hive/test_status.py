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


def test_nothing_is_said_to_wait(ledger: Ledger) -> None:
    """An idle hive says so."""
    assert list(queue(ledger)) == ["nothing waits"]
    assert list(inbox(ledger, "iris")) == ["nothing waits for iris"]


def test_each_state_is_told_from_the_others(ledger: Ledger, clock: Clock) -> None:
    """What runs, waits, waits for a reason, rests and failed, each with its age."""
    first, _, third, fourth = ledger.jobs.enqueue("acme", [("lane", event(number)) for number in range(1, 5)])
    for number in (first, third, fourth):
        job = ledger.jobs.claim(number)
        assert job is not None
        if number == third:
            ledger.jobs.retry(job, "502", 30)
        if number == fourth:
            ledger.jobs.fail(job, "ValueError: no\nsuch thing")
    ledger.effects.enqueue("other", "core", "post_comment", "triage:said", "{}")
    ledger.suspensions.suspend("other", Scope.TEAM, "", SuspensionReason.FORGE_UNAVAILABLE, "forge unavailable: 502")
    clock.pass_(3)
    assert list(queue(ledger)) == [
        "rests  other: forge unavailable: 502, since 2027-01-15T08:00:00+00:00",
        "runs     3 s  job 1  lane issue_opened forgejo:acme/app#1",
        "waits    3 s  job 2  lane issue_opened forgejo:acme/app#2",
        "waits    3 s  job 3  lane issue_opened forgejo:acme/app#3, again in 27 s, 502",
        "rests    3 s  effect 1  core post_comment triage:said",
        "failed job 4  lane issue_opened forgejo:acme/app#4: ValueError: no such thing",
    ]


def test_an_inbox_is_in_order(ledger: Ledger) -> None:
    """The messages of one agent, the one that it is at first; what strangers wrote stays on its line."""
    run = ledger.runs.start("acme", "iris", "forgejo:acme/app#1", "k", "You were assigned\x1b[31m issue #1")
    ledger.runs.add_turn(run, "k2", "Review says: " + "mend this, " * 20, by_person=False)
    lines = list(inbox(ledger, "iris"))
    assert lines[0] == "waits    0 s  forgejo:acme/app#1  You were assigned [31m issue #1"
    assert lines[1].endswith("…")
    assert max(map(len, lines)) <= 79
    assert list(inbox(ledger, "atlas")) == ["nothing waits for atlas"]
