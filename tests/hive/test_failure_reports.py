"""A look that is given up is told: where its verdict is waited for, or to the operators once a day."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from bots.bot import Bot, Context
from bots.intents import Intent, PostComment
from forge.embedded.faults import Fault
from forge.events import CommentPosted, Event, IssueOpened, PullChanged, PullMerged, ReviewAsked
from forge.gitea.writer import GiteaForge
from forge.models import CommitStatus, FileEdit, Issue, Ref, Repo, User
from forge.protocol import NotFound
from hive.app.work import worker_deps
from hive.demo.setup import FORGE
from hive.ledger import Ledger, Origin
from hive.ledger.jobs import MAX_ATTEMPTS, MAX_DEATHS
from hive.worker.worker import Worker
from tests.hive.conftest import APP, HiveEnv

WORDS = "boom @mara <b> #1 fixes #1"


def failing(error: Exception) -> Bot:
    """A bot that fails at whatever it looks at, and owes verdicts under the name of the reviewer."""
    bot = Bot("review", may={PostComment}, listens_to_bots={"core"}, verdict="hive/review")

    def fail(event: Event, ctx: Context) -> Iterable[Intent]:
        raise error

    for kind in (IssueOpened, CommentPosted, PullChanged, PullMerged, ReviewAsked):
        bot.on(kind)(fail)
    return bot


def worker_with(hive_env: HiveEnv, *bots: Bot) -> Worker:
    """A worker of the house with these bots only."""
    return Worker(dataclasses.replace(worker_deps(hive_env.instance), bots={bot.name: bot for bot in bots}))


def look(ledger: Ledger, worker: Worker, *events: Event, bot: str = "review", by_person: bool = True) -> None:
    """Let a bot look at events, one after another and as often as it is tried, and do what is owed then."""
    for event in events:
        (job,) = ledger.jobs.enqueue("acme", [(bot, event)], origin=Origin(by_person=by_person))
        for _ in range(MAX_ATTEMPTS):
            worker.run_job(job)
            at_once(ledger)
    make_env(ledger, worker)


def make_env(ledger: Ledger, worker: Worker) -> None:
    """Do what is owed."""
    while due := ledger.effects.due():
        for effect in due:
            worker.apply(effect)


def at_once(ledger: Ledger) -> None:
    """What was postponed is due now."""
    with ledger.transaction() as db:
        db.execute("UPDATE jobs SET next_at = 0")


def proposed(hive_env: HiveEnv) -> Ref:
    """A pull request."""
    hive_env.mara._client.post(f"/repos/{APP.path}/branches", new_branch_name="side", old_ref_name="main")
    with GiteaForge(
        name=FORGE, url=hive_env.forge.url, token=hive_env.instance.secret_store.token(FORGE, "core")
    ) as forge:
        forge.commit(APP, [FileEdit("notes", b"x\n")], message="Note it", branch="side")
        return forge.open_pull(APP, head="side", base="main", title="Notes", body="").ref


def shown(hive_env: HiveEnv, pull: Ref) -> CommitStatus:
    """The newest `hive/review` on the head of a pull request."""
    statuses = hive_env.mara.statuses(APP, hive_env.mara.pull(pull).head_sha)
    return next(found for found in statuses if found.context == "hive/review")


def said(hive_env: HiveEnv, ref: Ref) -> list[str]:
    """What stands on a thread."""
    return [comment.body.partition("\n\n<!--")[0] for comment in hive_env.mara.comments(ref)]


def told(hive_env: HiveEnv) -> list[Issue]:
    """What the operators were told."""
    ever = datetime.fromtimestamp(0, UTC)
    return [issue for issue in hive_env.mara.changed_since(hive_env.instance.ops("acme"), ever) if "bot" in issue.title]


@pytest.fixture
def issue(hive_env: HiveEnv) -> Issue:
    """An issue of mara's, the first one."""
    return hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows")


def test_a_bot_that_fails_is_told_once_a_day(hive_env: HiveEnv, issue: Issue) -> None:
    """One issue for a bot and a kind of event, however often it fails; its words call nobody and link nothing."""
    ledger, worker = hive_env.instance.ledger, worker_with(hive_env, failing(RuntimeError(WORDS)))
    look(ledger, worker, *(IssueOpened(issue.ref, issue.author, f"k{number}") for number in range(3)))
    (first,) = told(hive_env)
    assert first.title == "🔴 The bot review failed at issue opened"
    assert first.body.startswith(f"`RuntimeError: {WORDS}`\n\nIt is not retried. The job (`job:1`)")
    look(ledger, worker, CommentPosted(issue.ref, issue.author, "c", comment_id=1))
    assert len(told(hive_env)) == 2
    assert said(hive_env, issue.ref) == []


def test_nonsense_to_the_end_is_told(hive_env: HiveEnv, issue: Issue) -> None:
    """A forge that shows no sense at each attempt, and only there, is given up and told; the other way round it is not."""
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    path = f"/api/v1/repos/{APP.path}/issues/{issue.ref.number}"
    hive_env.forge.faults.put(Fault("html", method="GET", path=path, times=10_000))
    look(ledger, worker, IssueOpened(issue.ref, issue.author, "k"), bot="triage")
    assert [found.title for found in told(hive_env)] == ["🔴 The bot triage failed at issue opened"]
    assert [row.action for row in ledger.audit.after(0)].count("job_failed") == 1
    hive_env.forge.faults.clear()
    look(ledger, worker, CommentPosted(issue.ref, issue.author, "c", comment_id=1), bot="triage")
    assert len(told(hive_env)) == 1


def test_what_killed_its_worker_each_time_is_told(hive_env: HiveEnv, issue: Issue) -> None:
    """Nobody lived to tell of it: whoever scans next does, once."""
    ledger, worker = hive_env.instance.ledger, worker_with(hive_env, failing(RuntimeError(WORDS)))
    (job,) = ledger.jobs.enqueue("acme", [("review", IssueOpened(issue.ref, issue.author, "k"))])
    for _ in range(MAX_DEATHS):
        assert ledger.jobs.claim(job) is not None
        ledger.expire_leases()
    assert ledger.jobs.claim(job) is None
    for _ in range(2):
        worker.fail_deadly()
        make_env(ledger, worker)
    (found,) = told(hive_env)
    assert f"its worker died at each of the last {MAX_DEATHS} attempts" in found.body
    assert [item.id for item in ledger.backlog.failed()] == [job]


def test_a_verdict_that_never_comes_is_told_where_it_is_waited_for(hive_env: HiveEnv, issue: Issue) -> None:
    """The head's status is an error in words, one comment says so for each head, and no issue is filed."""
    pull = proposed(hive_env)
    ledger, worker = hive_env.instance.ledger, worker_with(hive_env, failing(RuntimeError(WORDS)))
    look(ledger, worker, PullChanged(pull, issue.author, "k"), ReviewAsked(pull, issue.author, "a"))
    look(ledger, worker, ReviewAsked(pull, issue.author, "b"))
    status, sha = shown(hive_env, pull), hive_env.mara.pull(pull).head_sha[:7]
    assert (status.state.value, status.description) == ("error", f"🔴 not reviewed: RuntimeError: {WORDS}")
    (words,) = said(hive_env, pull)
    assert words.startswith(f"🔴 **Not reviewed** · `hive/review` at `{sha}`\n\n`RuntimeError: {WORDS}`\n")
    assert told(hive_env) == []
    look(ledger, worker, PullMerged(pull, issue.author, "m"))
    assert len(told(hive_env)) == 1, "of a merge no verdict is waited for"
    look(ledger, hive_env.worker(), ReviewAsked(pull, issue.author, "again", again=True))
    assert shown(hive_env, pull).state.value == "success"


def test_a_pull_request_that_cannot_be_read(hive_env: HiveEnv, issue: Issue) -> None:
    """What the hive knows of its head is enough to say that nobody looked; who knows nothing tells the operators."""
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    pull = proposed(hive_env)
    path = f"/api/v1/repos/{APP.path}/pulls/{pull.number}"
    rule = Fault("html", method="GET", path=path, times=10_000)
    hive_env.forge.faults.put(rule)
    look(ledger, worker, PullChanged(pull, issue.author, "early"))
    assert [found.title for found in told(hive_env)] == ["🔴 The bot review failed at pull request changed"]
    hive_env.forge.faults.clear()
    look(ledger, worker, PullChanged(pull, issue.author, "k"))
    (asked,) = ledger.jobs.due()
    hive_env.forge.faults.put(rule)
    for _ in range(MAX_ATTEMPTS):
        worker.run_job(asked)
        at_once(ledger)
    make_env(ledger, worker)
    hive_env.forge.faults.clear()
    assert shown(hive_env, pull).state.value == "error"
    assert shown(hive_env, pull).description.startswith("🔴 not reviewed: ")


def test_what_needs_nobody_is_not_told(hive_env: HiveEnv, issue: Issue) -> None:
    """What is gone, was overtaken by a newer look or closed, is of a team or a bot that is no more, or tells of itself: no word."""
    ledger, meta = hive_env.instance.ledger, hive_env.instance.ops("acme")
    pull, mara = proposed(hive_env), hive_env.mara.user("mara")
    gone = worker_with(hive_env, failing(NotFound("no such thing")))
    look(
        ledger, gone, IssueOpened(issue.ref, mara, "gone"), PullMerged(Ref(Repo(FORGE, "acme", "never"), 1), mara, "g")
    )
    worker = worker_with(hive_env, failing(RuntimeError(WORDS)))
    look(ledger, worker, IssueOpened(Ref(meta, 1), User(1, "core"), "own"), by_person=False)
    first = ledger.jobs.enqueue("acme", [("review", ReviewAsked(pull, mara, "first"))])[0]
    ledger.jobs.enqueue("acme", [("review", ReviewAsked(pull, mara, "second"))])
    worker.run_job(first)
    other = ledger.jobs.enqueue("nobody", [("review", IssueOpened(issue.ref, mara, "other"))])[0]
    worker.run_job(other)
    unknown = ledger.jobs.enqueue("acme", [("dismissed", IssueOpened(issue.ref, mara, "dismissed"))])[0]
    worker.run_job(unknown)
    make_env(ledger, worker)
    assert len(ledger.backlog.failed()) == 6
    hive_env.mara.close(pull)
    for job in ledger.jobs.due():
        worker.run_job(job)
    make_env(ledger, worker)
    assert (told(hive_env), said(hive_env, pull), hive_env.mara.statuses(APP, hive_env.mara.pull(pull).head_sha)) == (
        [],
        [],
        [],
    )
