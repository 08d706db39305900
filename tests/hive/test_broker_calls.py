"""A run may do on the forge what its agent's capabilities allow, so many times, and each time is recorded."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from hive.agent.tool_declarations import HIVE_TOOLS, offered
from hive.config.agent_yaml import Capability
from hive.gateway import broker
from hive.gateway.admission import CallHead, Denied, Guard
from hive.gateway.broker import CALLS
from hive.gateway.calls import BrokerCall
from hive.gateway.outbound import KnownSecrets
from hive.gateway.run_messages import WITHHELD
from tests.hive import test_broker
from tests.hive.test_broker import Socket

socket, run = test_broker.socket, test_broker.run

BODIES: Mapping[str, dict[str, str]] = {
    "ask": {"key": "k", "question": "a or b?"},
    "comment": {"key": "k", "body": "b"},
    "pull": {"branch": "agent/iris/x", "title": "t", "body": "b"},
    "propose": {"branch": "agent/iris/x", "title": "t", "body": "b"},
    "update_pr": {"key": "k", "title": "t"},
    "config_request": {"key": "k", "title": "t", "what": "rsvg-convert", "why": "icons"},
    "not_my_lane": {"key": "k", "why": "it is of nix"},
    "status": {},
    "logs": {},
}
"""A call of each kind that is granted."""

ON_THE_FORGE = [call for call in CALLS.values() if call.capability]
PULL = "forgejo:acme/app#2"


def ids(call: BrokerCall) -> str:
    return call.name


@contextmanager
def holding(socket: Socket, *capabilities: str) -> Iterator[Socket]:
    """The same agent with other capabilities."""
    session = replace(socket.session, capabilities=lambda: frozenset(capabilities))
    with broker.create(session).test_client() as client:
        yield Socket(client, socket.ledger, session, works=socket.works)


def acts(socket: Socket, what: str) -> list[Mapping[str, Any]]:
    """What the audit log says of one kind of act."""
    return [row.detail for row in socket.ledger.audit.after(0) if row.action == what]


def test_each_call_is_of_a_turns_life_or_limited() -> None:
    """There is no call without a capability and a quota but for those of a turn's life, and none that is an operator's."""
    life = {"beat", "transcript", "progress", "mail", "rest", "leave", "end"}
    assert set(CALLS) - {call.name for call in ON_THE_FORGE} == life
    for call in ON_THE_FORGE:
        assert call.capability in get_args(Capability), call.name
        assert call.quota > 0, call.name
        assert not call.once or call.once in call.takes, call.name
        assert set(call.optional) <= set(call.takes), call.name
    assert set(BODIES) == {call.name for call in ON_THE_FORGE}, "each has a granted call in these tests"


def test_each_call_is_documented() -> None:
    """The page about the harness has a row for each call, with its capability and its quota."""
    rows = (Path(__file__).parents[2] / "docs" / "harness.md").read_text().splitlines()
    for call in ON_THE_FORGE:
        (row,) = [row for row in rows if row.startswith(f"| `POST /v1/{call.name}` ")]
        assert row.endswith(f"| `{call.capability}`, {call.quota} |"), call.name
    for name in CALLS:
        assert any(row.startswith(f"| `POST /v1/{name}` ") for row in rows), name


def test_a_tool_is_offered_with_its_capability_only() -> None:
    """An agent is not offered what its broker would refuse; without any it may take notes, tick off items, and finish."""
    assert [tool.name for tool in offered(HIVE_TOOLS, ())] == ["progress", "note", "finish"]
    for tool in HIVE_TOOLS:
        assert not tool.capability or tool in offered(HIVE_TOOLS, [tool.capability])
        assert not tool.capability or tool.capability in get_args(Capability)


@pytest.mark.parametrize("call", ON_THE_FORGE, ids=ids)
def test_without_its_capability_a_call_is_refused(socket: Socket, run: int, call: BrokerCall) -> None:
    """The answer names what is missing, the audit log has it, and nothing happens."""
    others = sorted({*get_args(Capability)} - {call.capability})
    with holding(socket, *others) as other:
        status, answer = other.post(f"/v1/{call.name}", BODIES[call.name], other.turn()["token"])
    assert status == 403
    assert f"iris has not the capability {call.capability}" in answer["error"]
    assert [row["status"] for row in acts(socket, "request_rejected")] == [403]
    assert (socket.pending(), acts(socket, "call_made")) == ([], [])


@pytest.mark.parametrize("call", ON_THE_FORGE, ids=ids)
def test_a_call_may_be_made_so_many_times_in_a_run(socket: Socket, run: int, call: BrokerCall) -> None:
    """Each time is recorded; one more is refused in words from which a model learns, also in a later turn."""
    socket.ledger.runs.set_pull(run, PULL)
    token = socket.turn()["token"]
    for number in range(call.quota - 2):
        assert socket.ledger.broker_calls.count(run, call.name, f"earlier {number}", most=call.quota)
    for number in range(min(2, call.quota)):
        body = BODIES[call.name] | ({call.once: f"agent/iris/{number}"} if call.once else {})
        for _ in range(2 if call.once else 1):  # sent again it is the same one
            assert socket.post(f"/v1/{call.name}", body, token)[0] == (404 if call.name == "logs" else 200)
    body = BODIES[call.name] | ({call.once: "agent/iris/more"} if call.once else {})
    status, answer = socket.post(f"/v1/{call.name}", body, token)
    assert status == 403
    assert f"{call.name} may be called {call.quota} times in a run" in answer["error"]
    made = acts(socket, "call_made")
    assert {row["call"] for row in made} == {call.name}
    assert len(made) >= min(2, call.quota)


def test_a_malformed_call_is_answered_with_its_form(socket: Socket, run: int) -> None:
    """What is missing, unknown or of the wrong type is named beside what the call takes; it does not count."""
    token = socket.turn()["token"]
    for body, said in (
        ({"body": "b"}, "comment takes key, body; given were body"),
        ({"key": "k", "body": "b", "to": "atlas"}, "comment takes key, body; given were body, key, to"),
        ({"key": "k", "body": 5}, "body should be text"),
        ({"key": "k", "body": " "}, "body is empty; comment takes key, body"),
    ):
        status, answer = socket.post("/v1/comment", body, token)
        assert (status, said in answer["error"]) == (400, True), answer
    assert socket.ledger.broker_calls.counts(run) == {}


def test_an_unknown_call_is_answered_with_those_that_exist(socket: Socket) -> None:
    """A model that guesses learns which calls there are; what it guessed is not repeated if it is no word."""
    gate = broker.gate(Guard(socket.ledger, "acme", "iris"))
    for name, shown in (
        ("merge", "no call merge; there are ask, beat, comment,"),
        ("a\x1b[31m", "no call of that name;"),
    ):
        with pytest.raises(Denied, match=shown.replace("[", "\\[")) as refused:
            gate.admit(CallHead("id", "POST", f"/v1/{name}", "token"))
        assert refused.value.status == 404


def test_changes_its_own_pull_request(socket: Socket, run: int) -> None:
    """Title and body of the run's own one, of which a merge still closes the run's issue only; without one it is told so."""
    token = socket.turn()["token"]
    status, answer = socket.post("/v1/update_pr", {"key": "a", "title": "t"}, token)
    assert (status, "no pull request yet" in answer["error"]) == (403, True)
    socket.ledger.runs.set_pull(run, PULL)
    assert socket.post("/v1/update_pr", {"key": "b"}, token)[0] == 400
    asked = {"key": "c", "title": "Mend\nit @mara", "body": "It fixes #7."}
    assert socket.post("/v1/update_pr", asked, token)[1]["ref"] == PULL
    (effect,) = socket.pending()
    payload = json.loads(effect.payload)
    assert (effect.kind, payload["ref"]["number"], effect.actor) == ("edit_pull_request", 2, "iris")
    assert (payload["title"], payload["body"]) == ("Mend it @\u2060mara", "It fixes #\u20607.\n\nCloses #1")


def test_asks_for_a_configuration_in_words(socket: Socket, run: int) -> None:
    """What an agent needs and cannot write becomes an issue on its own configuration, with the work that needs it."""
    asked = {"key": "a", "title": "rsvg-convert", "what": "the package librsvg", "why": "icons, says @mara"}
    assert socket.post("/v1/config_request", asked, socket.turn()["token"])[0] == 200
    (effect,) = socket.pending()
    payload = json.loads(effect.payload)
    assert (effect.kind, payload["repo"]["name"], effect.actor) == ("open_issue", "iris", "iris")
    assert "icons, says @\u2060mara" in payload["body"]
    assert "in its work on acme/app#1, run 1" in payload["body"]


def test_reads_logs_of_others_with_the_capability_only(socket: Socket, run: int) -> None:
    """Its own log needs none; that of another agent of the team does, and outside of the team there is none."""
    socket.session = replace(socket.session, log=lambda agent, lines: f"{agent} {lines}" if agent != "eve" else None)
    for capabilities, agent, status in (
        (("status",), "iris", 200),
        (("status",), "atlas", 403),
        (("status", "logs"), "atlas", 200),
        (("status", "logs"), "eve", 404),
    ):
        with holding(socket, *capabilities) as other:
            token = other.turn()["token"]
            found = other.post("/v1/logs", {"lines": 7, "agent": agent}, token)
            assert found[0] == status, found
            if status == 200:
                assert found[1] == {"agent": agent, "lines": [f"{agent} 7"]}
            assert other.post("/v1/logs", {"lines": 501}, token)[0] == 400


SECRET = "5f0c9a1be47d2283aa96cc041e7db35f8e6a9d01"


@contextmanager
def knowing(socket: Socket) -> Iterator[Socket]:
    """The same agent, on a host with a secret."""
    outbound = replace(socket.session.outbound, known=KnownSecrets(lambda: [SECRET]))
    with broker.create(replace(socket.session, outbound=outbound)).test_client() as client:
        yield Socket(client, socket.ledger, socket.session, works=socket.works)


@pytest.mark.parametrize("call", [call for call in CALLS.values() if call.is_shown], ids=ids)
def test_a_secret_is_not_passed_on_by_any_call(socket: Socket, run: int, call: BrokerCall) -> None:
    """In whatever field it stands, the call is refused and recorded without it, and operators are told once a run."""
    socket.ledger.runs.set_pull(run, PULL)
    fields = {**dict.fromkeys(call.takes, "x"), **({"branch": "agent/iris/x"} if "branch" in call.takes else {})}
    fields = fields or {"done": "x"}
    with knowing(socket) as other:
        token = other.turn()["token"]
        for name in fields:
            for disguise in (SECRET, f"<b>{SECRET[:9]}</b>{SECRET[9:]}", b64encode(f"- {SECRET}".encode()).decode()):
                status, answer = other.post(f"/v1/{call.name}", {**fields, name: disguise}, token)
                assert (status, f"{name} holds a secret" in answer["error"]) == (403, True), answer
    effects = other.pending()
    assert [effect.kind for effect in effects] == (["open_issue"] if fields else [])
    assert {row["where"] for row in acts(socket, "secret_blocked")} == set(fields)
    with socket.ledger.transaction() as db:
        told = [*db.execute("SELECT detail FROM audit"), *db.execute("SELECT payload FROM effects")]
    assert not any(SECRET in row[0] for row in told)


def test_a_turn_that_ends_with_a_secret_ends_in_other_words(socket: Socket, run: int) -> None:
    """The thread hears that something was withheld, and not what; a key of nobody's is withheld too."""
    socket.ledger.runs.add_turn(run, "c2", "and now?", by_person=True)
    for message in (f"It is {SECRET[::-1]}.", "It is ghp_" + "aB3" * 12):
        with knowing(socket) as other:
            turn = other.turn()
            assert other.post("/v1/end", {"outcome": "answered", "message": message}, turn["token"])[0] == 200
    kinds = [effect.kind for effect in socket.pending()]
    assert sorted(kinds) == ["open_issue", "post_answer", "post_answer"]
    assert all(WITHHELD in effect.payload for effect in socket.pending() if effect.kind == "post_answer")


def test_a_token_of_a_run_is_a_secret_too(socket: Socket, run: int) -> None:
    """What the harness itself holds is not posted either."""
    token = socket.turn()["token"]
    assert socket.post("/v1/comment", {"key": "a", "body": f"I am {token[:25]}"}, token)[0] == 403
    assert socket.post("/v1/comment", {"key": "a", "body": f"I am {token[:9]}"}, token)[0] == 200
