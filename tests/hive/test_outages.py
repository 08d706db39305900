"""What cannot be done now rests: a forge that is away, a token that was revoked."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from bots.intents import PostComment
from forge.embedded import EmbeddedForge
from forge.events import IssueClosed, IssueOpened
from forge.gitea.admin import GiteaAdmin
from forge.models import Ref
from hive.app.set_up import ADMIN
from hive.demo.setup import FORGE
from hive.ledger import Scope
from hive.outbox.actions import CreateTag
from hive.outbox.enqueue import enqueue
from hive.outbox.executor import MAX_ATTEMPTS
from tests.hive.conftest import APP, HiveEnv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forge.models import Issue

SCOPES = ("write:issue", "read:repository", "read:user")


def file(hive_env: HiveEnv) -> Issue:
    """Mara files an issue."""
    return hive_env.mara.open_issue(APP, "A page is wrong", "It shows 0.", marker="It shows")


def say(hive_env: HiveEnv, ref: Ref, actor: str, words: str) -> int:
    """An account owes a comment."""
    return enqueue(hive_env.instance.ledger, "acme", actor, PostComment(ref, words, key=words), by="test")


def spoken(hive_env: HiveEnv, ref: Ref, *words: str) -> list[str]:
    """Which of these words stand on a thread, as often as they do."""
    return [line for comment in hive_env.mara.comments(ref) for line in comment.body.splitlines() if line in words]


@contextmanager
def answering(port: int, status: int, body: bytes) -> Iterator[None]:
    """A proxy in front of a forge that is down: the same answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "body"), [(0, b""), (200, b"<h1>maintenance</h1>"), (502, b""), (429, b"")])
def test_a_forge_that_is_away_costs_nothing_but_time(
    hive_env: HiveEnv, tmp_path: Path, status: int, body: bytes
) -> None:
    """However often it is tried meanwhile, work waits visibly, loses no attempt, and is done once when the forge is back."""
    issue = file(hive_env)
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    action = say(hive_env, issue.ref, "triage", "hello")
    look = ledger.jobs.enqueue("acme", [("triage", IssueOpened(issue.ref, issue.author, "k"))])[0]
    port = int(hive_env.forge.url.rpartition(":")[2])
    hive_env.forge.stop()
    if status:
        with answering(port, status, body):
            worker.apply(action)
            worker.run_job(look)
    else:
        worker.apply(action)
    for _ in range(2 * MAX_ATTEMPTS):
        worker.apply(action)
        worker.run_job(look)
    (suspension,) = ledger.suspensions.all()
    assert suspension.detail.startswith("forge unavailable: ")
    assert (ledger.effects.due(), ledger.jobs.due()) == ([], [])
    assert ledger.effects.get(action).attempts == 0
    with EmbeddedForge(tmp_path / "forge", port=port):
        worker.check_outages()
        assert ledger.suspensions.all() == []
        for effect in ledger.effects.due():
            worker.apply(effect)
        for job in ledger.jobs.due():
            worker.run_job(job)
        assert spoken(hive_env, issue.ref, "hello") == ["hello"]
        assert hive_env.mara.issue(issue.ref).labels
    acts = [row.action for row in ledger.audit.after(0)]
    assert (acts.count("forge_unavailable"), acts.count("forge_recovered")) == (1, 1)


def test_what_is_gone_needs_nobody(hive_env: HiveEnv) -> None:
    """A deed on what is gone is moot, and nothing else waits for it."""
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    effect = say(hive_env, Ref(APP, 404), "triage", "into the void")
    worker.apply(effect)
    assert ledger.effects.get(effect).state == "superseded"
    assert ledger.suspensions.all() == []


def test_what_is_refused_is_told_once(hive_env: HiveEnv) -> None:
    """An account that may not do a deed stops; the operators read of it in one issue, however often it happens."""
    issue = file(hive_env)
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    for number in range(3):
        worker.apply(
            enqueue(ledger, "acme", "triage", CreateTag(APP, f"v{number}", "0" * 40, "no", f"t{number}"), by="test")
        )
    for effect in ledger.effects.due():
        worker.apply(effect)
    told = hive_env.mara.changed_since(hive_env.instance.ops("acme"), issue.created_at)
    assert [found.title for found in told] == ["🔴 triage could not: create tag in acme/app"]
    assert ledger.effects.due() == []


def test_a_revoked_token_costs_one_issue(hive_env: HiveEnv) -> None:
    """All that the account owes waits, the operators are told once, others go on; a new token is enough to go on."""
    issue = file(hive_env)
    ledger, worker, secret_store = hive_env.instance.ledger, hive_env.worker(), hive_env.instance.secret_store
    secret_store.keep_token(FORGE, "triage", "f" * 40)
    actions = [say(hive_env, issue.ref, "triage", word) for word in ("one", "two", "three")]
    look = ledger.jobs.enqueue("acme", [("triage", IssueOpened(issue.ref, issue.author, "k"))])[0]
    other = say(hive_env, issue.ref, "core", "not me")
    for effect in (*actions, other):
        worker.apply(effect)
    worker.run_job(look)
    worker.check_outages()
    scopes = {(suspension.scope, suspension.name) for suspension in ledger.suspensions.all()}
    assert scopes == {(Scope.ACCOUNT, "triage"), (Scope.BOT, "triage")}
    for effect in ledger.effects.due():
        worker.apply(effect)
    assert ledger.effects.due() == []
    told = [
        found for found in hive_env.mara.changed_since(hive_env.instance.ops("acme"), issue.created_at) if found.is_open
    ]
    assert ["triage" in found.title for found in told] == [True]
    assert "f" * 40 not in told[0].body
    assert spoken(hive_env, issue.ref, "one", "two", "three", "not me") == ["not me"]

    with GiteaAdmin(
        name=FORGE, url=hive_env.forge.url, login=ADMIN, password=secret_store.password(FORGE, ADMIN)
    ) as admin:
        fresh = admin.make_token("triage", "again", SCOPES)
    secret_store.keep_token(FORGE, "triage", fresh)
    ledger.suspensions.reschedule(ledger.suspensions.all()[0], -1)
    worker.check_outages()
    assert ledger.suspensions.all() == []
    for effect in ledger.effects.due():
        worker.apply(effect)
    for job in ledger.jobs.due():
        worker.run_job(job)
    assert spoken(hive_env, issue.ref, "one", "two", "three") == ["one", "two", "three"]


def test_a_token_that_lies_open_rests_like_a_revoked_one(hive_env: HiveEnv) -> None:
    """A token file that others can read is not used: its account's work waits, and goes on when it is closed again."""
    issue = file(hive_env)
    ledger, worker = hive_env.instance.ledger, hive_env.worker()
    path = hive_env.instance.settings.state / "secrets" / FORGE / "triage.token"
    effect = say(hive_env, issue.ref, "triage", "hello")
    look = ledger.jobs.enqueue("acme", [("triage", IssueOpened(issue.ref, issue.author, "k"))])[0]
    path.chmod(0o644)
    worker.apply(effect)
    worker.run_job(look)
    worker.check_outages()
    assert {suspension.name for suspension in ledger.suspensions.all()} == {"triage"}
    path.chmod(0o600)
    ledger.suspensions.reschedule(ledger.suspensions.all()[0], -1)
    worker.check_outages()
    assert ledger.suspensions.all() == []
    worker.apply(effect)
    assert spoken(hive_env, issue.ref, "hello") == ["hello"]


@pytest.mark.parametrize("unit", ["repo.issues", "repo.pulls"])
def test_what_is_hidden_is_not_gone(hive_env: HiveEnv, unit: str) -> None:
    """Where an account lost the right to see issues or pull requests, work waits for it, told once; nothing is called gone."""
    issue = file(hive_env)
    ledger, worker, secret_store = hive_env.instance.ledger, hive_env.worker(), hive_env.instance.secret_store
    with GiteaAdmin(
        name=FORGE, url=hive_env.forge.url, login=ADMIN, password=secret_store.password(FORGE, ADMIN)
    ) as admin:
        team = next(row for row in admin._client.rows("/orgs/acme/teams") if row["name"].text() == "core")
        units = {name: level.text() for name, level in team["units_map"].items()}
        at = f"/teams/{team['id'].number()}"
        admin._client.patch(f"/repos/{APP.path}", private=True)
        admin._client.patch(at, name="core", units_map={**units, unit: "none"})
        ref = issue.ref if unit == "repo.issues" else Ref(APP, 404)
        look = ledger.jobs.enqueue("acme", [("lane", IssueClosed(ref, issue.author, "k"))])[0]
        action = say(hive_env, Ref(APP, 404), "core", "hello")
        worker.run_job(look)
        worker.apply(action)
        for effect in ledger.effects.due():
            worker.apply(effect)
        told = hive_env.mara.changed_since(hive_env.instance.ops("acme"), issue.created_at)
        assert [found.title for found in told] == ["🔴 core cannot see issues or pull requests of acme/app"]
        waits = {(item.kind, item.id) for item in ledger.backlog.all()}
        assert {("job", look), ("effect", action)} <= waits
        admin._client.patch(at, name="core", units_map=units)
