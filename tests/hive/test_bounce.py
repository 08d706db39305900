"""An agent gives an issue back that is not of its lane: once to another agent, the second time to the operators."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from bots.intents import Assign, StartRun
from bots.models import Lane
from bots.wake_kind import Wake
from forge.gitea.admin import GiteaAdmin
from forge.models import Ref, Repo, User
from hive.app.set_up import ADMIN
from hive.config import EVERYDAY
from hive.demo.setup import FORGE
from hive.gateway import broker
from hive.gateway.agent_session import AgentSession
from hive.gateway.outbound import Outbound
from hive.git_mirror.mirror import Login
from hive.outbox.enqueue import enqueue
from hive.worker.worker import Worker
from tests.hive.conftest import APP, CONFIG, HiveEnv
from tests.hive.test_broker import Socket, resting
from tests.hive.test_commands import drain, sweep

NOAH = "noah"
WHY = "It is about the flake, and that is noah's."


@dataclass
class House:
    """A hive of two agents: iris is of `app`, noah of `nix`."""

    env: HiveEnv
    worker: Worker

    def file(self, agent: str = "iris") -> Ref:
        """An issue that an agent works on."""
        ref = self.env.mara.open_issue(APP, "The page is slow", "It is.", marker="It is.").ref
        ledger = self.env.instance.ledger
        enqueue(ledger, "acme", "core", Assign(ref, (agent,), key=f"a:{ref}"), by="triage")
        self.hear()
        assert self.run(ref) == (agent, "open", "")
        return ref

    def hear(self) -> None:
        """What happened on the forge comes to the hive."""
        drain(self.env, self.worker)
        sweep(self.env)
        drain(self.env, self.worker)
        sweep(self.env)
        drain(self.env, self.worker)

    def run(self, ref: Ref) -> tuple[str, str, str]:
        """The newest run on an issue: whose, its state, how it ended."""
        run = self.env.instance.ledger.runs.find(str(ref))
        assert run is not None
        return run.agent, run.state, run.outcome

    def shown(self, ref: Ref) -> tuple[list[str], set[str]]:
        """Who is assigned, and the labels that are not those of a state."""
        issue = self.env.mara.issue(ref)
        labels = {label for label in issue.labels if not label.startswith("state/")}
        return [user.login for user in issue.assignees], labels

    def said(self, ref: Ref, login: str) -> list[str]:
        """What an account has said on an issue, without what the hive adds."""
        comments = [comment for comment in self.env.mara.comments(ref) if comment.author.login == login]
        return [comment.body.partition("\n\n<!-- hive")[0] for comment in comments]

    def audited(self, action: str) -> list[str]:
        """The refs of one kind of act in the audit log."""
        return [row.ref for row in self.env.instance.ledger.audit.after(0, limit=5000) if row.action == action]

    @contextmanager
    def socket(self, agent: str) -> Iterator[Socket]:
        """An agent's side of the socket of its container."""
        instance = self.env.instance
        session = AgentSession(
            *(agent, "acme"),
            login=lambda: Login(agent, instance.secret_store.token(FORGE, agent)),
            forge_url=self.env.forge.url,
            config_repo=CONFIG,
            ledger=instance.ledger,
            wake=self.worker.apply,
            heard=lambda *_: None,
            epoch=lambda: 1,
            stop=threading.Event(),
            rest=resting(instance.ledger),
            base=lambda _: "main",
            serves=lambda _: True,
            brief=lambda turn: {"message": turn.message},
            capabilities=lambda: frozenset(EVERYDAY),
            outbound=Outbound(instance.ledger, "acme", agent, "core", Repo(FORGE, "hive", "ops")),
            peers=lambda: instance.teams["acme"].agents,
        )
        with broker.create(session).test_client() as client:
            yield Socket(client, instance.ledger, session)

    def bounce(self, agent: str, why: str = WHY, **more: object) -> tuple[int, str]:
        """What its harness does when a model calls the tool; the status, and what a refusal says."""
        with self.socket(agent) as socket:
            token = socket.turn()["token"]
            status, answer = socket.post("/v1/not_my_lane", {"key": "k", "why": why, **more}, token)
            outcome = "bounced" if status == 200 else "answered"
            assert socket.post("/v1/end", {"outcome": outcome, "message": why or "Hm."}, token)[0] == 200
        self.hear()
        return status, "" if status == 200 else answer["error"]


@pytest.fixture
def house(hive_env: HiveEnv) -> House:
    """Both have accounts with no more rights than an agent's."""
    instance = hive_env.instance
    password = instance.secret_store.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=hive_env.forge.url, login=ADMIN, password=password) as admin:
        noah = admin.ensure_user(NOAH, password="correct horse battery", email="noah@forge.invalid")
        admin.ensure_collaborator(APP, NOAH, "write")
        token = admin.make_token(NOAH, "hive", ("write:repository", "write:issue", "read:user"))
    instance.secret_store.keep_token(FORGE, NOAH, token)
    team = instance.teams["acme"]
    instance.teams["acme"] = replace(
        team,
        agents={**team.agents, NOAH: User(noah.id, NOAH)},
        lanes=(*team.lanes, Lane("nix", NOAH, "area/nix", ("flake",))),
    )
    core = hive_env.house_core()
    core._client.post(f"/repos/{APP.path}/labels", name="area/nix", color="#123456")
    return House(hive_env, hive_env.worker())


@pytest.mark.parametrize("more", [{}, {"owner": "noah"}, {"owner": "@noah"}])
def test_once_to_another_agent(house: House, more: dict[str, str]) -> None:
    """Its comment is the command; the other agent has it, with a run; nothing else is said in its name."""
    ref = house.file()
    assert house.bounce("iris", **more) == (200, "")
    assert house.shown(ref) == (["noah"], {"area/nix"})
    assert house.run(ref) == ("noah", "open", "")
    named = " noah" if more else ""
    assert house.said(ref, "iris") == [f"/not-my-lane{named}\n\n{WHY}"]
    assert house.audited("call_made") == [str(ref)]
    corrections = house.env.instance.ledger.corrections.of("acme")
    assert [(each.lane, each.by) for each in corrections] == ([("nix", "iris")] if more else [])


def test_the_second_time_to_the_operators(house: House) -> None:
    """Whoever gives it back then: nobody is assigned, and an operator is asked."""
    ref = house.file()
    assert house.bounce("iris")[0] == 200
    assert house.bounce("noah", "It is a page, so iris'.")[0] == 200
    assert house.shown(ref) == ([], {"area/nix", "needs-operator"})
    assert house.run(ref) == ("noah", "ended", "bounced")
    (answer,) = [said for said in house.said(ref, "core") if "second time" in said]
    assert "@mara" in answer


@pytest.mark.parametrize(
    ("why", "more", "said"),
    [
        ("", {}, "why should be text of 1 to 2000"),
        ("x" * 2001, {}, "why should be text of 1 to 2000"),
        (WHY, {"owner": "iris"}, "owner should be left out, or be one of noah"),
        (WHY, {"owner": "mara"}, "owner should be left out, or be one of noah"),
        (WHY, {"owner": "noah\n/pause"}, "owner should be left out, or be one of noah"),
        (WHY, {"issue": "forgejo:acme/app#9"}, "not_my_lane takes key, why, owner (optional)"),
    ],
)
def test_what_is_wrong_is_said_to_the_model(house: House, why: str, more: dict[str, str], said: str) -> None:
    """Nothing is posted, and the agent keeps the issue."""
    ref = house.file()
    status, answer = house.bounce("iris", why, **more)
    assert (status, said in answer) == (400, True), answer
    assert house.shown(ref)[0] == ["iris"]
    assert all("/not-my-lane" not in comment for comment in house.said(ref, "iris"))


def test_its_reason_is_no_command(house: House) -> None:
    """Neither a second bounce below it nor another command, nor a fence that would hide the first."""
    ref = house.file()
    why = "```\n/not-my-lane iris\n```\n\n/not-my-lane iris\n\n/pause noah\n\n@mara look <!--"
    assert house.bounce("iris", why)[0] == 200
    assert house.shown(ref) == (["noah"], {"area/nix"})
    assert house.run(ref) == ("noah", "open", "")
    assert house.env.instance.ledger.suspensions.all() == []
    (comment,) = house.said(ref, "iris")
    assert "@mara" not in comment


def test_who_was_asked_for_words_has_nothing_to_give(house: House) -> None:
    """A run that a mention woke has not been given the issue."""
    ref = house.env.mara.open_issue(APP, "The page is slow", "It is.", marker="It is.").ref
    start = StartRun(ref, "iris", "What do you think?", key="m", wake=Wake.MENTION)
    enqueue(house.env.instance.ledger, "acme", "core", start, by="wakes")
    drain(house.env, house.worker)
    status, said = house.bounce("iris")
    assert (status, "you were asked for words" in said) == (403, True)


def test_an_end_without_the_call_is_no_bounce(house: House) -> None:
    """A harness that says so and has given nothing back is blocked, so that somebody looks."""
    ref = house.file()
    with house.socket("iris") as socket:
        token = socket.turn()["token"]
        assert socket.post("/v1/end", {"outcome": "bounced", "message": "Not mine."}, token)[0] == 200
    house.hear()
    assert house.run(ref)[:2] == ("iris", "open")
    assert any("Blocked" in said for said in house.said(ref, "iris"))
