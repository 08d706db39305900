"""An update goes on where the version before it was; a version that is older than the ledger changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bots.review_rounds import ReviewRound
from forge.events import IssueOpened, PullChanged
from forge.models import Branch, Ref, Repo, Repository, User
from forge.webhook import Delivery
from hive.ledger import NEVER, DeploymentState, Ledger, Scope, SuspensionReason, compress
from hive.ledger.schema import APPLICATION_ID, migrate, migrations
from tests.commands import hive
from tests.hive.test_cli import CONFIG, complaint

ISSUE, BLOCKED, PULL = "f:t/app#1", "f:t/app#2", "f:t/app#3"
CHANGE = PullChanged(Ref(Repo("f", "t", "app"), 3), User(1, "mara"), "head:3:a")
OPENED = IssueOpened(Ref(Repo("f", "t", "app"), 1), User(1, "mara"), "opened:1")
DELIVERY = Delivery("f", "u1", "issues", b"{}")
HEAD, RUNS = "a" * 40, "b" * 40
ROUND = ReviewRound(2, HEAD, "main", RUNS, "BLOCKED", ())
QUESTIONS, REVIEW_ROUNDS = 7, 9
"""The migrations that brought them."""

EARLIER = range(1, len(migrations()))
"""The numbers of migrations that ledgers of earlier versions have seen; all are supported."""


def of_before(path: Path, newer: Path, count: int) -> None:
    """Write a ledger as a version with so many migrations would have: the rows of one of today, as far as it knows them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, path, migrations()[:count])
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("ATTACH ? AS newer", (str(newer),))
        for (table,) in db.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall():
            known = [{row[1] for row in db.execute(f"PRAGMA {of}.table_info({table})")} for of in ("main", "newer")]
            columns = ", ".join(f'"{name}"' for name in sorted(known[0] & known[1]))
            db.execute(f"INSERT OR REPLACE INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")  # noqa: S608  ours
        assert db.execute("PRAGMA user_version").fetchone() == (count,)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def at_work(path: Path) -> None:
    """A ledger whose processes were killed in the middle of everything."""
    ledger = Ledger(path)
    assert ledger.deliveries.receive(DELIVERY, compress(DELIVERY.body))
    first, second = ledger.jobs.enqueue("t", [("triage", OPENED), ("review", CHANGE)])
    job = ledger.jobs.claim(first)
    assert job is not None
    assert second
    held = ledger.runs.start("t", "iris", ISSUE, "k1", "do it")
    asked = ledger.runs.start("t", "lexis", BLOCKED, "k2", "ask")
    ledger.runs.set_pull(held, PULL)
    turn, other = ledger.runs.claim("iris"), ledger.runs.claim("lexis")
    assert turn is not None
    assert other is not None
    facts = {"ref": BLOCKED, "question": "which?", "options": ("this", "that"), "addressee": 0, "comment": 5}
    ledger.questions.ask(asked, other.id, "q1", seconds=1e9, **facts)  # type: ignore[arg-type]
    ledger.runs.end_turn(other, "asked")
    done = ledger.effects.enqueue("t", "core", "post_comment", "e1", "{}", ref=ISSUE)
    sent = ledger.effects.enqueue("t", "core", "post_comment", "e2", "{}", ref=ISSUE)
    assert done
    assert sent
    assert ledger.effects.claim(sent) is not None
    ledger.suspensions.suspend("t", Scope.AGENT, "mica", SuspensionReason.PAUSED, "by mara", until=NEVER)
    seen = Repository(7, Repo("f", "agent-configs", "iris"), "main", *(False,) * 4)
    ledger.deployments.register("iris", team="t", seen=seen, branch=Branch("main", RUNS, protected=True), cursor=1)
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    deployment = ledger.deployments.start(baseline, HEAD, (4,), 2)
    ledger.deployments.transition(deployment, DeploymentState.SWITCH)
    ledger.proposals.pin("f:agent-configs/iris#4", HEAD, RUNS)
    ledger.review_memory.store(PULL, ROUND)
    ledger.close()


@pytest.mark.parametrize("count", EARLIER)
def test_what_was_in_flight_is_finished(tmp_path: Path, count: int) -> None:
    """A ledger of any earlier version opens under this one, and everything that was at work is taken up and ends."""
    at_work(tmp_path / "newer.db")
    of_before(tmp_path / "ledger.db", tmp_path / "newer.db", count)
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.expire_leases()
    assert ledger.deliveries.unread() == [(1, DELIVERY)]
    ledger.deliveries.mark_read(1, team="t")
    assert ledger.jobs.due() == [1, 2]
    for number in ledger.jobs.due():
        job = ledger.jobs.claim(number)
        assert job is not None
        ledger.jobs.finish(job)
    assert ledger.jobs.due() == []
    due = ledger.effects.due()
    assert len(due) == 2
    for number in due:
        effect = ledger.effects.claim(number)
        assert effect is not None
        ledger.effects.finish(effect, {"url": "", "id": 1})
    assert ledger.effects.enqueue("t", "core", "post_comment", "e1", "{}", ref=ISSUE) == due[0], "it is known as done"
    assert ledger.suspensions.of("t", Scope.AGENT, "mica")
    under_way = ledger.deployments.current("iris")
    assert under_way is not None
    assert (under_way.state, under_way.pulls, under_way.previous_sha) == (DeploymentState.SWITCH, (4,), RUNS)
    ledger.deployments.transition(under_way, DeploymentState.DEPLOYED)
    assert ledger.proposals.heads("f:agent-configs/iris#4") == (HEAD,)
    finish_runs(ledger, has_questions=count >= QUESTIONS)
    assert ledger.review_memory.last(PULL) == (ROUND if count >= REVIEW_ROUNDS else None)
    ledger.review_memory.store(PULL, replace(ROUND, number=3))
    assert ledger.run_states.status(ISSUE) is not None
    ledger.close()


def finish_runs(ledger: Ledger, *, has_questions: bool) -> None:
    """A turn that was held is held again and ends; a run that has asked goes on with its answer."""
    ledger.runs.release("iris", refund=True, first=True)
    turn = ledger.runs.claim("iris")
    assert turn is not None
    assert turn.message == "do it"
    assert ledger.runs.end_turn(turn, "pushed")
    ledger.runs.end(turn.run, "merged")
    run = ledger.runs.find(ISSUE)
    assert run is not None
    assert (run.state, run.pull) == ("ended", PULL)
    waiting = ledger.runs.find(BLOCKED)
    assert waiting is not None
    question = ledger.questions.open_of(waiting.id)
    assert (question is not None) == has_questions
    if question is not None:
        assert ledger.questions.settle(question.id, "answered", "this", by="mara")
    ledger.runs.add_turn(waiting.id, "k3", "this", by_person=True)
    told = ledger.runs.claim("lexis")
    assert told is not None
    assert told.message == "this"
    assert ledger.runs.end_turn(told, "pushed")


def test_an_upgrade_that_is_killed_is_begun_again(tmp_path: Path) -> None:
    """Of several migrations all are done or none: the version of before can still be started."""
    at_work(tmp_path / "newer.db")
    path = tmp_path / "ledger.db"
    of_before(path, tmp_path / "newer.db", 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as db, pytest.raises(sqlite3.OperationalError):
        migrate(db, path, [*migrations(), "INSERT INTO nowhere VALUES (1);"])
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    Ledger(path).close()


@pytest.mark.parametrize(
    "words",
    [
        ("queue",),
        ("inbox", "iris"),
        ("run",),
        ("run", "1"),
        ("cost",),
        ("gc",),
        ("replay", "run:1"),
        ("enter", "iris"),
        ("adopt", "iris"),
        ("doctor",),
        ("web",),
        ("work",),
        ("host",),
        ("up",),
        ("backup", "b.tar"),
        ("agents", "list"),
        ("agents", "stop", "iris"),
        ("agents", "start", "iris"),
        ("agents", "logs", "iris"),
        ("agents", "enter", "iris"),
        ("base", "update"),
        ("findings",),
        ("agents", "rebuild", "iris"),
        ("login", "iris"),
        ("logout", "iris"),
        ("init",),
        ("rotate",),
    ],
)
def test_a_newer_ledger(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Each command that opens the ledger says that it is of a newer version, and not one byte of it changes."""
    (tmp_path / "hive.yaml").write_text(CONFIG.replace("PORT", "0"))
    path = tmp_path / "state" / "ledger.db"
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    assert "is of a newer version of the hive" in complaint(hive(*words, cwd=tmp_path))
    assert path.read_bytes() == before
    assert not (tmp_path / "b.tar").exists()
