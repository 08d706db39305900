"""Deliveries become jobs: each read once, whoever sent it and however often the reader dies."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from forge.events import Event, IssueClosed, IssueOpened, PullMerged, SubjectChanged
from forge.models import Branch, Ref, Repo, Repository, User
from forge.webhook import Delivery
from hive.ledger import Ledger, Origin, compress
from hive.worker.dispatch import BATCH, DeliveryDecoder, Dispatcher

APP = Repo("forgejo", "acme", "app")


def decode(delivery: Delivery) -> list[Event]:
    """A forge whose deliveries hold an owner and a number."""
    data = json.loads(delivery.body)
    if delivery.kind != "issues":
        return []
    ref = Ref.parse(f"forgejo:{data['owner']}/app#{data['number']}")
    return [IssueOpened(ref, User(1, "mara"), f"opened:{ref}")]


@pytest.fixture
def dispatcher(ledger: Ledger) -> Dispatcher:
    """Two bots listen to one team."""
    return Dispatcher(
        ledger,
        {"forgejo": DeliveryDecoder(decode, lambda event: f"http://forge/{event.ref.number}")},
        team_of=lambda repo: "acme" if repo == APP else None,
        listeners=lambda team, event: ["triage", "lane"],
        origin=lambda team, event: Origin(),
    )


def send(
    ledger: Ledger, uuid: str, *, owner: str = "acme", number: int = 1, kind: str = "issues", forge: str = "forgejo"
) -> None:
    """A delivery is taken in."""
    body = json.dumps({"owner": owner, "number": number}).encode()
    assert ledger.deliveries.receive(Delivery(forge, uuid, kind, body), compress(body))


def test_a_delivery_makes_jobs(ledger: Ledger, dispatcher: Dispatcher) -> None:
    """A job for each bot that listens, and one act in the record; a second reading finds nothing."""
    send(ledger, "u1")
    assert dispatcher.dispatch() == [1, 2]
    (row,) = ledger.audit.after(0)
    assert (row.actor, row.action, row.ref, row.url) == ("mara", "issue_opened", str(Ref(APP, 1)), "http://forge/1")
    assert dispatcher.dispatch() == []


def test_the_same_event_makes_no_second_job(ledger: Ledger, dispatcher: Dispatcher) -> None:
    """The same bytes under other ids, as a forge sends them when somebody presses replay."""
    for number in range(5):
        send(ledger, f"u{number}")
    assert len(dispatcher.dispatch()) == 2
    assert len(ledger.audit.after(0)) == 1


def test_more_than_a_batch_is_read_in_order(ledger: Ledger, dispatcher: Dispatcher) -> None:
    """All that waits is read, oldest first."""
    for number in range(1, 251):
        send(ledger, f"u{number}", number=number)
    made, read = dispatcher.dispatch_batch()
    assert (len(made), read) == (2 * BATCH, BATCH)
    assert len(dispatcher.dispatch()) == 500 - 2 * BATCH
    assert [row.ref for row in ledger.audit.after(0)] == [str(Ref(APP, number)) for number in range(1, 251)]


@pytest.mark.parametrize(
    ("sent", "what", "why"),
    [
        ({"owner": "evil"}, "delivery_ignored", "a repository of no team"),
        ({"kind": "wiki"}, "delivery_ignored", "an event that no bot handles"),
        ({"forge": "gone"}, "delivery_ignored", "an event that no bot handles"),
        ({"owner": "../x"}, "delivery_unreadable", "not an issue"),
    ],
)
def test_what_makes_no_work_is_said(
    ledger: Ledger, dispatcher: Dispatcher, sent: dict[str, str], what: str, why: str
) -> None:
    """Foreign, unknown and broken deliveries leave one row each, and hold up nobody."""
    send(ledger, "u1", number=1, **sent)
    send(ledger, "u2", number=2)
    assert len(dispatcher.dispatch()) == 2
    first = ledger.audit.after(0)[0]
    assert first.action == what
    assert why in first.detail["why"]
    assert ledger.deliveries.unread() == []


def test_what_has_no_key_asks_for_a_look(ledger: Ledger, dispatcher: Dispatcher) -> None:
    """Deliveries that do not say what happened make one look together, and another one once that has begun."""

    def closed(delivery: Delivery) -> list[Event]:
        return [IssueClosed(event.ref, event.actor, "") for event in decode(delivery)]

    nudged = replace(dispatcher, decoders={"forgejo": DeliveryDecoder(closed, lambda _: "")})
    for uuid in ("u1", "u2"):
        send(ledger, uuid)
    (look,) = nudged.dispatch()
    job = ledger.jobs.claim(look)
    assert job is not None
    assert (job.bot, job.event) == ("refresh", SubjectChanged(Ref(APP, 1), User(1, "mara"), "look:forgejo:u1"))
    assert ledger.audit.after(0) == []
    send(ledger, "u3")
    assert len(nudged.dispatch()) == 1


def test_nobody_looks_for_nobody(ledger: Ledger, dispatcher: Dispatcher) -> None:
    """What no bot listens to costs no question to a forge."""

    def closed(delivery: Delivery) -> list[Event]:
        return [IssueClosed(event.ref, event.actor, "") for event in decode(delivery)]

    deaf = replace(dispatcher, decoders={"forgejo": DeliveryDecoder(closed, lambda _: "")}, listeners=lambda *_: [])
    send(ledger, "u1")
    assert deaf.dispatch() == []


@pytest.mark.parametrize("key", ["merged:7", ""])
def test_a_merge_asks_the_host_to_look_though_a_review_is_at_work(
    ledger: Ledger, dispatcher: Dispatcher, key: str
) -> None:
    """Its own job waits for those before it on the pull request; a merge elsewhere asks for nothing."""

    def merged(delivery: Delivery) -> list[Event]:
        return [PullMerged(event.ref, event.actor, key and f"{key}:{event.ref}") for event in decode(delivery)]

    seen = Repository(7, APP, "main", archived=False, mirror=False, empty=False, private=True)
    ledger.deployments.register(
        "iris", team="acme", seen=seen, branch=Branch("main", "a" * 40, protected=True), cursor=3
    )
    woken: list[str] = []
    elsewhere = replace(
        dispatcher,
        decoders={"forgejo": DeliveryDecoder(merged, lambda _: "")},
        deploys=lambda team, repo: None,
        wake_host=lambda: woken.append("host"),
    )
    send(ledger, "u1", number=1)
    elsewhere.dispatch()
    assert (woken, _asked(ledger)) == ([], False)
    send(ledger, "u2", number=2)
    job, *_ = replace(
        elsewhere, deploys=lambda team, repo: "iris" if (team, repo) == ("acme", APP) else None
    ).dispatch()
    assert (woken, _asked(ledger)) == (["host"], True)
    assert ledger.jobs.claim(job) is not None


def _asked(ledger: Ledger) -> bool:
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    return baseline.check_requested_at > baseline.checked_at
