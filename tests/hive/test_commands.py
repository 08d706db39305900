"""Commands on a real thread: done once, shown on the comment, answered in one line."""

from __future__ import annotations

import json
import sqlite3

import pytest

from bots.agent_intents import Pause
from bots.intents import PostComment, React, Reply, RequestBotReview, SetLabels
from bots.models import ReplyLine
from forge.gitea.writer import GiteaForge
from forge.models import Comment, FileEdit, Ref
from forge.webhook import Delivery
from hive.app.polls import pollers
from hive.ledger import Run, SuspensionReason, compress
from hive.outbox.enqueue import enqueue
from hive.worker.worker import Worker
from tests.hive.conftest import APP, HiveEnv


def drain(hive_env: HiveEnv, worker: Worker) -> None:
    """Work until nothing is due."""
    worker.dispatch()
    pending, effects = hive_env.instance.ledger.jobs, hive_env.instance.ledger.effects
    while (jobs := pending.due()) or effects.due():
        for job in jobs:
            worker.run_job(job)
        for effect in effects.due():
            worker.apply(effect)


def sweep(hive_env: HiveEnv) -> None:
    """Ask the forge for all that happened."""
    for found in pollers(hive_env.instance):
        while found.sweep().more:
            pass


def deliver(hive_env: HiveEnv, comment: Comment, uuid: str) -> None:
    """The forge says that a comment was created."""
    ask = hive_env.mara._client
    said = ask.get(f"/repos/{APP.path}/issues/comments/{comment.id}").value
    assert isinstance(said, dict)
    payload = {
        "action": "created",
        "issue": ask.get(f"/repos/{APP.path}/issues/{comment.ref.number}").value,
        "comment": said,
        "repository": ask.get(f"/repos/{APP.path}").value,
        "sender": said["user"],
    }
    body = json.dumps(payload).encode()
    assert hive_env.instance.ledger.deliveries.receive(Delivery(APP.forge, uuid, "issue_comment", body), compress(body))


@pytest.fixture
def worker(hive_env: HiveEnv) -> Worker:
    """A worker of the house."""
    return hive_env.worker()


@pytest.fixture
def issue(hive_env: HiveEnv, worker: Worker) -> Ref:
    """An issue of mara's on which iris is at work."""
    hive_env.mara.commit(APP, [FileEdit("app.py", b"x = 0\n")], message="app", branch="trunk", start="main")
    ref = hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref
    sweep(hive_env)
    drain(hive_env, worker)
    assert run_of(hive_env, ref).state == "open"
    return ref


def run_of(hive_env: HiveEnv, ref: Ref) -> Run:
    """The newest run of an issue."""
    run = hive_env.instance.ledger.runs.find(str(ref))
    assert run is not None
    return run


def seen(hive_env: HiveEnv, ref: Ref, comment: Comment) -> tuple[object, ...]:
    """All of an issue that a command could have changed."""
    found = hive_env.mara.issue(ref)
    reactions = sorted((each.user.login, each.content) for each in hive_env.mara.reactions(ref, comment.id))
    said = [(each.author.login, each.body) for each in hive_env.mara.comments(ref)]
    run = run_of(hive_env, ref)
    labels = sorted(found.labels)
    return reactions, said, labels, [user.login for user in found.assignees], (run.id, run.state, run.outcome)


def test_cancel_ends_the_run_once(hive_env: HiveEnv, worker: Worker, issue: Ref) -> None:
    """An operator's command is done, shown and answered; redelivered, swept and applied again it changes nothing."""
    comment = hive_env.mara.comment(issue, "Not now, please.\n\n/cancel", marker="Not now")
    deliver(hive_env, comment, "u0")
    drain(hive_env, worker)
    first = seen(hive_env, issue, comment)
    reactions, said, labels, assignees, run = first
    assert reactions == [("core", "+1"), ("core", "eyes")]
    assert isinstance(said, list)
    answers = [body.split("\n") for _, body in said if "/cancel`" in body]
    assert [len([line for line in answer if line and "<!--" not in line]) for answer in answers] == [1]
    assert answers[0][0].startswith("✅ `/cancel`: @iris")
    assert (labels, assignees) == (["area/app", "type/bug"], [])
    assert isinstance(run, tuple)
    assert run[1:] == ("ended", "cancelled")
    for number in range(1, 6):
        deliver(hive_env, comment, f"u{number}")
        sweep(hive_env)
        with hive_env.instance.ledger.transaction() as db:  # as after a crash between each deed and its record
            db.execute("UPDATE effects SET state = 'running', lease_until = 0 WHERE key LIKE 'commands:%'")
        drain(hive_env, worker)
        assert seen(hive_env, issue, comment) == first


def test_retry_begins_another_run(hive_env: HiveEnv, worker: Worker, issue: Ref) -> None:
    """What was cancelled begins anew, with the agent on the issue; said once, it begins once."""
    before = run_of(hive_env, issue)
    for number, body in enumerate(("/cancel", "/retry")):
        deliver(hive_env, hive_env.mara.comment(issue, body, marker=body), f"u{number}")
        drain(hive_env, worker)
    after = run_of(hive_env, issue)
    assert (after.id > before.id, after.state) == (True, "open")
    assert [user.login for user in hive_env.mara.issue(issue).assignees] == ["iris"]
    sweep(hive_env)
    drain(hive_env, worker)
    assert run_of(hive_env, issue) == after
    turn = hive_env.instance.ledger.runs.claim("iris")
    assert turn is not None
    assert "A page is wrong" in turn.message
    hive_env.instance.ledger.runs.end_turn(turn, "said")
    assert hive_env.instance.ledger.runs.claim("iris") is None, "the command itself was handed to the agent"


def test_a_stranger_is_not_answered(hive_env: HiveEnv, worker: Worker, issue: Ref) -> None:
    """Who may say nothing makes the hive write nothing; the hive's own words command nothing."""
    secret_store, url = hive_env.instance.secret_store, hive_env.forge.url
    with GiteaForge(name=APP.forge, url=url, token=secret_store.token(APP.forge, "argus")) as argus:
        comment = argus.comment(issue, "/cancel", marker="/cancel")
    first = seen(hive_env, issue, comment)
    deliver(hive_env, comment, "u0")
    drain(hive_env, worker)
    assert seen(hive_env, issue, comment) == first
    assert run_of(hive_env, issue).state == "open"


def test_a_writer_cannot_make_a_command_of_it(hive_env: HiveEnv, worker: Worker, issue: Ref) -> None:
    """Whoever edits an operator's comment in the second in which it was written has written no command, 20 times of 20."""
    secret_store, url = hive_env.instance.secret_store, hive_env.forge.url
    comments = []
    with GiteaForge(name=APP.forge, url=url, token=secret_store.token(APP.forge, "core")) as writer:
        for number in range(20):
            comment = hive_env.mara.comment(issue, f"It works now ({number}).", marker=f"({number})")
            deliver(hive_env, comment, f"u{number}")
            writer.edit_comment(issue, comment.id, "/cancel")
            comments.append(hive_env.mara.comment_by_id(issue, comment.id))
    assert {comment.body for comment in comments} == {"/cancel"}
    assert any(comment.created_at == comment.updated_at for comment in comments), "no edit was fast enough to matter"
    sweep(hive_env)
    drain(hive_env, worker)
    assert run_of(hive_env, issue).state == "open"
    assert not any("/cancel`" in comment.body for comment in hive_env.mara.comments(issue))


def test_an_agent_gives_its_issue_back(hive_env: HiveEnv, worker: Worker, issue: Ref) -> None:
    """Where no other agent is, an agent's bounce leaves the issue to the operators."""
    secret_store, url = hive_env.instance.secret_store, hive_env.forge.url
    with GiteaForge(name=APP.forge, url=url, token=secret_store.token(APP.forge, "iris")) as iris:
        comment = iris.comment(issue, "Not mine.\n\n/not-my-lane", marker="Not mine")
    deliver(hive_env, comment, "u0")
    sweep(hive_env)
    drain(hive_env, worker)
    _, _, labels, assignees, run = seen(hive_env, issue, comment)
    assert (labels, assignees) == (["area/app", "needs-operator", "type/bug"], [])
    assert isinstance(run, tuple)
    assert run[1:] == ("ended", "bounced")


def test_an_answer_waits_for_what_it_tells(hive_env: HiveEnv, worker: Worker, issue: Ref) -> None:
    """Until a deed is over the line says so, then the same comment says how it ended, and so does the reaction."""
    ledger = hive_env.instance.ledger
    comment = hive_env.mara.comment(issue, "please", marker="please")
    good = enqueue(ledger, "acme", "core", PostComment(issue, "a deed", key="good"), by="test")
    bad = enqueue(ledger, "acme", "core", SetLabels(issue, add=("nope",), key="bad"), by="test")
    lines = (
        ReplyLine("done 1", "not 1", "waits 1", after=("good",)),
        ReplyLine("done 2", "not 2", "waits 2", after=("bad",)),
        ReplyLine("done 3", "not 3", "waits 3", after=("good", "nobody owes this")),
    )
    reply = enqueue(ledger, "acme", "core", Reply(issue, comment.id, lines, key="r"), by="test")
    ok = enqueue(ledger, "acme", "core", React(issue, comment.id, "+1", key="1", after=("good",)), by="test")
    end = React(issue, comment.id, "heart", key="2", after=("bad",), otherwise="confused")
    sorry = enqueue(ledger, "acme", "core", end, by="test")

    def told() -> list[str]:
        with ledger.transaction() as db:
            db.execute("UPDATE effects SET next_at = 0 WHERE id IN (?, ?, ?)", (reply, ok, sorry))
        for effect in (reply, ok, sorry):
            worker.apply(effect)
        bodies = [each.body for each in hive_env.mara.comments(issue) if " 1\n" in each.body]
        reactions = {each.content for each in hive_env.mara.reactions(issue, comment.id)}
        return [*(body.rpartition("\n\n")[0] for body in bodies), *sorted(reactions)]

    assert told() == ["waits 1\nwaits 2\nwaits 3"]
    worker.apply(good)
    assert told() == ["done 1\nwaits 2\nnot 3", "+1"]
    assert told() == ["done 1\nwaits 2\nnot 3", "+1"]
    worker.apply(bad)
    assert told() == ["done 1\nnot 2\nnot 3", "+1", "confused"]
    assert [ledger.effects.get(effect).state for effect in (reply, ok, sorry)] == ["done"] * 3


def test_a_review_is_asked_for_once(hive_env: HiveEnv, worker: Worker, issue: Ref) -> None:
    """Each bot that reviews owes one more look, however often the deed is done; where no bot reviews, the deed is dropped."""
    ledger = hive_env.instance.ledger
    mara = hive_env.mara.user("mara")
    action = enqueue(ledger, "acme", "core", RequestBotReview(issue, mara, key="a"), by="commands")
    for _ in range(2):
        worker.apply(action)
        with ledger.transaction() as db:
            db.execute("UPDATE effects SET state = 'running', lease_until = 0 WHERE id = ?", (action,))
    with ledger.transaction() as db:
        rows = db.execute("SELECT bot, ref FROM jobs WHERE event_type = 'review_requested'").fetchall()
    assert sorted(tuple(row) for row in rows) == [("gatekeeper", str(issue)), ("review", str(issue))]
    for bot in ("gatekeeper", "review"):
        del hive_env.instance.bots[bot]
    worker.apply(action)
    assert ledger.effects.get(action).state == "superseded"


def at_home(hive_env: HiveEnv) -> list[tuple[object, ...]]:
    """All that commands change in the house itself."""
    with hive_env.instance.ledger.transaction() as db:
        return [
            tuple(row)
            for asked in (
                "SELECT scope, name, reason, detail, since FROM suspensions",
                "SELECT model, restart_requested_at FROM baselines",
                "SELECT id, agent, state, outcome FROM runs",
                "SELECT id, run, message, memory, by_person FROM turns",
            )
            for row in db.execute(asked)
        ]


@pytest.mark.parametrize(
    ("said", "sign"),
    [
        (("/pause",), "✅ `/pause`: @iris is paused"),
        (("/pause iris", "/resume iris"), "✅ `/resume iris`: @iris is resumed"),
        (("/restart",), "✅ `/restart`: the container of @iris"),
        (("/model claude-fable-5-2",), "✅ `/model claude-fable-5-2`: @iris uses"),
        (("/compact",), "✅ `/compact`: @iris continues with a compacted transcript"),
        (("/new-session",), "✅ `/new-session`: @iris continues with an empty transcript"),
        (("/answer take sqlite",), "✅ `/answer take sqlite`: passed on to @iris"),
        (("/stop", "/start"), "✅ `/start`: @iris starts"),
        (("/rebuild",), "✅ `/rebuild`: the host checks"),
        (("/help",), "✅"),
        (("/status",), "✅ `/status`: run 1 of @iris"),
        (("/budget",), "✅ `/budget`: run 1 of @iris has spent nothing yet"),
        (("/refund",), "😕 `/refund` is not a command"),
        (("/deny too wide",), "😕 `/deny too wide`: this is for pull requests on"),
        (("/answer",), "😕 `/answer`: usage:"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_each_command_is_done_once(
    hive_env: HiveEnv, worker: Worker, issue: Ref, said: tuple[str, ...], sign: str
) -> None:
    """Done and answered, and then delivered again under other ids, swept, and said again to the forge: nothing changes any more."""
    for number, body in enumerate(said):
        comment = hive_env.mara.comment(issue, body, marker=body)
        deliver(hive_env, comment, f"u{number}")
        drain(hive_env, worker)
    first = seen(hive_env, issue, comment), at_home(hive_env)
    mine = [body for author, body in first[0][1] if author == "core" and body.startswith(sign)]  # type: ignore[attr-defined]
    assert len(mine) == 1, first[0][1]
    assert first[0][0] == [("core", "+1" if sign[0] == "✅" else "confused"), ("core", "eyes")]
    deliver(hive_env, comment, "again")
    sweep(hive_env)
    with hive_env.instance.ledger.transaction() as db:  # as after a crash between what the forge did and its record
        db.execute(
            "UPDATE effects SET state = 'running', lease_until = 0 WHERE kind IN ('add_reaction', 'reply', 'set_labels')"
        )
    drain(hive_env, worker)
    assert (seen(hive_env, issue, comment), at_home(hive_env)) == first


def test_at_home_a_deed_and_its_record_are_one(hive_env: HiveEnv, worker: Worker, issue: Ref) -> None:
    """What breaks while a deed is written down leaves the house as it was, and it is done when it comes again."""
    ledger, mara = hive_env.instance.ledger, hive_env.mara.user("mara")
    action = enqueue(ledger, "acme", "core", Pause(issue, "iris", mara, key="p"), by="commands")
    with ledger.transaction() as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'the disk is full'); END")
    with pytest.raises(sqlite3.IntegrityError, match="disk is full"):
        worker.apply(action)
    assert ledger.suspensions.all() == []
    with ledger.transaction() as db:
        db.execute("DROP TRIGGER full")
        db.execute("UPDATE effects SET lease_until = 0 WHERE id = ?", (action,))
    worker.apply(action)
    assert [suspension.reason for suspension in ledger.suspensions.all()] == [SuspensionReason.PAUSED]
