"""The receiver: takes deliveries, checks them, writes them down, answers. Calls no forge, model or host.

Everything that has to happen later is in the ledger before the answer is sent, since a forge
tries each delivery once and lets all others wait behind a slow one (five seconds at the most).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from forge.events import Event
from forge.types import Repo
from forge.webhook import MAX_BODY, BadDelivery, Delivery, verify
from hive.ledger import Ledger

log = logging.getLogger("hive.web")

Answer = tuple[dict[str, str], int]


@dataclass(frozen=True, slots=True)
class Door:
    """How deliveries of one forge are checked and read. `decode` raises ValueError for a broken body."""

    secrets: tuple[bytes, ...]
    decode: Callable[[Delivery], list[Event]]
    page: Callable[[Event], str]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the receiver needs of the house: who listens, whose repository it is, whom to wake."""

    ledger: Ledger
    doors: Mapping[str, Door]
    team_of: Callable[[Repo], str | None]
    listeners: Callable[[type[Event]], Iterable[str]]
    wake: Callable[[int], None]


def create(desk: Desk) -> Flask:
    """The WSGI application."""
    app = Flask("hive.web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    @app.post("/hook/<name>")
    def hook(name: str) -> Answer:
        try:
            return receive(desk, name)
        except BadDelivery as error:
            return refuse(desk, name, error)

    @app.get("/healthz")
    def health() -> Answer:
        try:
            resting = "; ".join(map(str, desk.ledger.parking.all()))
        except sqlite3.Error as error:
            return {"status": "the ledger cannot be read", "error": str(error)}, 503
        return {"status": "ok"} | ({"waiting": resting} if resting else {}), 200

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.name), error.code or 500

    return app


def receive(desk: Desk, name: str) -> Answer:
    """One delivery: verify, decode, one transaction, 202. Raises BadDelivery."""
    door = desk.doors.get(name)
    if door is None:
        raise BadDelivery(404, "no forge of that name")
    delivery = verify(name, dict(request.headers.items()), body(), door.secrets)
    try:
        events = door.decode(delivery)
    except ValueError as error:
        raise BadDelivery(400, str(error)) from error
    team = next((found for event in events if (found := desk.team_of(event.ref.repo))), None)
    if team is None:
        ignored = "no event that is looked at" if not events else "a repository of no team"
        desk.ledger.audit.add(f"forge:{name}", "Ignored", kind=delivery.kind, why=ignored)
        return {"status": "ignored"}, 202
    return store(desk, door, delivery, team, events), 202


def store(desk: Desk, door: Door, delivery: Delivery, team: str, events: list[Event]) -> dict[str, str]:
    """Delivery, jobs and audit in one transaction; then a nudge for each job."""
    wanted = [(bot, event) for event in events for bot in desk.listeners(type(event))]
    with desk.ledger.transaction():
        jobs = desk.ledger.intake.receive(delivery, team, wanted)
        if jobs:
            note(desk.ledger, team, events, door.page)
    if jobs is None:
        return {"status": "known"}
    for job in jobs:
        desk.wake(job)
    return {"status": "accepted"}


def note(ledger: Ledger, team: str, events: Iterable[Event], page: Callable[[Event], str]) -> None:
    """Events that make work are acts of somebody: they are in the record."""
    for event in events:
        ledger.audit.add(
            event.actor.login, type(event).__name__, team=team, ref=str(event.ref), url=page(event), key=event.key
        )


def body() -> bytes:
    """The raw body; raises BadDelivery 413 for one that is too large."""
    if (request.content_length or 0) > MAX_BODY:
        raise BadDelivery(413, f"body of {request.content_length} bytes is above the limit of {MAX_BODY}")
    return request.get_data(cache=False)


def refuse(desk: Desk, name: str, error: BadDelivery) -> Answer:
    """What is no delivery leaves one row and nothing else."""
    desk.ledger.audit.add(f"from {request.remote_addr}", "Refused", status=error.status, why=str(error), door=name[:32])
    log.warning("delivery_refused door=%r status=%d why=%r", name[:32], error.status, str(error)[:200])
    return {"error": str(error)}, error.status
