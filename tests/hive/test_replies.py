"""Replies to remarks on code are heard as comments are: by both doors, once, and with what they answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forge.embedded.services import people, reviews
from forge.gitea.write import GiteaForge
from forge.protocol import NotFound
from forge.types import FileEdit, PullRequest, ReviewComment, ReviewState
from forge.webhook import Delivery
from hive.ledger import pack
from hive.work import Worker
from tests.hive.conftest import APP, Village
from tests.hive.test_commands import drain, run_of, sweep


@pytest.fixture
def worker(village: Village) -> Worker:
    """A worker of the house."""
    return village.worker()


@pytest.fixture
def pull(village: Village, worker: Worker) -> PullRequest:
    """A pull request of a run of iris', with a remark of core's on its first line."""
    return begun(village, worker)


def begun(village: Village, worker: Worker, text: bytes = b"x = 1\n") -> PullRequest:
    """The same, of a file with these words."""
    village.mara.commit(APP, [FileEdit("b", b"b\n")], message="b", branch="trunk", start="main")
    issue = village.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref
    sweep(village)
    drain(village, worker)
    village.mara.commit(APP, [FileEdit("a.py", text)], message="a", branch="agent/iris/1", start="trunk")
    made = village.mara.open_pull(APP, head="agent/iris/1", base="trunk", title="Mend it", body="")
    village.house.ledger.runs.set_pull(run_of(village, issue).id, str(made.ref))
    token = village.house.vault.token(APP.forge, "core")
    with GiteaForge(name=APP.forge, url=village.forge.url, token=token) as core:
        remark = ReviewComment("a.py", 1, "What is x?")
        said = {"state": ReviewState.COMMENT, "body": "m", "comments": [remark], "marker": "m"}
        core.review(made.ref, head_sha=made.head_sha, **said)  # type: ignore[arg-type]
    sweep(village)
    drain(village, worker)
    first = village.house.ledger.runs.take("iris")
    assert first is not None
    village.house.ledger.runs.end_turn(first, "said")
    assert village.house.ledger.runs.take("iris") is None
    return made


def answer(village: Village, pull: PullRequest, body: str) -> int:
    """Mara answers the remark, as on a page of the forge."""
    site = village.forge.site
    issue = site.state.row("SELECT * FROM issues WHERE is_pull AND number = ?", pull.ref.number)
    remark = site.state.row("SELECT * FROM comments WHERE kind = 'code' ORDER BY id")
    assert issue is not None
    assert remark is not None
    return int(reviews.reply(site, people.get(site, "mara"), issue, remark, body)["id"])


def deliver(village: Village) -> None:
    """The delivery that the forge made of it comes in."""
    row = village.forge.site.state.row("SELECT * FROM deliveries ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert row["kind"] == "pull_request_comment"
    body = row["body"].encode()
    assert village.house.ledger.intake.receive(Delivery(APP.forge, row["uuid"], row["kind"], body), pack(body))


@pytest.mark.parametrize("doors", [(deliver,), (sweep,), (deliver, sweep), (sweep, deliver)])
def test_heard_once(
    village: Village, worker: Worker, pull: PullRequest, doors: tuple[Callable[[Village], None], ...]
) -> None:
    """An operator's reply reaches the run that it is for, once, whichever door it came in by."""
    key = answer(village, pull, "Please rename it.")
    with pytest.raises(NotFound):
        village.mara.comment_by_id(pull.ref, key)
    for door in doors:
        door(village)
        drain(village, worker)
    turn = village.house.ledger.runs.take("iris")
    assert turn is not None
    for words in ("Please rename it.", "What is x?", "`a.py`, line 1"):
        assert turn.message.count(words) == 1
    village.house.ledger.runs.end_turn(turn, "said")
    assert village.house.ledger.runs.take("iris") is None


@pytest.mark.parametrize("door", [deliver, sweep])
def test_a_command_in_a_reply_is_done(
    village: Village, worker: Worker, pull: PullRequest, door: Callable[[Village], None]
) -> None:
    """Commands work in replies as they do in comments, and are answered on the thread."""
    answer(village, pull, "/cancel")
    door(village)
    drain(village, worker)
    run = village.house.ledger.runs.find(str(pull.ref))
    assert run is not None
    assert (run.state, run.outcome) == ("ended", "cancelled")
    assert any("`/cancel`" in comment.body for comment in village.mara.comments(pull.ref))
