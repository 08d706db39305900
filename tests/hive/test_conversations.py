"""Conversations on lines of a pull request: answered where they are held, and resolved when their line is mended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from forge.embedded import FORGEJO_17, GITEA_127
from forge.embedded.services import people, reviews
from forge.gitea.write import GiteaForge
from forge.types import FileEdit, PullRequest, ReviewComment, ReviewState
from hive import broker
from hive.broker import Principal
from hive.conversing import is_kept
from hive.work import Worker
from hive.workspace import Login
from tests.hive.conftest import APP, CONFIG, Village, settle
from tests.hive.test_broker import Socket, resting
from tests.hive.test_commands import drain, sweep
from tests.hive.test_replies import answer, begun, deliver

TEXT = b"x = 1\ny = 2\nz = 3\n"


@pytest.fixture
def village(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Village]:
    """A house on Gitea 1.27, or on the forge that the test names."""
    with settle(tmp_path, getattr(request, "param", GITEA_127)) as made:
        yield made


@pytest.fixture
def worker(village: Village) -> Worker:
    """A worker of the house."""
    return village.worker()


@pytest.fixture
def pull(village: Village, worker: Worker) -> PullRequest:
    """A pull request of a run of iris', with a remark of core's on its first line."""
    return begun(village, worker, TEXT)


@contextmanager
def iris(village: Village, worker: Worker) -> Iterator[Socket]:
    """Her side of the socket of her container."""
    principal = Principal(
        agent="iris",
        team="acme",
        login=lambda: Login("iris", village.house.vault.token(APP.forge, "iris")),
        forge_url=village.forge.url,
        config_repo=CONFIG,
        ledger=village.house.ledger,
        wake=worker.apply,
        heard=lambda *_: None,
        life=lambda: 1,
        stop=threading.Event(),
        rest=resting(village.house.ledger),
        base=lambda _: "main",
        brief=lambda turn: {"message": turn.message},
    )
    with broker.create(principal).test_client() as client:
        yield Socket(client, village.house.ledger)


def end(village: Village, worker: Worker, outcome: str, message: str) -> str:
    """Iris takes the turn that waits and ends it as her harness does; returns what she was told."""
    with iris(village, worker) as socket:
        turn = socket.turn()
        if outcome != "pushed":
            said = {"key": f"end:{turn['turn']}", "body": message}
            assert socket.post("/v1/comment", said, turn["token"])[0] == 200
        assert socket.post("/v1/end", {"outcome": outcome, "message": message}, turn["token"])[0] == 200
    drain(village, worker)
    return str(turn["message"])


def push(village: Village, text: bytes) -> None:
    """Iris pushes the file with other words."""
    token = village.house.vault.token(APP.forge, "iris")
    with GiteaForge(name=APP.forge, url=village.forge.url, token=token) as forge:
        forge.commit(APP, [FileEdit("a.py", text)], message="mend it", branch="agent/iris/1")


def remarks(village: Village, pull: PullRequest) -> list[ReviewComment]:
    """What is said on lines, oldest first."""
    found = (village.mara.review_comments(pull.ref, review.id) for review in village.mara.reviews(pull.ref))
    return sorted((remark for said in found for remark in said), key=lambda remark: remark.id)


def spoken(village: Village, pull: PullRequest, words: str) -> tuple[int, int]:
    """How often words stand on lines, and on the thread."""
    on_lines = [remark.body for remark in remarks(village, pull)]
    on_thread = [comment.body for comment in village.mara.comments(pull.ref)]
    return sum(words in body for body in on_lines), sum(words in body for body in on_thread)


def hear(village: Village, worker: Worker, door: Callable[[Village], None] = sweep) -> None:
    """What was said comes to the house."""
    door(village)
    drain(village, worker)


def resolved(village: Village, pull: PullRequest) -> list[int]:
    """Which remarks began conversations that are resolved, by their place."""
    return [place for place, remark in enumerate(remarks(village, pull)) if remark.resolved]


def reopen(village: Village, pull: PullRequest) -> None:
    """Mara opens the first conversation again."""
    site = village.forge.site
    issue = site.state.row("SELECT * FROM issues WHERE is_pull AND number = ?", pull.ref.number)
    remark = site.state.row("SELECT * FROM comments WHERE kind = 'code' ORDER BY id")
    assert issue is not None
    assert remark is not None
    reviews.resolve(site, people.get(site, "mara"), issue, remark, resolved=False)


def review(village: Village, pull: PullRequest, body: str, *said: tuple[int, str]) -> None:
    """Mara remarks on lines."""
    notes = [ReviewComment("a.py", line, words) for line, words in said]
    about = {"state": ReviewState.COMMENT, "body": f"{body}<!-- m -->", "comments": notes, "marker": "<!-- m -->"}
    village.mara.review(pull.ref, head_sha=village.mara.pull(pull.ref).head_sha, **about)  # type: ignore[arg-type]


@pytest.mark.parametrize("door", [deliver, sweep])
@pytest.mark.parametrize("outcome", ["answered", "blocked"])
def test_answered_where_it_was_asked(
    village: Village, worker: Worker, pull: PullRequest, door: Callable[[Village], None], outcome: str
) -> None:
    """An agent's answer to a reply stands in the conversation, once, and not on the thread."""
    answer(village, pull, "Is it a name?")
    hear(village, worker, door)
    assert "Is it a name?" in end(village, worker, outcome, "It is one.")
    assert spoken(village, pull, "It is one.") == (1, 0)
    hear(village, worker)
    assert spoken(village, pull, "It is one.") == (1, 0)
    assert village.house.ledger.runs.take("iris") is None
    assert resolved(village, pull) == []


def test_answered_once_whatever_dies(village: Village, worker: Worker, pull: PullRequest) -> None:
    """A worker that dies behind the forge's yes finds what it said, by its marker, and says it no more."""
    answer(village, pull, "Is it a name?")
    hear(village, worker)
    end(village, worker, "answered", "It is one.")
    with village.house.ledger.transaction() as db:
        assert db.execute("UPDATE effects SET state = 'pending' WHERE kind = 'answer' AND state = 'done'").rowcount
    drain(village, worker)
    assert spoken(village, pull, "It is one.") == (1, 0)


@pytest.mark.parametrize("village", [FORGEJO_17], indirect=True)
def test_where_no_call_is_for_it_the_thread_is_used(village: Village, worker: Worker, pull: PullRequest) -> None:
    """Forgejo has no call for a reply: the answer stands on the thread, and the conversation stays open."""
    answer(village, pull, "Is it a name?")
    hear(village, worker)
    push(village, TEXT.replace(b"x", b"name"))
    end(village, worker, "answered", "It is one.")
    assert spoken(village, pull, "It is one.") == (0, 1)
    assert resolved(village, pull) == []


def test_a_remark_that_is_gone_is_answered_on_the_thread(village: Village, worker: Worker, pull: PullRequest) -> None:
    """What was asked may be deleted meanwhile; the answer is not lost."""
    answer(village, pull, "Is it a name?")
    hear(village, worker)
    village.forge.site.state.run("DELETE FROM comments WHERE kind = 'code'")
    end(village, worker, "answered", "It is one.")
    assert spoken(village, pull, "It is one.") == (0, 1)


@pytest.mark.parametrize(("village", "where"), [(GITEA_127, (1, 0)), (FORGEJO_17, (0, 1))], indirect=["village"])
def test_a_command_is_answered_where_it_was_given(
    village: Village, worker: Worker, pull: PullRequest, where: tuple[int, int]
) -> None:
    """What became of a command in a reply is told in its conversation, and the words of `/answer` come back there."""
    answer(village, pull, "/answer call it a name")
    hear(village, worker)
    assert spoken(village, pull, "`/answer call it a name`") == where
    assert "call it a name" in end(village, worker, "answered", "So it is.")
    assert spoken(village, pull, "So it is.") == where


@pytest.mark.parametrize(("body", "where"), [("", (1, 0)), ("Please look.", (0, 1))])
def test_a_single_remark_is_answered_on_its_line(
    village: Village, worker: Worker, pull: PullRequest, body: str, where: tuple[int, int]
) -> None:
    """A remark alone begins a conversation; a review with words of its own is answered on the thread."""
    site = village.forge.site
    issue = site.state.row("SELECT * FROM issues WHERE is_pull AND number = ?", pull.ref.number)
    assert issue is not None
    said = [reviews.Remark("a.py", 2, "Why 2?")]
    reviews.write(site, people.get(site, "mara"), issue, "COMMENT", body, said=said)
    hear(village, worker)
    assert "Why 2?" in end(village, worker, "answered", "Because of x.")
    assert spoken(village, pull, "Because of x.") == where


def test_resolved_when_mended(village: Village, worker: Worker, pull: PullRequest) -> None:
    """A push that changes the line resolves the conversation, and the answer says that something was pushed."""
    answer(village, pull, "Please rename it.")
    hear(village, worker)
    push(village, b"# a page\n" + TEXT.replace(b"x", b"name"))
    end(village, worker, "pushed", "")
    assert resolved(village, pull) == [0]
    assert spoken(village, pull, "I pushed a change to this pull request.") == (1, 0)


def test_a_conversation_that_is_opened_again_stays_open(village: Village, worker: Worker, pull: PullRequest) -> None:
    """It is resolved once: who opens it again wants it open, whatever is pushed."""
    answer(village, pull, "Please rename it.")
    hear(village, worker)
    push(village, TEXT.replace(b"x", b"name"))
    end(village, worker, "pushed", "")
    reopen(village, pull)
    answer(village, pull, "Not so, please.")
    hear(village, worker)
    push(village, TEXT.replace(b"x", b"title"))
    end(village, worker, "pushed", "")
    assert resolved(village, pull) == []


@pytest.mark.parametrize(
    "text",
    [None, TEXT.replace(b"y", b"why"), b"# new\n" + TEXT, b"y = 2\nz = 3\nx = 1\n", TEXT.replace(b"\n", b"\r\n")],
    ids=["nothing", "another line", "pushed down", "moved", "line ends"],
)
def test_what_is_not_mended_stays_open(village: Village, worker: Worker, pull: PullRequest, text: bytes | None) -> None:
    """A push that leaves the line as it is resolves nothing; one that changes it in a later turn does."""
    answer(village, pull, "Please rename it.")
    hear(village, worker)
    if text is not None:
        push(village, text)
    end(village, worker, "answered", "Later.")
    assert resolved(village, pull) == []
    run = village.house.ledger.runs.find(str(pull.ref))
    assert run is not None
    village.house.ledger.runs.push(run.id, "k9", "go on", by_person=True)
    push(village, b"y = 2\n")
    end(village, worker, "pushed", "")
    assert resolved(village, pull) == [0]


def test_what_had_changed_before_it_was_said_shows_nothing(village: Village, worker: Worker, pull: PullRequest) -> None:
    """An answer on an outdated line is about what stands there now: it stays open until somebody says that it is over."""
    push(village, TEXT.replace(b"x", b"name"))
    answer(village, pull, "Not so, please.")
    hear(village, worker)
    push(village, TEXT.replace(b"x", b"title"))
    end(village, worker, "pushed", "")
    assert resolved(village, pull) == []


def test_each_line_of_a_review_for_itself(village: Village, worker: Worker, pull: PullRequest) -> None:
    """Of a review with several remarks those are resolved whose lines were changed; a deleted file has none left."""
    review(village, pull, "Please", (2, "Rename y."), (3, "Rename z."))
    hear(village, worker)
    push(village, TEXT.replace(b"z", b"last"))
    end(village, worker, "pushed", "")
    assert resolved(village, pull) == [2]
    run = village.house.ledger.runs.find(str(pull.ref))
    assert run is not None
    village.house.ledger.runs.push(run.id, "k9", "go on", by_person=True)
    with GiteaForge(name=APP.forge, url=village.forge.url, token=village.house.vault.token(APP.forge, "iris")) as forge:
        forge.commit(APP, [FileEdit("a.py", None)], message="away", branch="agent/iris/1")
    end(village, worker, "pushed", "")
    assert resolved(village, pull) == [1, 2]


@pytest.mark.parametrize(("right", "by"), [("write", "iris"), ("read", "core")])
def test_the_account_that_may_resolves(
    village: Village, worker: Worker, pull: PullRequest, right: str, by: str
) -> None:
    """The agent resolves, by its own right; where it has none, as on a pull request of somebody else, the hive does."""
    answer(village, pull, "Please rename it.")
    hear(village, worker)
    push(village, TEXT.replace(b"x", b"name"))
    site = village.forge.site
    rights = (
        "UPDATE teams SET units = json_set(units, '$.\"repo.pulls\"', ?, '$.\"repo.code\"', ?) WHERE name = 'agents'"
    )
    assert site.state.run(rights, right, right)
    end(village, worker, "pushed", "")
    resolvers = "SELECT json_extract(detail, '$.resolver') AS who FROM comments WHERE kind = 'code'"
    assert [people.by_id(site, row["who"])["login"] for row in site.state.rows(resolvers) if row["who"]] == [by]


@pytest.mark.parametrize(
    ("line", "before", "after", "kept"),
    [
        (1, "a", "a", True),
        (1, "a", "b", False),
        (1, "a", "", False),
        (2, "a b c", "a b c", True),
        (2, "a b c", "a c", False),
        (2, "a b c", "a x b c", True),
        (2, "a b c", "b a c", True),
        (2, "a b b c", "a b c", True),
        (2, "a b x b c", "a x c", False),
        (4, "a b c", "a b c", False),
        (0, "a b c", "a b c", False),
    ],
)
def test_a_line_is_kept(line: int, before: str, after: str, *, kept: bool) -> None:
    """A line that is there is kept, wherever it went; one of fewer is not."""
    assert is_kept(line, [word.encode() for word in before.split()], [word.encode() for word in after.split()]) is kept


def test_a_file_of_any_kind_is_looked_at_once() -> None:
    """A file that is all one line, and one that is all different, cost no more than their length."""
    size = 200_000
    same, other = [b"x"] * size, [b"%d" % each for each in range(size)]
    assert is_kept(size // 2, same, [b"y", *same, b"y"])
    assert not is_kept(size // 2, other, other[::-1][: size // 3])
