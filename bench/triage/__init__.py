"""What an issue costs a worker, from the delivery that tells of it to the last deed of its triage; beside an older build."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import requests

from bench import before
from bench.looking import APP, Town, town
from bench.process import until
from bench.row import Gap, Row, Unmeasured, at_most_times
from bench.threads import Cost, cost
from forge.webhook import Delivery
from hive.demo.setup import FORGE, OPERATOR
from hive.ledger import compress

JOB = "triage, delivery → last deed"
PATIENCE_SECONDS = 30.0
OPEN = """
    SELECT (SELECT count(*) FROM deliveries WHERE state = 'pending')
    + (SELECT count(*) FROM jobs WHERE state IN ('pending', 'running'))
    + (SELECT count(*) FROM effects WHERE state IN ('pending', 'running'))
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """Hands the deliveries of new issues to a worker, as the receiver does."""

    town: Town
    session: requests.Session
    ledger: sqlite3.Connection

    def serve(self, stop: threading.Event) -> None:
        """Work as the worker does."""
        self.town.worker.serve(threads=1, stop=stop)

    def file(self, number: int) -> None:
        """File an issue, hand over its delivery, and wait for the last deed that comes of it; raises Unmeasured."""
        issue = self.town.issue(f"A page is wrong, {number}").ref.number
        place = f"repos/{APP.path}"
        told = {"action": "opened", "number": issue, "issue": self._ask(f"{place}/issues/{issue}")}
        told |= {"repository": self._ask(place), "sender": self._ask(f"users/{OPERATOR}")}
        body, instance = json.dumps(told).encode(), self.town.instance
        instance.ledger.deliveries.receive(Delivery(FORGE, str(uuid4()), "issues", body), compress(body))
        instance.wakeup.notify()
        if not until(lambda: self.ledger.execute(OPEN).fetchone()[0] == 0, seconds=PATIENCE_SECONDS, step=0.001):
            raise Unmeasured("the triage of an issue came to no end")
        if not self._ask(f"{place}/issues/{issue}")["labels"]:
            raise Unmeasured("an issue was left without a label")

    def _ask(self, endpoint: str) -> Any:
        answer = self.session.get(f"{self.town.instance.url(FORGE)}/api/v1/{endpoint}", timeout=20)
        answer.raise_for_status()
        return answer.json()


def triage() -> Iterator[Row | Gap]:
    """Python calls and processor time of a worker that serves as it always does."""
    ours = measure()
    try:
        theirs, peer = before.triage(), before.NAME
    except Unmeasured as error:
        yield Gap(f"triage beside {before.NAME}", str(error))
        theirs, peer = Cost(0.0, 0.0), ""
    yield Row(f"{JOB}: Python calls of the worker", ours.calls, "", peer, theirs.calls, at_most_times(0.6))
    yield Row(f"{JOB}: CPU of the worker", ours.cpu_ms, "ms", peer, theirs.cpu_ms, at_most_times(0.6))


def measure() -> Cost:
    """What one issue costs this build."""
    with town() as here, requests.Session() as session, closing(sqlite3.connect(here.instance.ledger_path)) as ledger:
        session.headers["Authorization"] = f"token {here.instance.secret_store.token(FORGE, 'core')}"
        deps = Desk(here, session, ledger)
        return cost(deps.serve, deps.file)
