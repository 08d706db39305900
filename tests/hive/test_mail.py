"""What a person says during a turn joins it: once, with the line of the transcript that holds it."""

from __future__ import annotations

from typing import Any

import pytest

from forge.conversation import Conversation
from forge.models import Ref
from hive.ledger import Ledger
from hive.ledger.mailbox import JOINED
from tests.hive import test_broker
from tests.hive.test_broker import ISSUE, REPLY, Socket

run, socket = test_broker.run, test_broker.socket

HELLO: dict[str, Any] = {"role": "user", "content": [{"type": "text", "text": "Count from three."}]}


def tell(client: Socket, token: str, number: int, line: dict[str, Any]) -> tuple[int, Any]:
    """Send a line of the transcript."""
    return client.post("/v1/transcript", {"number": number, "line": line}, token)


def say(ledger: Ledger, to: int, text: str = "Count from three.", *, by_person: bool = True, **more: Any) -> int:
    """One more turn of a run; returns its number."""
    ledger.runs.add_turn(to, f"k{text}{more}{by_person}", text, by_person=by_person, **more)
    row = ledger.runs._db.row("SELECT max(id) AS id FROM turns")
    assert row is not None
    return int(row["id"])


def state(ledger: Ledger, turn: int) -> tuple[str, str]:
    """How a turn stands."""
    row = ledger.runs._db.row("SELECT state, outcome FROM turns WHERE id = ?", turn)
    assert row is not None
    return row["state"], row["outcome"]


def test_words_join_with_their_line(socket: Socket, run: int, ledger: Ledger) -> None:
    """A message waits until its line is stored, whoever asks for it; from then on it is no turn of its own."""
    token = socket.turn()["token"]
    assert tell(socket, token, 0, {"turn": 1, "mind": "a"}) == (200, {})
    number = say(ledger, run)
    assert tell(socket, token, 1, HELLO) == (200, {"mail": True})
    assert socket.post("/v1/beat", token=token)[1]["mail"]
    told = {"messages": [{"turn": number, "message": "Count from three."}]}
    for _ in range(2):
        assert socket.post("/v1/mail", token=token) == (200, told)
    assert state(ledger, number) == ("pending", "")
    for _ in range(2):
        assert tell(socket, token, 2, HELLO | {"joins": number}) == (200, {})
    assert state(ledger, number) == ("done", JOINED)
    assert socket.post("/v1/mail", token=token) == (200, {"messages": []})
    socket.post("/v1/end", {"outcome": "blocked", "message": "No."}, token)
    assert socket.post("/v1/turn", {"generation": "g1", "wait": 0}) == (204, None)
    (standing,) = ledger.run_states.of(ISSUE)
    assert standing.last == "blocked"
    status = ledger.run_states.status(ISSUE)
    assert status is not None
    assert "blocked" in status.blocked


def test_a_holder_that_died_before_it_read(socket: Socket, run: int, ledger: Ledger) -> None:
    """A message that no line holds is there for the next holder of the turn, and for a turn of its own after that."""
    socket.post("/v1/mail", token=socket.turn()["token"])
    number = say(ledger, run)
    socket.post("/v1/mail", token=socket.turn()["token"])
    token = socket.turn()["token"]
    assert [told["turn"] for told in socket.post("/v1/mail", token=token)[1]["messages"]] == [number]
    socket.post("/v1/end", {"outcome": "pushed", "message": ""}, token)
    assert socket.turn()["turn"] == number


@pytest.mark.parametrize("joins", ["other words", "other turn", "own turn", "twice"])
def test_only_what_waits_joins(socket: Socket, run: int, ledger: Ledger, joins: str) -> None:
    """No line takes away a message that it does not hold, word for word, nor one of another run; nothing of it is stored."""
    turn = socket.turn()
    tell(socket, turn["token"], 0, {"turn": 1, "mind": "a"})
    number = say(ledger, run)
    other = say(ledger, ledger.runs.start("acme", "iris", "forgejo:acme/app#9", "k9", "another"))
    line: dict[str, Any] = {
        "other words": {"role": "user", "content": [{"type": "text", "text": "Count."}], "joins": number},
        "other turn": HELLO | {"joins": other},
        "own turn": HELLO | {"joins": turn["turn"]},
        "twice": HELLO | {"content": HELLO["content"] * 2, "joins": number},
    }[joins]
    assert tell(socket, turn["token"], 1, line)[0] == 400
    assert len(ledger.transcripts.of(run)) == 1
    assert state(ledger, number) == ("pending", "")


def test_what_has_a_turn_of_its_own(socket: Socket, run: int, ledger: Ledger) -> None:
    """What a bot says, what is answered on a line, and all from a new start on, is no word that joins."""
    token = socket.turn()["token"]
    say(ledger, run, "a review", by_person=False)
    first = say(ledger, run, "first")
    say(ledger, run, "on a line", answers=Conversation(Ref.parse(ISSUE), 1, 2))
    second = say(ledger, run, "second")
    say(ledger, run, "anew", memory="new")
    say(ledger, run, "third")
    told = socket.post("/v1/mail", token=token)[1]["messages"]
    assert [each["turn"] for each in told] == [first, second]


def test_no_reply_of_a_model_joins(socket: Socket, run: int, ledger: Ledger) -> None:
    """A reply is no word of a person."""
    token = socket.turn()["token"]
    tell(socket, token, 0, {"turn": 1, "mind": "a"})
    number = say(ledger, run)
    assert tell(socket, token, 1, REPLY | HELLO | {"role": "assistant", "joins": number})[0] == 400
