"""Made ready once, the house does what is owed, once, whatever dies on the way."""

from __future__ import annotations

import dataclasses

import pytest

from bots.bot import Bot
from bots.intents import OpenIssue, PostComment, SetLabels, SetStatus
from bots.models import Verdict
from bots.review_intents import PostReview
from forge.events import IssueOpened
from forge.gitea.writer import GiteaForge
from forge.models import CommitStatus, Issue, Ref, Repo, State, User
from forge.protocol import Refused
from hive.app.polls import pollers
from hive.app.status import queue
from hive.app.work import worker_deps
from hive.instance.instance import StartupError
from hive.outbox.actions import CommitFile, CreateTag, PostAnswer
from hive.outbox.enqueue import enqueue
from hive.reconcile.report import LOG
from hive.worker.worker import Worker
from tests.hive.conftest import APP, CONFIG, HiveEnv


def file(hive_env: HiveEnv, title: str = "A page is wrong") -> Issue:
    """Mara files an issue."""
    return hive_env.mara.open_issue(APP, title, "It shows 0.", marker="It shows")


def comments(hive_env: HiveEnv, ref: Ref) -> list[str]:
    """What is said on a thread."""
    return [comment.body for comment in hive_env.mara.comments(ref)]


def test_ready_is_ready(hive_env: HiveEnv) -> None:
    """The first run makes everything, the second one nothing."""
    assert any("organisation agent-configs" in what for what in hive_env.made)
    assert any("protection of main in agent-configs/iris" in what for what in hive_env.made)
    assert hive_env.provision() == []


def test_accounts_have_the_least_rights(hive_env: HiveEnv) -> None:
    """Triage labels without push, an agent reaches its own configuration only, and nobody but operators merges."""
    url, secret_store = hive_env.forge.url, hive_env.instance.secret_store
    with GiteaForge(name="forgejo", url=url, token=secret_store.token("forgejo", "triage")) as triage:
        issue = file(hive_env)
        triage.label(issue.ref, add=["type/bug"])
        with pytest.raises(Refused):
            triage.put_file(APP, "x", b"x", message="x", branch="side")
    rule = hive_env.mara.protection(CONFIG, "main")
    assert rule is not None
    assert (rule.push, rule.mergers, rule.admins_included) == (False, ("mara",), True)
    assert rule.required_statuses == ("hive/eval",)


def test_other_accounts_under_a_known_name_are_refused(hive_env: HiveEnv) -> None:
    """A login that comes back as another account is no operator."""
    with hive_env.instance.ledger.transaction() as db:
        db.execute("UPDATE identities SET user_id = 999 WHERE login = 'mara'")
    with pytest.raises(StartupError, match="mara on forgejo is not the account that was known before"):
        hive_env.provision()


def test_a_job_is_looked_at_and_done(hive_env: HiveEnv) -> None:
    """From an event to labels, comment and assignment; done again it changes nothing."""
    issue = file(hive_env)
    event = IssueOpened(issue.ref, issue.author, "opened")
    worker = hive_env.worker()
    for _ in range(2):
        for job in hive_env.instance.ledger.jobs.enqueue("acme", [("triage", event)]):
            worker.run_job(job)
    after = hive_env.mara.issue(issue.ref)
    assert set(after.labels) == {"type/bug", "area/app"}
    assert [user.login for user in after.assignees] == ["iris"]
    assert len(comments(hive_env, issue.ref)) == 1


def test_a_clash_of_keys_is_seen(hive_env: HiveEnv) -> None:
    """Two different things of one kind under one key: the look fails in words, and nothing of it is done."""
    issue = file(hive_env)
    chatty = Bot("chatty", may={PostComment})
    chatty.on(IssueOpened)(lambda event, ctx: [PostComment(event.ref, words, key="k") for words in ("one", "two")])
    deps = dataclasses.replace(worker_deps(hive_env.instance), bots={"chatty": chatty})
    ledger = hive_env.instance.ledger
    (job,) = ledger.jobs.enqueue("acme", [("chatty", IssueOpened(issue.ref, issue.author, "opened"))])
    Worker(deps).run_job(job)
    assert comments(hive_env, issue.ref) == []
    assert any(line.startswith(f"failed job {job}  chatty issue_opened") for line in queue(ledger))
    assert "chatty wants two different PostComment under the key 'k'" in ledger.backlog.failed()[0].error


def test_a_comment_that_was_written_before_a_crash_is_found(hive_env: HiveEnv) -> None:
    """Killed between the deed and its record, the deed is not done twice."""
    issue = file(hive_env)
    ledger = hive_env.instance.ledger
    effect = enqueue(ledger, "acme", "triage", PostComment(issue.ref, "hello", key="k"), by="test")
    worker = hive_env.worker()
    worker.apply(effect)
    with ledger.transaction() as db:
        db.execute("UPDATE effects SET state = 'running', lease_until = 0")
    worker.apply(effect)
    assert len(comments(hive_env, issue.ref)) == 1
    assert ledger.effects.get(effect).state == "done"


def test_a_review_of_an_older_head_is_dropped(hive_env: HiveEnv) -> None:
    """What the world has overtaken is not posted."""
    pull = _pull(hive_env)
    review = PostReview(pull, "0" * 40, Verdict.BLOCKED, "🔴 1", "no", (), key="k")
    effect = enqueue(hive_env.instance.ledger, "acme", "argus", review, by="review")
    hive_env.worker().apply(effect)
    assert hive_env.instance.ledger.effects.get(effect).state == "superseded"
    assert hive_env.mara.reviews(pull) == []


def test_what_is_refused_stops_and_is_recorded(hive_env: HiveEnv) -> None:
    """A deed that the forge refuses is not tried for ever."""
    status = CommitStatus("hive/review", State.SUCCESS, "🟢")
    refused = SetStatus(APP, hive_env.mara.branch(APP, "main").sha, status, key="k")
    effect = enqueue(hive_env.instance.ledger, "acme", "triage", refused, by="test")
    hive_env.worker().apply(effect)
    assert hive_env.instance.ledger.effects.get(effect).state == "failed"
    assert [row.action for row in hive_env.instance.ledger.audit.after(0)][-1] == "effect_failed"


def test_an_unknown_label_is_no_silence(hive_env: HiveEnv) -> None:
    """Forges drop unknown labels silently; the hive says so."""
    effect = enqueue(
        hive_env.instance.ledger, "acme", "triage", SetLabels(file(hive_env).ref, add=("nope",), key="k"), by="test"
    )
    hive_env.worker().apply(effect)
    assert "nope" in hive_env.instance.ledger.effects.get(effect).error


def test_a_bot_that_fails_fails_alone(hive_env: HiveEnv) -> None:
    """A fault in a bot ends its job, is recorded, and nothing of it is done."""
    issue = file(hive_env)
    ledger = hive_env.instance.ledger
    nobody = IssueOpened(Ref(Repo(APP.forge, APP.owner, "never"), 1), User(1, "x"), "k")
    jobs = ledger.jobs.enqueue("acme", [("wakes", nobody), ("gone", IssueOpened(issue.ref, User(1, "x"), "k2"))])
    worker = hive_env.worker()
    for job in jobs:
        worker.run_job(job)
    assert [row.action for row in ledger.audit.after(0)] == ["job_failed", "job_failed"]
    assert ledger.effects.due() == []


def test_records_and_tags_are_made_once(hive_env: HiveEnv) -> None:
    """The record of a deployment and its tag can be owed twice."""
    sha = hive_env.mara.branch(CONFIG, "main").sha
    meta = dataclasses.replace(CONFIG, owner="hive", name="meta")
    worker = hive_env.worker()
    for number in range(2):
        for action in (
            CommitFile(meta, "deployed/iris", "abc\n", "deploy iris", LOG, key=f"c{number}", start="main"),
            CreateTag(CONFIG, "deployed/1", sha, "deploy iris", key=f"t{number}"),
            OpenIssue(CONFIG, "look", "there", key="same"),
        ):
            worker.apply(enqueue(hive_env.instance.ledger, "acme", "core", action, by="host"))
    assert hive_env.mara.file(meta, "deployed/iris", LOG) == b"abc\n"
    failed = [row.detail for row in hive_env.instance.ledger.audit.after(0) if row.action == "effect_failed"]
    assert failed == []


def test_the_sweep_finds_what_no_webhook_told(hive_env: HiveEnv) -> None:
    """It makes the same events under the same keys, so that nothing is looked at twice."""
    issue = file(hive_env)
    instance = hive_env.instance
    found = pollers(instance)[0]
    jobs = found.sweep().jobs
    assert jobs
    assert found.sweep().jobs == ()
    worker = hive_env.worker()
    for job in jobs:
        worker.run_job(job)
    assert [user.login for user in hive_env.mara.issue(issue.ref).assignees] == ["iris"]


def test_what_was_there_before_is_no_work(hive_env: HiveEnv) -> None:
    """A repository that the hive comes to is not swept from its beginning."""
    file(hive_env)
    instance = hive_env.instance
    with instance.ledger.transaction() as db:
        db.execute("DELETE FROM cursors")
    for found in pollers(instance):
        assert found.sweep().jobs == ()


def _pull(hive_env: HiveEnv) -> Ref:
    """A pull request on the configuration of iris."""
    with GiteaForge(
        name="forgejo", url=hive_env.forge.url, token=hive_env.instance.secret_store.token("forgejo", "core")
    ) as core:
        hive_env.mara._client.post("/repos/agent-configs/iris/branches", new_branch_name="side", old_ref_name="main")
        core.put_file(CONFIG, "notes", b"x", message="x", branch="side")
        return core.open_pull(CONFIG, head="side", base="main", title="Notes", body="").ref


def test_the_same_refusal_is_said_once(hive_env: HiveEnv) -> None:
    """An agent that has nothing new to say says nothing: long words are not said twice in a row, short answers are."""
    issue = file(hive_env)
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    refusal = "I am the scripted model: I can apply a change, but I cannot think of one. " * 2
    for number, words in enumerate((refusal, refusal, "Yes.", "Yes.", refusal)):
        worker.apply(enqueue(ledger, "acme", "iris", PostAnswer(issue.ref, words, key=f"run1:end:{number}"), by="run"))
    said = [body.partition("\n")[0].strip() for body in comments(hive_env, issue.ref)]
    assert said == [refusal.strip(), "Yes.", "Yes.", refusal.strip()]
    assert ledger.backlog.failed() == []
