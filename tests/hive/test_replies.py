"""Replies to remarks on code are heard as comments are: by both doors, once, and with what they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forge.embedded import FORGEJO_17
from forge.embedded.services import people, reviews
from forge.gitea.writer import GiteaForge
from forge.models import FileEdit, PullRequest, ReviewComment, ReviewState
from forge.protocol import NotFound
from forge.webhook import Delivery
from hive.ledger import compress
from hive.worker.worker import Worker
from tests.hive.conftest import APP, HiveEnv, later_snapshot, make_env
from tests.hive.test_commands import drain, run_of, sweep


@pytest.fixture
def hive_env(tmp_path: Path) -> Iterator[HiveEnv]:
    """A house with a pull request of a run of iris', with a remark of core's on its first line."""
    with make_env(tmp_path, first=later_snapshot(FORGEJO_17.name, begun)) as made:
        yield made


@pytest.fixture
def worker(hive_env: HiveEnv) -> Worker:
    """A worker of the house."""
    return hive_env.worker()


@pytest.fixture
def pull(hive_env: HiveEnv) -> PullRequest:
    """That pull request."""
    (found,) = hive_env.mara.open_pulls(APP)
    return found


def begun(hive_env: HiveEnv, text: bytes = b"x = 1\n") -> PullRequest:
    """A run of iris' gets a pull request of a file with these words, with a remark of core's on its first line."""
    worker = hive_env.worker()
    hive_env.mara.commit(APP, [FileEdit("b", b"b\n")], message="b", branch="trunk", start="main")
    issue = hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows").ref
    sweep(hive_env)
    drain(hive_env, worker)
    hive_env.mara.commit(APP, [FileEdit("a.py", text)], message="a", branch="agent/iris/1", start="trunk")
    made = hive_env.mara.open_pull(APP, head="agent/iris/1", base="trunk", title="Mend it", body="")
    hive_env.instance.ledger.runs.set_pull(run_of(hive_env, issue).id, str(made.ref))
    token = hive_env.instance.secret_store.token(APP.forge, "core")
    with GiteaForge(name=APP.forge, url=hive_env.forge.url, token=token) as core:
        remark = ReviewComment("a.py", 1, "What is x?")
        said = {"state": ReviewState.COMMENT, "body": "m", "comments": [remark], "marker": "m"}
        core.review(made.ref, head_sha=made.head_sha, **said)  # type: ignore[arg-type]
    sweep(hive_env)
    drain(hive_env, worker)
    first = hive_env.instance.ledger.runs.claim("iris")
    assert first is not None
    hive_env.instance.ledger.runs.end_turn(first, "said")
    assert hive_env.instance.ledger.runs.claim("iris") is None
    return made


def answer(hive_env: HiveEnv, pull: PullRequest, body: str) -> int:
    """Mara answers the remark, as on a page of the forge."""
    site = hive_env.forge.site
    issue = site.state.row("SELECT * FROM issues WHERE is_pull AND number = ?", pull.ref.number)
    remark = site.state.row("SELECT * FROM comments WHERE kind = 'code' ORDER BY id")
    assert issue is not None
    assert remark is not None
    return int(reviews.reply(site, people.get(site, "mara"), issue, remark, body)["id"])


def deliver(hive_env: HiveEnv) -> None:
    """The delivery that the forge made of it comes in."""
    row = hive_env.forge.site.state.row("SELECT * FROM deliveries ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert row["kind"] == "pull_request_comment"
    body = row["body"].encode()
    assert hive_env.instance.ledger.deliveries.receive(
        Delivery(APP.forge, row["uuid"], row["kind"], body), compress(body)
    )


@pytest.mark.parametrize("doors", [(deliver,), (sweep,), (deliver, sweep), (sweep, deliver)])
def test_heard_once(
    hive_env: HiveEnv, worker: Worker, pull: PullRequest, doors: tuple[Callable[[HiveEnv], None], ...]
) -> None:
    """An operator's reply reaches the run that it is for, once, whichever door it came in by."""
    key = answer(hive_env, pull, "Please rename it.")
    with pytest.raises(NotFound):
        hive_env.mara.comment_by_id(pull.ref, key)
    for door in doors:
        door(hive_env)
        drain(hive_env, worker)
    turn = hive_env.instance.ledger.runs.claim("iris")
    assert turn is not None
    for words in ("Please rename it.", "What is x?", "`a.py`, line 1"):
        assert turn.message.count(words) == 1
    hive_env.instance.ledger.runs.end_turn(turn, "said")
    assert hive_env.instance.ledger.runs.claim("iris") is None


@pytest.mark.parametrize("door", [deliver, sweep])
def test_a_command_in_a_reply_is_done(
    hive_env: HiveEnv, worker: Worker, pull: PullRequest, door: Callable[[HiveEnv], None]
) -> None:
    """Commands work in replies as they do in comments, and are answered on the thread."""
    answer(hive_env, pull, "/cancel")
    door(hive_env)
    drain(hive_env, worker)
    run = hive_env.instance.ledger.runs.find(str(pull.ref))
    assert run is not None
    assert (run.state, run.outcome) == ("ended", "cancelled")
    assert any("`/cancel`" in comment.body for comment in hive_env.mara.comments(pull.ref))
