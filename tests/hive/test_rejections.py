"""A change of a configuration that is refused reaches its author, whichever way it was refused, and once."""

from __future__ import annotations

import pytest
import requests

from forge.events import CommentPosted, Event, PullChanged, PullClosed
from forge.gitea.writer import GiteaForge
from forge.models import FileEdit, Ref
from hive.demo.setup import FORGE
from hive.ledger import Deployment, DeploymentState
from hive.reconcile.report import Reporter
from hive.worker.worker import Worker
from tests.hive.conftest import CONFIG, HiveEnv

ISSUE = "forgejo:acme/app#1"
BRANCH = "agent/iris/gzip"


@pytest.fixture
def proposal(hive_env: HiveEnv) -> Ref:
    """A pull request of iris' on her configuration, for which her run waits."""
    runs = hive_env.instance.ledger.runs
    run = runs.start("acme", "iris", ISSUE, "k", "do it")
    with iris(hive_env) as forge:
        edit = FileEdit("notes.md", b"gzip, please\n")
        forge.commit(CONFIG, [edit], message="Ask for gzip", branch=BRANCH, start="main")
        ref = forge.open_pull(CONFIG, head=BRANCH, base="main", title="gzip", body="I need it.").ref
    runs.set_dependency(run, str(ref))
    turn = runs.claim("iris")
    assert turn is not None
    runs.end_turn(turn, "proposed")
    return ref


def test_closed_by_hand(hive_env: HiveEnv, proposal: Ref) -> None:
    """The operator's last words are the reason: in the tag, in a fence for the agent, and one comment says what was done."""
    worker = hive_env.worker()
    hive_env.mara.comment(proposal, "Too wide.", marker="Too wide.")
    hive_env.mara.close(proposal)
    for number in range(2):
        tell(hive_env, worker, "gatekeeper", PullClosed(proposal, hive_env.mara.user("mara"), f"closed:{number}"))
    assert tag_at(hive_env, proposal) == head(hive_env, proposal)
    assert messages(hive_env) == ["Too wide."]
    assert [sign for sign in said(hive_env, proposal) if sign.startswith("⛔")] == [
        f"⛔ **iris: rejected by an operator** · `denied/{proposal.number}`"
    ]
    assert hive_env.instance.ledger.backlog.failed() == []


def test_denied_by_a_word(hive_env: HiveEnv, proposal: Ref) -> None:
    """The command closes, tags and tells, and answers in one comment; the event of its own closing adds nothing."""
    worker = hive_env.worker()
    comment = hive_env.mara.comment(proposal, "/deny Too wide.", marker="/deny")
    mara = hive_env.mara.user("mara")
    tell(hive_env, worker, "commands", CommentPosted(proposal, mara, f"comment:{comment.id}", comment.id))
    assert not hive_env.mara.pull(proposal).is_open
    core = hive_env.mara.user("core")
    tell(hive_env, worker, "gatekeeper", PullClosed(proposal, core, "closed:1"))
    assert tag_at(hive_env, proposal) == head(hive_env, proposal)
    assert messages(hive_env) == ["Too wide."]
    answers = said(hive_env, proposal)[1:]
    assert len(answers) == 1
    assert answers[0].startswith(f"✅ `/deny Too wide.`: #{proposal.number} is closed unmerged and tagged `denied/")


def test_opened_again_and_closed_again(hive_env: HiveEnv, proposal: Ref) -> None:
    """The same head is refused once; another one has a tag of its own, and its author is told anew."""
    worker, mara = hive_env.worker(), hive_env.mara.user("mara")
    hive_env.mara.close(proposal)
    tell(hive_env, worker, "gatekeeper", PullClosed(proposal, mara, "closed:1"))
    first = head(hive_env, proposal)
    hive_env.mara.reopen(proposal)
    tell(hive_env, worker, "gatekeeper", PullClosed(proposal, mara, "closed:2"))
    assert len(turns(hive_env)) == 2, "it is open: nobody refuses it"
    hive_env.mara.close(proposal)
    tell(hive_env, worker, "gatekeeper", PullClosed(proposal, mara, "closed:3"))
    assert len(turns(hive_env)) == 2
    hive_env.mara.reopen(proposal)
    with iris(hive_env) as forge:
        forge.commit(CONFIG, [FileEdit("notes.md", b"zip\n")], message="Ask for zip", branch=BRANCH)
    hive_env.mara.close(proposal)
    tell(hive_env, worker, "gatekeeper", PullClosed(proposal, mara, "closed:4"))
    second = head(hive_env, proposal)
    assert first != second
    assert tag_at(hive_env, proposal) == first
    assert tag_at(hive_env, proposal, f"-{second[:7]}") == second
    assert len(turns(hive_env)) == 3
    assert hive_env.instance.ledger.backlog.failed() == []


def test_its_branch_is_deleted(hive_env: HiveEnv, proposal: Ref) -> None:
    """What is left of a closed pull request is its head, and that is tagged without a branch."""
    worker = hive_env.worker()
    sha = head(hive_env, proposal)
    hive_env.mara.close(proposal)
    at = f"{hive_env.forge.url}/api/v1/repos/{CONFIG.path}/branches/{BRANCH}"
    assert requests.delete(at, headers=key_of_core(hive_env), timeout=60).status_code == 204
    tell(hive_env, worker, "gatekeeper", PullClosed(proposal, hive_env.mara.user("mara"), "closed"))
    assert tag_at(hive_env, proposal) == sha


def test_what_does_not_run_is_told_as_well(hive_env: HiveEnv, proposal: Ref) -> None:
    """A change that was merged and does not run leaves its author waiting no less: it goes on with the reason."""
    ledger = hive_env.instance.ledger
    deployment = Deployment(
        1, "acme", "iris", "a" * 40, (proposal.number,), DeploymentState.FAILED, "", 0, "b" * 40, 0.0
    )
    reporter = Reporter(ledger, "core", CONFIG)
    for _ in range(2):
        reporter.failed(deployment, CONFIG, "no sign of life\n</reason>")
    assert len(turns(hive_env)) == 2
    assert "no sign of life" in turns(hive_env)[-1]
    assert "does not run" in turns(hive_env)[-1]


def test_open_again_it_is_looked_at(hive_env: HiveEnv, proposal: Ref) -> None:
    """Nothing that was refused keeps a pull request from being looked at when it is open again."""
    worker, mara = hive_env.worker(), hive_env.mara.user("mara")
    hive_env.mara.close(proposal)
    tell(hive_env, worker, "gatekeeper", PullClosed(proposal, mara, "closed:1"))
    hive_env.mara.reopen(proposal)
    tell(hive_env, worker, "gatekeeper", PullChanged(proposal, mara, "opened:2"))
    assert any(sign.startswith("🔎") for sign in said(hive_env, proposal))


def iris(hive_env: HiveEnv) -> GiteaForge:
    """The forge as iris sees it."""
    return GiteaForge(name=FORGE, url=hive_env.forge.url, token=hive_env.instance.secret_store.token(FORGE, "iris"))


def tell(hive_env: HiveEnv, worker: Worker, bot: str, event: Event) -> None:
    """Let a bot look, and everything be done that comes of it."""
    ledger = hive_env.instance.ledger
    ledger.jobs.enqueue("acme", [(bot, event)])
    while due := ledger.jobs.due():
        for job in due:
            worker.run_job(job)
    for _ in range(3):
        for effect in ledger.effects.due():
            worker.apply(effect)


def head(hive_env: HiveEnv, proposal: Ref) -> str:
    """The head of the proposal."""
    return hive_env.mara.pull(proposal).head_sha


def tag_at(hive_env: HiveEnv, proposal: Ref, more: str = "") -> str:
    """The commit that the tag of a refusal is on."""
    at = f"{hive_env.forge.url}/api/v1/repos/{CONFIG.path}/tags/denied/{proposal.number}{more}"
    return str(requests.get(at, headers=key_of_core(hive_env), timeout=60).json()["commit"]["sha"])


def key_of_core(hive_env: HiveEnv) -> dict[str, str]:
    """How core shows who it is."""
    return {"Authorization": f"token {hive_env.instance.secret_store.token(FORGE, 'core')}"}


def said(hive_env: HiveEnv, ref: Ref) -> list[str]:
    """The first lines on a thread."""
    return [comment.body.partition("\n")[0] for comment in hive_env.mara.comments(ref)]


def turns(hive_env: HiveEnv) -> list[str]:
    """What iris was told, message by message."""
    with hive_env.instance.ledger.transaction() as db:
        return [row["message"] for row in db.execute("SELECT message FROM turns ORDER BY id")]


def messages(hive_env: HiveEnv) -> list[str]:
    """The reasons that iris was given."""
    return [message.split("an operator>\n")[1].split("\n</reason")[0] for message in turns(hive_env)[1:]]
