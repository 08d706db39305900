"""A crash of a container is told once, ends by itself, and too many of them are the end for now."""

from __future__ import annotations

import json
from typing import Any

import pytest

from forge.models import Repo
from hive.app.status import queue
from hive.config import Limits
from hive.ledger import Ledger
from hive.ledger.runs import MAX_ATTEMPTS
from hive.outbox.incidents import IncidentReporter
from hive.outbox.state_labels import labels_of
from hive.reconcile.crashes import CrashWatch
from tests.conftest import Clock

LOG = "starting\n@mara look at #1 `x` </details>\n\x1b[31mred"


@pytest.fixture
def watch(ledger: Ledger) -> CrashWatch:
    """A watch with the usual bounds: three in ten minutes."""
    return CrashWatch(ledger, IncidentReporter(ledger, "core", lambda _: Repo("forgejo", "hive", "meta")), Limits())


def told(ledger: Ledger) -> list[tuple[str, dict[str, Any]]]:
    """What the operators are told, in its order."""
    with ledger.transaction() as db:
        rows = db.execute("SELECT kind, payload FROM effects ORDER BY id").fetchall()
    return [(row["kind"], json.loads(row["payload"])) for row in rows]


def test_an_incident_is_one_issue(ledger: Ledger, clock: Clock, watch: CrashWatch) -> None:
    """However often it crashes, there is one issue, with the end of the log, which mentions nobody; it closes by itself."""
    watch.crashed("acme", "iris", LOG)
    clock.pass_(400)
    watch.crashed("acme", "iris", LOG)
    ((kind, issue),) = told(ledger)
    assert kind == "open_issue"
    assert issue["title"] == "🔴 the container of iris crashed"
    assert "- `starting`\n- ``@mara look at #1 `x` </details>``\n- `" in issue["body"]
    assert "\x1b" not in issue["body"]
    clock.pass_(400)
    watch.close_if_recovered("acme", "iris")
    assert len(told(ledger)) == 1, "it has not been well for long enough"
    clock.pass_(201)
    watch.close_if_recovered("acme", "iris")
    watch.close_if_recovered("acme", "iris")
    kind, end = told(ledger)[-1]
    assert (kind, end["closes"], len(told(ledger))) == ("add_to_issue", True, 2)
    assert end["body"] == "🟢 iris has run for 10 minutes without another crash."
    watch.crashed("acme", "iris", "")
    assert told(ledger)[-1][0] == "open_issue", "and the next one is another incident"
    assert told(ledger)[-1][1]["key"] != issue["key"]


def test_what_cannot_start_is_no_crash(ledger: Ledger, watch: CrashWatch) -> None:
    """However often it is tried, there is one issue, which says that the machine is the reason, and closes by itself; the agent stays up."""
    for _ in range(5):
        watch.could_not_start("acme", "iris", f"{LOG}\nbwrap: No permissions to create new namespace")
    ((kind, issue),) = told(ledger)
    assert (kind, issue["title"]) == ("open_issue", "🔴 the container of iris cannot be started")
    assert issue["body"].endswith("- `bwrap: No permissions to create new namespace`")
    assert not watch.is_down("acme", "iris")
    watch.has_started("acme", "iris")
    watch.has_started("acme", "iris")
    assert [said["closes"] for kind, said in told(ledger) if kind == "add_to_issue"] == [True]


def test_too_many_are_the_end_for_now(ledger: Ledger, clock: Clock, watch: CrashWatch) -> None:
    """Three in ten minutes: it stays down, and that is said in the issue, by a label on its runs, and in the queue."""
    ledger.runs.start("acme", "iris", "forgejo:acme/app#1", "k", "do it")
    for _ in range(3):
        assert not watch.is_down("acme", "iris")
        watch.crashed("acme", "iris", LOG)
        clock.pass_(100)
    assert watch.is_down("acme", "iris")
    assert not watch.is_down("acme", "atlas")
    assert ledger.runs.claim("iris") is None
    assert "iris stays down" in told(ledger)[-1][1]["body"]
    assert not told(ledger)[-1][1]["closes"]
    (run,) = ledger.run_states.with_labels()
    assert labels_of(run) == {"state/crashed"}
    assert "suspended  acme iris: its container crashed 3 times within 10 minutes; /restart" in next(
        iter(queue(ledger))
    )
    clock.pass_(3600)
    watch.close_if_recovered("acme", "iris")
    assert watch.is_down("acme", "iris"), "time alone does not mend it"


def test_few_and_far_between_are_not_too_many(ledger: Ledger, clock: Clock, watch: CrashWatch) -> None:
    """Only what happened within the ten minutes counts."""
    for _ in range(10):
        watch.crashed("acme", "iris", LOG)
        clock.pass_(301)
    assert not watch.is_down("acme", "iris")
    assert [kind for kind, _ in told(ledger)] == ["open_issue"]


def test_somebody_lets_it_go_on(ledger: Ledger, clock: Clock, watch: CrashWatch) -> None:
    """Who starts it again gives it three tries more; the issue stays open until it has been well."""
    for _ in range(3):
        watch.crashed("acme", "iris", LOG)
    watch.allow_restart("acme", "iris", "an operator said so")
    assert not watch.is_down("acme", "iris")
    assert told(ledger)[-1][1]["body"] == "🟡 iris is restarted: an operator said so."
    count = len(told(ledger))
    watch.allow_restart("acme", "iris", "an operator said so")
    assert len(told(ledger)) == count, "nothing to say"
    watch.crashed("acme", "iris", LOG)
    watch.crashed("acme", "iris", LOG)
    assert not watch.is_down("acme", "iris")
    clock.pass_(1)
    watch.crashed("acme", "iris", LOG)
    assert watch.is_down("acme", "iris")
    watch.allow_restart("acme", "iris", "its configuration changes")
    clock.pass_(601)
    watch.close_if_recovered("acme", "iris")
    assert told(ledger)[-1][1]["closes"]


def crash_at(ledger: Ledger, watch: CrashWatch, run: int) -> None:
    """The container crashes while it holds a turn of a run."""
    turn = ledger.runs.claim("iris")
    assert turn is not None
    assert turn.run == run
    held = ledger.runs.current("iris")
    assert held == (turn.id, turn.ref)
    ledger.runs.reset_attempts(turn)  # a step forward does not make it less of a crash
    ledger.runs.release("iris")
    watch.crashed("acme", "iris", LOG, held)


def test_one_poisonous_issue_stops_no_other(ledger: Ledger, clock: Clock, watch: CrashWatch) -> None:
    """A turn at which the container crashes three times is left, in words; the agent goes on with its other issues."""
    poison = ledger.runs.start("acme", "iris", "forgejo:acme/app#1", "k1", "do it")
    for _ in range(3):
        crash_at(ledger, watch, poison)
        clock.pass_(1)
    assert not watch.is_down("acme", "iris")
    end = told(ledger)[-1][1]["body"]
    assert end == (
        "🔴 iris gives up `forgejo:acme/app#1`: its container crashed 3 times there within 10 minutes. Its other issues continue."
    )
    turn = ledger.runs.claim("iris")
    assert turn is not None
    assert turn.attempts > MAX_ATTEMPTS, "the broker gives it up in words"
    ledger.runs.end_turn(turn, "failed")
    ledger.runs.add_turn(poison, "again", "once more", by_person=True)
    crash_at(ledger, watch, poison)
    assert not watch.is_down("acme", "iris"), "it is the same issue"


def test_crashes_at_several_issues_are_the_agents_own(ledger: Ledger, clock: Clock, watch: CrashWatch) -> None:
    """A container that crashes whatever it is at stays down, and so does one that crashes at nothing."""
    for number in range(2):
        run = ledger.runs.start("acme", "iris", f"forgejo:acme/app#{number}", f"k{number}", "do it")
        crash_at(ledger, watch, run)
        turn = ledger.runs.claim("iris")
        assert turn is not None
        ledger.runs.end_turn(turn, "answered")
        clock.pass_(1)
    assert not watch.is_down("acme", "iris")
    watch.crashed("acme", "iris", LOG)
    assert watch.is_down("acme", "iris")
