"""Conversations on lines of a pull request: answered where they are held, and resolved when their line is fixed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from forge.embedded import FORGEJO_17, GITEA_127
from forge.embedded.services import people, reviews
from forge.gitea.writer import GiteaForge
from forge.models import FileEdit, PullRequest, Repo, ReviewComment, ReviewState
from hive.config import EVERYDAY
from hive.gateway import broker
from hive.gateway.agent_session import AgentSession
from hive.gateway.outbound import Outbound
from hive.git_mirror.mirror import Login
from hive.outbox.conversations import is_kept
from hive.worker.worker import Worker
from tests.hive.conftest import APP, CONFIG, HiveEnv, later_snapshot, make_env
from tests.hive.test_broker import Socket, resting
from tests.hive.test_commands import drain, sweep
from tests.hive.test_replies import answer, begun, deliver

TEXT = b"x = 1\ny = 2\nz = 3\n"


@pytest.fixture
def hive_env(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[HiveEnv]:
    """A house on Gitea 1.27, or on the forge that the test names."""
    flavour = getattr(request, "param", GITEA_127)
    with make_env(tmp_path, flavour, first=later_snapshot(flavour.name, three_lines)) as made:
        yield made


@pytest.fixture
def worker(hive_env: HiveEnv) -> Worker:
    """A worker of the house."""
    return hive_env.worker()


@pytest.fixture
def pull(hive_env: HiveEnv) -> PullRequest:
    """A pull request of a run of iris', with a remark of core's on its first line."""
    (found,) = hive_env.mara.open_pulls(APP)
    return found


def three_lines(hive_env: HiveEnv) -> PullRequest:
    """What happened before the tests."""
    return begun(hive_env, TEXT)


@contextmanager
def iris(hive_env: HiveEnv, worker: Worker) -> Iterator[Socket]:
    """Her side of the socket of her container."""
    principal = AgentSession(
        agent="iris",
        team="acme",
        login=lambda: Login("iris", hive_env.instance.secret_store.token(APP.forge, "iris")),
        forge_url=hive_env.forge.url,
        config_repo=CONFIG,
        ledger=hive_env.instance.ledger,
        wake=worker.apply,
        heard=lambda *_: None,
        epoch=lambda: 1,
        stop=threading.Event(),
        rest=resting(hive_env.instance.ledger),
        base=lambda _: "main",
        brief=lambda turn: {"message": turn.message},
        capabilities=lambda: frozenset(EVERYDAY),
        outbound=Outbound(hive_env.instance.ledger, "acme", "iris", "core", Repo("forgejo", "hive", "ops")),
    )
    with broker.create(principal).test_client() as client:
        yield Socket(client, hive_env.instance.ledger, principal)


def end(hive_env: HiveEnv, worker: Worker, outcome: str, message: str) -> str:
    """Iris takes the turn that waits and ends it as her harness does; returns what she was told."""
    with iris(hive_env, worker) as socket:
        turn = socket.turn()
        assert socket.post("/v1/end", {"outcome": outcome, "message": message}, turn["token"])[0] == 200
    drain(hive_env, worker)
    return str(turn["message"])


def push(hive_env: HiveEnv, text: bytes) -> None:
    """Iris pushes the file with other words."""
    token = hive_env.instance.secret_store.token(APP.forge, "iris")
    with GiteaForge(name=APP.forge, url=hive_env.forge.url, token=token) as forge:
        forge.commit(APP, [FileEdit("a.py", text)], message="fix it", branch="agent/iris/1")


def remarks(hive_env: HiveEnv, pull: PullRequest) -> list[ReviewComment]:
    """What is said on lines, oldest first."""
    found = (hive_env.mara.review_comments(pull.ref, review.id) for review in hive_env.mara.reviews(pull.ref))
    return sorted((remark for said in found for remark in said), key=lambda remark: remark.id)


def spoken(hive_env: HiveEnv, pull: PullRequest, words: str) -> tuple[int, int]:
    """How often words stand on lines, and on the thread."""
    on_lines = [remark.body for remark in remarks(hive_env, pull)]
    on_thread = [comment.body for comment in hive_env.mara.comments(pull.ref)]
    return sum(words in body for body in on_lines), sum(words in body for body in on_thread)


def hear(hive_env: HiveEnv, worker: Worker, door: Callable[[HiveEnv], None] = sweep) -> None:
    """What was said comes to the house."""
    door(hive_env)
    drain(hive_env, worker)


def resolved(hive_env: HiveEnv, pull: PullRequest) -> list[int]:
    """Which remarks began conversations that are resolved, by their place."""
    return [place for place, remark in enumerate(remarks(hive_env, pull)) if remark.resolved]


def reopen(hive_env: HiveEnv, pull: PullRequest) -> None:
    """Mara opens the first conversation again."""
    site = hive_env.forge.site
    issue = site.state.row("SELECT * FROM issues WHERE is_pull AND number = ?", pull.ref.number)
    remark = site.state.row("SELECT * FROM comments WHERE kind = 'code' ORDER BY id")
    assert issue is not None
    assert remark is not None
    reviews.resolve(site, people.get(site, "mara"), issue, remark, resolved=False)


def review(hive_env: HiveEnv, pull: PullRequest, body: str, *said: tuple[int, str]) -> None:
    """Mara remarks on lines."""
    notes = [ReviewComment("a.py", line, words) for line, words in said]
    about = {"state": ReviewState.COMMENT, "body": f"{body}<!-- m -->", "comments": notes, "marker": "<!-- m -->"}
    hive_env.mara.review(pull.ref, head_sha=hive_env.mara.pull(pull.ref).head_sha, **about)  # type: ignore[arg-type]


@pytest.mark.parametrize("door", [deliver, sweep])
@pytest.mark.parametrize("outcome", ["answered", "blocked"])
def test_answered_where_it_was_asked(
    hive_env: HiveEnv, worker: Worker, pull: PullRequest, door: Callable[[HiveEnv], None], outcome: str
) -> None:
    """An agent's answer to a reply stands in the conversation, once, and not on the thread."""
    answer(hive_env, pull, "Is it a name?")
    hear(hive_env, worker, door)
    assert "Is it a name?" in end(hive_env, worker, outcome, "It is one.")
    assert spoken(hive_env, pull, "It is one.") == (1, 0)
    hear(hive_env, worker)
    assert spoken(hive_env, pull, "It is one.") == (1, 0)
    assert hive_env.instance.ledger.runs.claim("iris") is None
    assert resolved(hive_env, pull) == []


def test_answered_once_whatever_dies(hive_env: HiveEnv, worker: Worker, pull: PullRequest) -> None:
    """A worker that dies behind the forge's yes finds what it said, by its marker, and says it no more."""
    answer(hive_env, pull, "Is it a name?")
    hear(hive_env, worker)
    end(hive_env, worker, "answered", "It is one.")
    with hive_env.instance.ledger.transaction() as db:
        assert db.execute("UPDATE effects SET state = 'pending' WHERE kind = 'post_answer' AND state = 'done'").rowcount
    drain(hive_env, worker)
    assert spoken(hive_env, pull, "It is one.") == (1, 0)


@pytest.mark.parametrize("hive_env", [FORGEJO_17], indirect=True)
def test_where_no_call_is_for_it_the_thread_is_used(hive_env: HiveEnv, worker: Worker, pull: PullRequest) -> None:
    """Forgejo has no call for a reply: the answer stands on the thread, and the conversation stays open."""
    answer(hive_env, pull, "Is it a name?")
    hear(hive_env, worker)
    push(hive_env, TEXT.replace(b"x", b"name"))
    end(hive_env, worker, "answered", "It is one.")
    assert spoken(hive_env, pull, "It is one.") == (0, 1)
    assert resolved(hive_env, pull) == []


def test_a_remark_that_is_gone_is_answered_on_the_thread(hive_env: HiveEnv, worker: Worker, pull: PullRequest) -> None:
    """What was asked may be deleted meanwhile; the answer is not lost."""
    answer(hive_env, pull, "Is it a name?")
    hear(hive_env, worker)
    hive_env.forge.site.state.run("DELETE FROM comments WHERE kind = 'code'")
    end(hive_env, worker, "answered", "It is one.")
    assert spoken(hive_env, pull, "It is one.") == (0, 1)


@pytest.mark.parametrize(("hive_env", "where"), [(GITEA_127, (1, 0)), (FORGEJO_17, (0, 1))], indirect=["hive_env"])
def test_a_command_is_answered_where_it_was_given(
    hive_env: HiveEnv, worker: Worker, pull: PullRequest, where: tuple[int, int]
) -> None:
    """What became of a command in a reply is told in its conversation, and the words of `/answer` come back there."""
    answer(hive_env, pull, "/answer call it a name")
    hear(hive_env, worker)
    assert spoken(hive_env, pull, "`/answer call it a name`") == where
    assert "call it a name" in end(hive_env, worker, "answered", "So it is.")
    assert spoken(hive_env, pull, "So it is.") == where


@pytest.mark.parametrize(("body", "where"), [("", (1, 0)), ("Please look.", (0, 1))])
def test_a_single_remark_is_answered_on_its_line(
    hive_env: HiveEnv, worker: Worker, pull: PullRequest, body: str, where: tuple[int, int]
) -> None:
    """A remark alone begins a conversation; a review with words of its own is answered on the thread."""
    site = hive_env.forge.site
    issue = site.state.row("SELECT * FROM issues WHERE is_pull AND number = ?", pull.ref.number)
    assert issue is not None
    said = [reviews.Remark("a.py", 2, "Why 2?")]
    reviews.write(site, people.get(site, "mara"), issue, "COMMENT", body, remarks=said)
    hear(hive_env, worker)
    assert "Why 2?" in end(hive_env, worker, "answered", "Because of x.")
    assert spoken(hive_env, pull, "Because of x.") == where


def test_a_remark_past_the_end_loses_no_review(hive_env: HiveEnv, pull: PullRequest) -> None:
    """Gitea 1.27 fails at it and keeps half a review: the others stay on their lines, it is said in the body, and nothing is left pending."""
    remarks = [
        ReviewComment("a.py", 1, "first"),
        ReviewComment("a.py", 40, "lost"),
        ReviewComment("a.py", 2, "last"),
    ]
    with hive_env.house_core() as core:
        said = {"state": ReviewState.COMMENT, "body": "body mark", "comments": remarks, "marker": "mark"}
        done = core.review(pull.ref, head_sha=pull.head_sha, **said)  # type: ignore[arg-type]  # one by one they fit
        again = core.review(pull.ref, head_sha=pull.head_sha, **said)  # type: ignore[arg-type]
        found = [each for each in core.reviews(pull.ref) if "mark" in each.body]
        placed = sorted((each.line, each.body) for each in core.review_comments(pull.ref, done.id))
        assert (again.id, [each.id for each in found]) == (done.id, [done.id])
        assert "`a.py:40`\n\nlost" in found[0].body
        assert placed == [(1, "first"), (2, "last")]
        assert not [each for each in core.reviews(pull.ref) if each.state is ReviewState.PENDING]


def test_resolved_when_fixed(hive_env: HiveEnv, worker: Worker, pull: PullRequest) -> None:
    """A push that changes the line resolves the conversation, and the answer says that something was pushed."""
    answer(hive_env, pull, "Please rename it.")
    hear(hive_env, worker)
    push(hive_env, b"# a page\n" + TEXT.replace(b"x", b"name"))
    end(hive_env, worker, "pushed", "")
    assert resolved(hive_env, pull) == [0]
    assert spoken(hive_env, pull, "I pushed a change to this pull request.") == (1, 0)


def test_a_conversation_that_is_opened_again_stays_open(hive_env: HiveEnv, worker: Worker, pull: PullRequest) -> None:
    """It is resolved once: who opens it again wants it open, whatever is pushed."""
    answer(hive_env, pull, "Please rename it.")
    hear(hive_env, worker)
    push(hive_env, TEXT.replace(b"x", b"name"))
    end(hive_env, worker, "pushed", "")
    reopen(hive_env, pull)
    answer(hive_env, pull, "Not so, please.")
    hear(hive_env, worker)
    push(hive_env, TEXT.replace(b"x", b"title"))
    end(hive_env, worker, "pushed", "")
    assert resolved(hive_env, pull) == []


@pytest.mark.parametrize(
    "text",
    [None, TEXT.replace(b"y", b"why"), b"# new\n" + TEXT, b"y = 2\nz = 3\nx = 1\n", TEXT.replace(b"\n", b"\r\n")],
    ids=["nothing", "another line", "pushed down", "moved", "line ends"],
)
def test_what_is_not_fixed_stays_open(hive_env: HiveEnv, worker: Worker, pull: PullRequest, text: bytes | None) -> None:
    """A push that leaves the line as it is resolves nothing; one that changes it in a later turn does."""
    answer(hive_env, pull, "Please rename it.")
    hear(hive_env, worker)
    if text is not None:
        push(hive_env, text)
    end(hive_env, worker, "answered", "Later.")
    assert resolved(hive_env, pull) == []
    run = hive_env.instance.ledger.runs.find(str(pull.ref))
    assert run is not None
    hive_env.instance.ledger.runs.add_turn(run.id, "k9", "go on", by_person=True)
    push(hive_env, b"y = 2\n")
    end(hive_env, worker, "pushed", "")
    assert resolved(hive_env, pull) == [0]


def test_what_had_changed_before_it_was_said_shows_nothing(
    hive_env: HiveEnv, worker: Worker, pull: PullRequest
) -> None:
    """An answer on an outdated line is about what stands there now: it stays open until somebody says that it is over."""
    push(hive_env, TEXT.replace(b"x", b"name"))
    answer(hive_env, pull, "Not so, please.")
    hear(hive_env, worker)
    push(hive_env, TEXT.replace(b"x", b"title"))
    end(hive_env, worker, "pushed", "")
    assert resolved(hive_env, pull) == []


def test_each_line_of_a_review_for_itself(hive_env: HiveEnv, worker: Worker, pull: PullRequest) -> None:
    """Of a review with several remarks those are resolved whose lines were changed; a deleted file has none left."""
    review(hive_env, pull, "Please", (2, "Rename y."), (3, "Rename z."))
    hear(hive_env, worker)
    push(hive_env, TEXT.replace(b"z", b"last"))
    end(hive_env, worker, "pushed", "")
    assert resolved(hive_env, pull) == [2]
    run = hive_env.instance.ledger.runs.find(str(pull.ref))
    assert run is not None
    hive_env.instance.ledger.runs.add_turn(run.id, "k9", "go on", by_person=True)
    with GiteaForge(
        name=APP.forge, url=hive_env.forge.url, token=hive_env.instance.secret_store.token(APP.forge, "iris")
    ) as forge:
        forge.commit(APP, [FileEdit("a.py", None)], message="away", branch="agent/iris/1")
    end(hive_env, worker, "pushed", "")
    assert resolved(hive_env, pull) == [1, 2]


@pytest.mark.parametrize(("right", "by"), [("write", "iris"), ("read", "core")])
def test_the_account_that_may_resolves(
    hive_env: HiveEnv, worker: Worker, pull: PullRequest, right: str, by: str
) -> None:
    """The agent resolves, by its own right; where it has none, as on a pull request of somebody else, the hive does."""
    answer(hive_env, pull, "Please rename it.")
    hear(hive_env, worker)
    push(hive_env, TEXT.replace(b"x", b"name"))
    site = hive_env.forge.site
    rights = (
        "UPDATE teams SET units = json_set(units, '$.\"repo.pulls\"', ?, '$.\"repo.code\"', ?) WHERE name = 'agents'"
    )
    assert site.state.run(rights, right, right)
    end(hive_env, worker, "pushed", "")
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
