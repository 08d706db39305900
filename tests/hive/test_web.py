"""The receiver lets in what a forge signed, writes it down once, and keeps the rest out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from flask.testing import FlaskClient

from forge.events import Event, IssueOpened
from forge.types import Ref, Repo, User
from forge.webhook import MAX_BODY, Delivery, sign
from hive.ledger import AuditRow, Ledger, Scope
from hive.web import Desk, Door, create

SECRET, OLD = b"new-secret", b"old-secret"
APP = Repo("forgejo", "acme", "app")


@dataclass
class Receiver:
    """The receiver with its client, and what it woke."""

    client: FlaskClient
    ledger: Ledger
    woken: list[int] = field(default_factory=list)

    def post(
        self,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        secret: bytes = SECRET,
        door: str = "forgejo",
        uuid: str = "u1",
    ) -> int:
        """Send a delivery; returns the status."""
        given = {
            "X-Forgejo-Event-Type": "issues",
            "X-Forgejo-Delivery": uuid,
            "X-Forgejo-Signature": sign(secret, body),
            **(headers or {}),
        }
        sent = {name: value for name, value in given.items() if value != "-"}
        return self.client.post(f"/hook/{door}", data=body, headers=sent).status_code

    @property
    def rows(self) -> list[AuditRow]:
        """The audit log."""
        return self.ledger.audit.after(0)


def decode(delivery: Delivery) -> list[Event]:
    """A forge whose deliveries hold an owner and a number."""
    data = json.loads(delivery.body)
    if delivery.kind != "issues":
        return []
    ref = Ref.parse(f"forgejo:{data['owner']}/app#{data['number']}")
    return [IssueOpened(ref, User(1, "mara"), f"opened:{ref}")]


@pytest.fixture
def receiver(ledger: Ledger) -> Iterator[Receiver]:
    """A receiver for one forge, with two secrets while one is rotated."""
    woken: list[int] = []
    desk = Desk(
        ledger=ledger,
        doors={"forgejo": Door((SECRET, OLD), decode, lambda event: f"http://forge/{event.ref.number}")},
        team_of=lambda repo: "acme" if repo == APP else None,
        listeners=lambda kind: ["triage", "lane"],
        wake=woken.append,
    )
    with create(desk).test_client() as client:
        yield Receiver(client, ledger, woken)


def body(owner: str = "acme", number: int = 1) -> bytes:
    """A delivery's body."""
    return json.dumps({"owner": owner, "number": number}).encode()


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_signed_deliveries_make_jobs(receiver: Receiver, secret: bytes) -> None:
    """202, a job for each bot that listens, each woken, and one act in the audit log."""
    assert receiver.post(body(), secret=secret) == 202
    assert len(receiver.woken) == 2
    assert receiver.ledger.intake.due() == [1]
    (row,) = receiver.rows
    assert (row.who, row.what, row.ref, row.url) == ("mara", "IssueOpened", str(Ref(APP, 1)), "http://forge/1")


def test_five_times_is_once(receiver: Receiver) -> None:
    """The same delivery, and the same bytes under another id, make nothing new."""
    statuses = [receiver.post(body(), uuid=uuid) for uuid in ("u1", "u1", "u2", "u3", "u1")]
    assert statuses == [202] * 5
    assert len(receiver.woken) == 2
    assert len(receiver.rows) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Forgejo-Signature": "0" * 64}, 401),
        ({"X-Forgejo-Signature": ""}, 401),
        ({"X-Forgejo-Signature": "-"}, 401),
        ({"X-Forgejo-Signature": "ü"}, 401),
        ({"X-Forgejo-Signature": "-", "X-Hub-Signature-256": "sha256="}, 401),
        ({"X-Forgejo-Event-Type": "-"}, 400),
        ({"X-Forgejo-Delivery": "-"}, 400),
    ],
)
def test_what_is_no_delivery_stays_out(receiver: Receiver, headers: dict[str, str], status: int) -> None:
    """One row says that it was refused; nothing else happens."""
    assert receiver.post(body(), headers) == status
    (row,) = receiver.rows
    assert (row.what, row.detail["status"]) == ("Refused", status)
    assert not receiver.woken


def test_github_form_of_the_signature(receiver: Receiver) -> None:
    """The same digest under the other header opens the same door."""
    signature = "sha256=" + sign(SECRET, body())
    assert receiver.post(body(), {"X-Forgejo-Signature": "-", "X-Hub-Signature-256": signature}) == 202


@pytest.mark.parametrize("data", [b"", b"not json", b"\xff", b"[1", b'{"owner": "../x", "number": 1}'])
def test_broken_bodies_are_refused(receiver: Receiver, data: bytes) -> None:
    """Signed nonsense is 400, once in the log, and stored nowhere."""
    assert receiver.post(data) == 400
    (row,) = receiver.rows
    assert row.detail["status"] == 400
    assert not receiver.woken


def test_too_large(receiver: Receiver) -> None:
    """A body above the limit is refused unread."""
    assert receiver.post(b"x" * (MAX_BODY + 1)) == 413
    (row,) = receiver.rows
    assert row.detail["status"] == 413
    assert not receiver.woken


def test_unknown_events_are_ignored(receiver: Receiver) -> None:
    """202, since a forge can do nothing with another answer; one row."""
    assert receiver.post(body(), {"X-Forgejo-Event-Type": "wiki"}) == 202
    (row,) = receiver.rows
    assert row.what == "Ignored"
    assert not receiver.woken


def test_other_organisations_are_ignored(receiver: Receiver) -> None:
    """A signed event of a repository of no team makes no work."""
    assert receiver.post(body(owner="evil")) == 202
    (row,) = receiver.rows
    assert (row.what, row.detail["why"]) == ("Ignored", "a repository of no team")
    assert not receiver.woken


def test_unknown_doors(receiver: Receiver) -> None:
    """A forge that is not configured has no door."""
    assert receiver.post(body(), door="gitea") == 404
    assert receiver.client.get("/hook/forgejo").status_code == 405
    assert receiver.client.get("/nothing").status_code == 404


def test_health(receiver: Receiver) -> None:
    """Healthy means that the ledger can be read; what waits is said with its reason."""
    assert receiver.client.get("/healthz").json == {"status": "ok"}
    receiver.ledger.parking.park("acme", Scope.TEAM, "", "forge unavailable: 502")
    answer = receiver.client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["waiting"].startswith("acme: forge unavailable: 502, since 2")
