"""An agent asks, people answer, and the answer begins its next turn: on a real forge."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from forge.models import Ref
from hive.ledger import Question
from hive.outbox.actions import AskQuestion
from hive.outbox.questions import question_text
from hive.worker.question_expiry import QuestionExpiry
from hive.worker.worker import Worker
from tests.hive.conftest import APP, HiveEnv
from tests.hive.test_broker import Socket
from tests.hive.test_commands import drain, run_of, sweep
from tests.hive.test_conversations import iris

Golden = Callable[[str, str], None]
ASKED: dict[str, Any] = {"key": "a", "question": "sqlite or postgres, @eve?", "options": ["sqlite", "postgres"]}


@pytest.fixture
def worker(hive_env: HiveEnv) -> Worker:
    """A worker of the house."""
    return hive_env.worker()


@pytest.fixture
def issue(hive_env: HiveEnv, worker: Worker) -> Ref:
    """An issue that iris works on."""
    ref = hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref
    pass_on(hive_env, worker)
    return ref


@pytest.fixture
def socket(hive_env: HiveEnv, worker: Worker, issue: Ref) -> Iterator[Socket]:
    """Iris' broker."""
    with iris(hive_env, worker) as found:
        yield found


def pass_on(hive_env: HiveEnv, worker: Worker) -> None:
    """What happened on the forge comes to the house, and what follows from it is done."""
    sweep(hive_env)
    drain(hive_env, worker)


def ask(socket: Socket, **more: Any) -> Question:
    """Iris asks and ends her turn; returns the question."""
    turn = socket.turn()
    status, answer = socket.post("/v1/ask", {**ASKED, **more}, turn["token"])
    assert status == 200, answer
    assert socket.post("/v1/end", {"outcome": "asked", "message": "sqlite or postgres?"}, turn["token"])[0] == 200
    found = socket.ledger.questions.open_of(turn["run"])
    assert found is not None
    return found


def words(hive_env: HiveEnv, ref: Ref) -> list[str]:
    """What iris and core have said on a thread."""
    return [each.body for each in hive_env.mara.comments(ref) if each.author.login in {"iris", "core"}]


def test_a_question_and_its_answer(hive_env: HiveEnv, worker: Worker, issue: Ref, socket: Socket) -> None:
    """The thread shows the question with its options, and labels that it waits; an operator's word ends both, and is told once."""
    question = ask(socket)
    assert socket.post("/v1/turn", {"generation": "g1", "wait": 0})[0] == 204
    pass_on(hive_env, worker)
    worker._scan()
    drain(hive_env, worker)
    assert {"needs-operator", "state/question"} <= set(hive_env.mara.issue(issue).labels)
    (asked,) = [body for body in words(hive_env, issue) if body.startswith("❓")]
    assert "@\u2060eve" in asked
    assert "1. sqlite\n2. postgres" in asked
    assert "🙋 @mara: answer in a comment, or with `/answer`" in asked
    assert not any("waits for you here" in body for body in words(hive_env, issue))
    for body in ("/answer 2", "1"):
        hive_env.mara.comment(issue, body, marker=body)
    pass_on(hive_env, worker)
    pass_on(hive_env, worker)
    first, second = socket.turn(), None
    assert "The answer is option 2, postgres:" in first["message"]
    settled = socket.ledger.questions.by_key(question.key)
    assert settled is not None
    assert (settled.state, settled.answer, settled.answered_by) == ("answered", "postgres", "mara")
    socket.post("/v1/end", {"outcome": "answered", "message": "Done."}, first["token"])
    second = socket.turn()
    assert second["message"].startswith("There is a new comment")  # it came too late to be the answer, and is not lost
    worker._scan()
    drain(hive_env, worker)
    assert not {"needs-operator", "state/question"} & set(hive_env.mara.issue(issue).labels)


def test_a_crash_while_it_asks_asks_once(hive_env: HiveEnv, worker: Worker, issue: Ref, socket: Socket) -> None:
    """A worker that dies between the comment and its record finds the comment; a harness that dies asks the same again."""
    turn = socket.turn()
    with hive_env.instance.ledger.transaction() as db:
        db.execute("CREATE TRIGGER dies BEFORE INSERT ON questions BEGIN SELECT raise(ABORT, 'killed'); END")
    assert socket.post("/v1/ask", ASKED, turn["token"])[0] == 503
    assert len([body for body in words(hive_env, issue) if body.startswith("❓")]) == 1
    with hive_env.instance.ledger.transaction() as db:
        db.execute("DROP TRIGGER dies")
    hive_env.instance.ledger.expire_leases()
    again = socket.turn()
    for _ in range(2):
        assert socket.post("/v1/ask", ASKED, again["token"])[0] == 200
    assert len([body for body in words(hive_env, issue) if body.startswith("❓")]) == 1
    with hive_env.instance.ledger.transaction() as db:
        assert [row["state"] for row in db.execute("SELECT state FROM questions")] == ["open"]


def test_after_a_question_the_turn_ends(socket: Socket) -> None:
    """Nothing else is done on the forge in that turn, and no other question is asked before the answer."""
    turn = socket.turn()
    assert socket.post("/v1/ask", ASKED, turn["token"])[0] == 200
    for path, body in (("comment", {"key": "b", "body": "and?"}), ("ask", {**ASKED, "key": "b"})):
        status, answer = socket.post(f"/v1/{path}", body, turn["token"])
        assert (status, "end your turn" in answer["error"]) == (403, True)


def test_nonsense_is_not_asked(socket: Socket) -> None:
    """A malformed question is answered with what a question takes, and is not posted."""
    token = socket.turn()["token"]
    for more in (
        *({"options": ["only one"]}, {"options": "a, b"}, {"options": ["x"] * 11}, {"ttl": 5}, {"ttl": 10**9}),
        *({"to": "eve"}, {"question": "  "}, {"question": "x" * 5000}, {"multi": True}),
    ):
        status, answer = socket.post("/v1/ask", {**ASKED, **more}, token)
        assert (status, "ask takes key, question, options (optional)" in answer["error"]) == (400, True), answer


def test_a_question_expires(hive_env: HiveEnv, worker: Worker, issue: Ref, socket: Socket) -> None:
    """When nobody answers in time the thread is told, once, and the agent goes on with `[expired]`."""
    question = ask(socket, ttl=60)
    with hive_env.instance.ledger.transaction() as db:
        db.execute("UPDATE questions SET expires_at = 1")
    expiry = QuestionExpiry(hive_env.instance.ledger, "core")
    for _ in range(2):
        expiry.expire()
    drain(hive_env, worker)
    assert [body.count("`[expired]`") for body in words(hive_env, issue) if body.startswith("⌛")] == [1]
    assert socket.turn()["message"].startswith("[expired]\n\nNobody answered your question in time: sqlite or postgres")
    hive_env.mara.comment(issue, "2", marker="2")
    pass_on(hive_env, worker)
    settled = socket.ledger.questions.by_key(question.key)
    assert settled is not None
    assert settled.state == "expired"


def test_a_question_is_cancelled_with_its_run(hive_env: HiveEnv, worker: Worker, issue: Ref, socket: Socket) -> None:
    """An operator who ends the run answers the question for good; one who closes the issue does as well."""
    question = ask(socket)
    hive_env.mara.comment(issue, "/cancel", marker="c")
    pass_on(hive_env, worker)
    settled = socket.ledger.questions.by_key(question.key)
    assert settled is not None
    assert (settled.state, settled.answer) == ("cancelled", "[cancelled]")
    assert run_of(hive_env, issue).state == "ended"


def test_a_question_golden(golden: Golden) -> None:
    """What stands on the thread, with options and without."""
    noon = datetime(2026, 5, 4, 12, 0, tzinfo=UTC).timestamp()
    ref = Ref(APP, 1)
    asked = AskQuestion(ref, 7, 12, "Which database?", ("sqlite", "postgres"), 4 * 3600, to_author=False, key="k")
    golden("hive/question.md", question_text(asked, "@mara", now=noon))
    asked = AskQuestion(ref, 7, 12, "What is `x`?", (), 3 * 86400, to_author=True, key="k")
    text = question_text(asked, "@eve, @mara", now=noon)
    golden("hive/question-in-words.md", text)
    assert re.search(r"by 2026-05-07 12:00 UTC", text)
