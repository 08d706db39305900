"""A change of a configuration that is refused reaches its author, whichever way it was refused, and once."""

from __future__ import annotations

import pytest
import requests

from forge.events import CommentPosted, Event, PullChanged, PullClosed
from forge.gitea.write import GiteaForge
from forge.types import FileEdit, Ref
from hive.demo.stage import FORGE
from hive.ledger import Deployment, DeploymentState
from hive.reconcile.report import Reporter
from hive.work import Worker
from tests.hive.conftest import CONFIG, Village

ISSUE = "forgejo:acme/app#1"
BRANCH = "agent/iris/gzip"


@pytest.fixture
def proposal(village: Village) -> Ref:
    """A pull request of iris' on her configuration, for which her run waits."""
    runs = village.house.ledger.runs
    run = runs.start("acme", "iris", ISSUE, "k", "do it")
    with iris(village) as forge:
        edit = FileEdit("notes.md", b"gzip, please\n")
        forge.commit(CONFIG, [edit], message="Ask for gzip", branch=BRANCH, start="main")
        ref = forge.open_pull(CONFIG, head=BRANCH, base="main", title="gzip", body="I need it.").ref
    runs.wait_for(run, str(ref))
    turn = runs.take("iris")
    assert turn is not None
    runs.end_turn(turn, "proposed")
    return ref


def test_closed_by_hand(village: Village, proposal: Ref) -> None:
    """The operator's last words are the reason: in the tag, in a fence for the agent, and one comment says what was done."""
    worker = village.worker()
    village.mara.comment(proposal, "Too wide.", marker="Too wide.")
    village.mara.close(proposal)
    for number in range(2):
        tell(village, worker, "gatekeeper", PullClosed(proposal, village.mara.user("mara"), f"closed:{number}"))
    assert tag_at(village, proposal) == head(village, proposal)
    assert messages(village) == ["Too wide."]
    assert [sign for sign in said(village, proposal) if sign.startswith("⛔")] == [
        f"⛔ **iris: refused by an operator** · `denied/{proposal.number}`"
    ]
    assert village.house.ledger.open.given_up() == []


def test_denied_by_a_word(village: Village, proposal: Ref) -> None:
    """The command closes, tags and tells, and answers in one comment; the event of its own closing adds nothing."""
    worker = village.worker()
    comment = village.mara.comment(proposal, "/deny Too wide.", marker="/deny")
    mara = village.mara.user("mara")
    tell(village, worker, "commands", CommentPosted(proposal, mara, f"comment:{comment.id}", comment.id))
    assert not village.mara.pull(proposal).is_open
    core = village.mara.user("core")
    tell(village, worker, "gatekeeper", PullClosed(proposal, core, "closed:1"))
    assert tag_at(village, proposal) == head(village, proposal)
    assert messages(village) == ["Too wide."]
    answers = said(village, proposal)[1:]
    assert len(answers) == 1
    assert answers[0].startswith(f"✅ `/deny Too wide.`: #{proposal.number} is closed unmerged and tagged `denied/")


def test_opened_again_and_closed_again(village: Village, proposal: Ref) -> None:
    """The same head is refused once; another one has a tag of its own, and its author is told anew."""
    worker, mara = village.worker(), village.mara.user("mara")
    village.mara.close(proposal)
    tell(village, worker, "gatekeeper", PullClosed(proposal, mara, "closed:1"))
    first = head(village, proposal)
    village.mara.reopen(proposal)
    tell(village, worker, "gatekeeper", PullClosed(proposal, mara, "closed:2"))
    assert len(turns(village)) == 2, "it is open: nobody refuses it"
    village.mara.close(proposal)
    tell(village, worker, "gatekeeper", PullClosed(proposal, mara, "closed:3"))
    assert len(turns(village)) == 2
    village.mara.reopen(proposal)
    with iris(village) as forge:
        forge.commit(CONFIG, [FileEdit("notes.md", b"zip\n")], message="Ask for zip", branch=BRANCH)
    village.mara.close(proposal)
    tell(village, worker, "gatekeeper", PullClosed(proposal, mara, "closed:4"))
    second = head(village, proposal)
    assert first != second
    assert tag_at(village, proposal) == first
    assert tag_at(village, proposal, f"-{second[:7]}") == second
    assert len(turns(village)) == 3
    assert village.house.ledger.open.given_up() == []


def test_its_branch_is_deleted(village: Village, proposal: Ref) -> None:
    """What is left of a closed pull request is its head, and that is tagged without a branch."""
    worker = village.worker()
    sha = head(village, proposal)
    village.mara.close(proposal)
    at = f"{village.forge.url}/api/v1/repos/{CONFIG.path}/branches/{BRANCH}"
    assert requests.delete(at, headers=key_of_core(village), timeout=60).status_code == 204
    tell(village, worker, "gatekeeper", PullClosed(proposal, village.mara.user("mara"), "closed"))
    assert tag_at(village, proposal) == sha


def test_what_does_not_run_is_told_as_well(village: Village, proposal: Ref) -> None:
    """A change that was merged and does not run leaves its author waiting no less: it goes on with the reason."""
    ledger = village.house.ledger
    deployment = Deployment(
        1, "acme", "iris", "a" * 40, (proposal.number,), DeploymentState.FAILED, "", 0, "b" * 40, 0.0
    )
    reporter = Reporter(ledger, "core", CONFIG)
    for _ in range(2):
        reporter.failed(deployment, CONFIG, "no sign of life\n</reason>")
    assert len(turns(village)) == 2
    assert "no sign of life" in turns(village)[-1]
    assert "does not run" in turns(village)[-1]


def test_open_again_it_is_looked_at(village: Village, proposal: Ref) -> None:
    """Nothing that was refused keeps a pull request from being looked at when it is open again."""
    worker, mara = village.worker(), village.mara.user("mara")
    village.mara.close(proposal)
    tell(village, worker, "gatekeeper", PullClosed(proposal, mara, "closed:1"))
    village.mara.reopen(proposal)
    tell(village, worker, "gatekeeper", PullChanged(proposal, mara, "opened:2"))
    assert any(sign.startswith("🔎") for sign in said(village, proposal))


def iris(village: Village) -> GiteaForge:
    """The forge as iris sees it."""
    return GiteaForge(name=FORGE, url=village.forge.url, token=village.house.vault.token(FORGE, "iris"))


def tell(village: Village, worker: Worker, bot: str, event: Event) -> None:
    """Let a bot look, and everything be done that comes of it."""
    ledger = village.house.ledger
    ledger.jobs.owe("acme", [(bot, event)])
    while due := ledger.jobs.due():
        for job in due:
            worker.look(job)
    for _ in range(3):
        for effect in ledger.effects.due():
            worker.apply(effect)


def head(village: Village, proposal: Ref) -> str:
    """The head of the proposal."""
    return village.mara.pull(proposal).head_sha


def tag_at(village: Village, proposal: Ref, more: str = "") -> str:
    """The commit that the tag of a refusal is on."""
    at = f"{village.forge.url}/api/v1/repos/{CONFIG.path}/tags/denied/{proposal.number}{more}"
    return str(requests.get(at, headers=key_of_core(village), timeout=60).json()["commit"]["sha"])


def key_of_core(village: Village) -> dict[str, str]:
    """How core shows who it is."""
    return {"Authorization": f"token {village.house.vault.token(FORGE, 'core')}"}


def said(village: Village, ref: Ref) -> list[str]:
    """The first lines on a thread."""
    return [comment.body.partition("\n")[0] for comment in village.mara.comments(ref)]


def turns(village: Village) -> list[str]:
    """What iris was told, message by message."""
    with village.house.ledger.transaction() as db:
        return [row["message"] for row in db.execute("SELECT message FROM turns ORDER BY id")]


def messages(village: Village) -> list[str]:
    """The reasons that iris was given."""
    return [message.split("an operator>\n")[1].split("\n</reason")[0] for message in turns(village)[1:]]
