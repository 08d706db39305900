"""A label that is set while an agent works stops what it pushes, submits and says, at its broker, with a sentence."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from bots.wake_kind import Wake
from forge.gitea.admin import GiteaAdmin
from forge.gitea.reader import GiteaReader
from forge.models import Label, Ref
from hive.agent.relay import relay
from hive.app.run_holds import RunHolds
from hive.app.set_up import ADMIN
from hive.demo.setup import FORGE
from hive.gateway import broker
from hive.gateway.admission import Guard
from hive.gateway.agent_session import AgentSession
from hive.gateway.wsgi_server import Server
from hive.ledger import Turn
from hive.unix_socket import listen_unix
from tests.hive.conftest import APP, HiveEnv, make_env
from tests.hive.test_pushes import session_of

CALLS: dict[str, dict[str, Any]] = {
    "pull": {"branch": "agent/iris/x", "title": "Fix it", "body": "Done."},
    "update_pr": {"key": "u", "title": "Fix it"},
    "propose": {"branch": "agent/iris/x", "title": "More packages", "body": "Please."},
    "not_my_lane": {"key": "n", "why": "It is noah's."},
    "config_request": {"key": "c", "title": "More", "what": "jq", "why": "JSON"},
    "comment": {"key": "c", "body": "I looked."},
    "ask": {"key": "a", "question": "Which one?"},
}
"""Every call that shows something."""

SAY = {"comment", "ask", "not_my_lane"}


@dataclass
class Held:
    """Iris at work on an issue, with git and her broker."""

    made: HiveEnv
    session: AgentSession
    turn: Turn
    client: FlaskClient
    tree: Path
    env: dict[str, str]
    pushes: int = 0

    @property
    def issue(self) -> Ref:
        """The issue that she works on."""
        return Ref.parse(self.turn.ref)

    def push(self) -> str:
        """Push a commit on a branch of its own; returns what git says, empty if the push went through."""
        self.pushes += 1
        for words in (["commit", "--quiet", "--allow-empty", "-m", str(self.pushes)], ["push", "origin", f"HEAD:refs/heads/agent/iris/{self.pushes}"]):  # fmt: skip
            done = subprocess.run(
                ["git", *words], cwd=self.tree, env=self.env, capture_output=True, text=True, timeout=120
            )
        return "" if done.returncode == 0 else " ".join((done.stdout + done.stderr).replace("remote: ", "").split())

    def call(self, name: str) -> tuple[int, str]:
        """The status of a call, and its error: one that passes the door waits for a worker, and there is none."""
        headers = {"Authorization": f"Bearer {self.turn.token}"}
        answer = self.client.post(f"/v1/{name}", json=CALLS[name], headers=headers)
        assert isinstance(answer.json, dict)
        return answer.status_code, str(answer.json.get("error", ""))

    def label(self, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = (), ref: Ref | None = None) -> None:
        """Mara changes labels."""
        self.made.mara.label(ref or self.issue, add=add, remove=remove)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """One agent at work for all tests of this file; each takes its labels away again."""
    place = tmp_path_factory.mktemp("held")
    with make_env(place / "env") as made, ExitStack() as stack:
        issue = made.mara.open_issue(APP, "A page is wrong", "It is. m", marker="m").ref
        session, turn = session_of(made, place)
        assert turn.ref == str(issue)
        token = made.instance.secret_store.token(FORGE, "iris")
        reader = stack.enter_context(GiteaReader(name=FORGE, url=made.forge.url, token=token))
        session = replace(session, hold=RunHolds(lambda: made.instance.teams["acme"], lambda: reader))
        session.stop.set()  # nobody waits for the worker
        guard = Guard(session.ledger, "acme", "iris")
        app = broker.create(session, guard)
        server = Server(app, listen_unix(place / "forge.sock"), broker.gate(guard))
        server.start()
        stack.callback(server.stop)
        port = stack.enter_context(relay(place / "forge.sock"))
        env = {"PATH": os.environ["PATH"], "HOME": str(place), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
        env |= {f"GIT_{role}_{what}": said for role in ("AUTHOR", "COMMITTER") for what, said in (("NAME", "iris"), ("EMAIL", "iris@core.invalid"))}  # fmt: skip
        env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": f"Authorization: Bearer {turn.token}"}  # fmt: skip
        tree = place / "tree"
        clone = ["git", "clone", "--quiet", f"http://127.0.0.1:{port}/git/acme/app.git", str(tree)]
        subprocess.run(clone, env=env, check=True, capture_output=True, timeout=120)
        yield Held(made, session, turn, stack.enter_context(app.test_client()), tree, env)


def test_without_a_hold_all_pass(held: Held) -> None:
    """A push goes through, and calls get as far as the worker; `update_pr` needs a pull request."""
    assert held.push() == ""
    for name in CALLS:
        status, said = held.call(name)
        assert (status, "held" in said) == (403 if name == "update_pr" else 503, False), (name, said)


@pytest.mark.parametrize(
    ("label", "speaks"),
    [
        ("locked", True),
        ("needs-signoff", True),
        ("brainstorm", True),
        ("type/question", True),
        ("risk/injection", False),
    ],
)
def test_a_hold_in_mid_run_stops_it(held: Held, label: str, *, speaks: bool) -> None:
    """Push and submit are refused with the label in the sentence, and recorded; words are, too, where no word is safe."""
    ensure(held.made, label)
    audit = held.session.ledger.audit
    before = audit.last()
    held.label(add=(label,))
    try:
        said = held.push()
        assert f"held: `{label}` is on it" in said
        answers = {name: held.call(name) for name in CALLS}
    finally:
        held.label(remove=(label,))
    for name, (status, why) in answers.items():
        is_refused = name not in SAY or not speaks
        assert (f"held: `{label}`" in why) == is_refused, (name, status, why)
        assert (status == 403) == is_refused, (name, status, why)
    assert [row for row in audit.after(before) if row.actor == "iris" and f"`{label}`" in str(row.detail)]
    assert held.push() == ""


def test_an_operators_ready_opens(held: Held) -> None:
    """`ready` behind `locked` lets her push; behind it `locked` again does not."""
    held.label(add=("locked",))
    assert "held" in held.push()
    held.label(add=("ready",))
    assert held.push() == ""
    held.label(remove=("locked",))
    held.label(add=("locked",))
    assert "held" in held.push()
    held.label(remove=("locked", "ready"))


def test_the_pull_request_may_be_held_too(held: Held) -> None:
    """A label of the run's pull request counts as one of its issue does."""
    pull = held.made.mara.open_issue(APP, "stands for a pull request", "p", marker="p").ref
    turn = replace(held.turn, pull=str(pull))
    assert held.session.hold(turn) is None
    held.label(add=("locked",), ref=pull)
    hold = held.session.hold(turn)
    assert hold is not None
    assert hold.name == "locked"


def test_an_announcement_gets_no_word(held: Held) -> None:
    """Whatever labels it has: a run that an announcement has woken says and pushes nothing."""
    hold = held.session.hold(replace(held.turn, wake=Wake.ANNOUNCEMENT))
    assert hold is not None
    assert (hold.may_run, hold.may_comment) == (True, False)


def test_a_forge_that_is_away_opens_no_door(held: Held, tmp_path: Path) -> None:
    """As long as nobody knows whether there is a hold, nothing is pushed, and the agent may try again."""

    def away(_: Turn) -> None:
        raise OSError("the forge does not answer")

    session = replace(held.session, hold=away)
    with broker.create(session).test_client() as client:
        headers = {"Authorization": f"Bearer {held.turn.token}"}
        for name, asked in CALLS.items():
            assert client.post(f"/v1/{name}", json=asked, headers=headers).status_code == 503


def ensure(made: HiveEnv, label: str) -> None:
    """The label is there, as `hive init` makes it, or as a team's kinds do."""
    password = made.instance.secret_store.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=made.forge.url, login=ADMIN, password=password) as admin:
        admin.ensure_label(APP, Label(label))
