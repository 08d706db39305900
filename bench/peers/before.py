"""The older build, measured by itself: before.py triage | looking | whole | web, with its tree first on PYTHONPATH.

Every name of the hive in here is one of that build, whatever it is called today. Prints one line of JSON.
`web` prints it when its receiver listens, and ends with its standard input.
"""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import requests
from threads import cost, said

from bench.looking import APP, Town, looking, town
from bench.row import Row
from bench.stand import alone
from bench.whole import whole
from forge.webhook import Delivery
from hive.demo.setup import FORGE, OPERATOR
from hive.ledger import pack

OPEN = """
    SELECT (SELECT count(*) FROM deliveries WHERE state = 'waiting')
    + (SELECT count(*) FROM jobs WHERE state IN ('waiting', 'running'))
    + (SELECT count(*) FROM effects WHERE state IN ('waiting', 'applying'))
"""


def triage() -> str:
    """What one issue costs the worker."""
    with (
        town() as here,
        requests.Session() as session,
        closing(sqlite3.connect(here.house.settings.state / "ledger.db")) as ledger,
    ):
        session.headers["Authorization"] = f"token {here.house.vault.token(FORGE, 'core')}"
        return said(cost(lambda stop: here.worker.serve(threads=1, stop=stop), partial(file, here, session, ledger)))


def file(here: Town, session: requests.Session, ledger: sqlite3.Connection, number: int) -> None:
    """File an issue, hand over its delivery, and wait for the last deed that comes of it."""
    ref = here.issue(f"A page is wrong, {number}").ref

    def ask(endpoint: str) -> Any:
        return session.get(f"{here.house.url(FORGE)}/api/v1/{endpoint}", timeout=20).json()

    place = f"repos/{APP.path}"
    told = {"action": "opened", "number": ref.number, "issue": ask(f"{place}/issues/{ref.number}")}
    told |= {"repository": ask(place), "sender": ask(f"users/{OPERATOR}")}
    body = json.dumps(told).encode()
    here.house.ledger.intake.receive(Delivery(FORGE, str(uuid4()), "issues", body), pack(body))
    here.house.bell.ring()
    end = monotonic() + 30
    while ledger.execute(OPEN).fetchone()[0]:
        if monotonic() > end:
            raise SystemExit("the triage of an issue came to no end")
        sleep(0.001)
    if not ask(f"{place}/issues/{ref.number}")["labels"]:
        raise SystemExit("an issue was left without a label")


def rows(part: Callable[[], Iterable[Row]]) -> str:
    """The rows of a part of its bench."""
    return json.dumps([{"name": row.name, "value": row.value} for row in part()])


def web() -> None:
    """Its receiver, until the standard input ends."""
    with alone("web") as here:
        known = {"port": here.port, "pid": here.tree.pid("web"), "secret": here.secret.decode()}
        print(json.dumps(known), flush=True)
        sys.stdin.read()


PARTS = {"triage": triage, "looking": partial(rows, looking), "whole": partial(rows, whole)}

if __name__ == "__main__":
    if sys.argv[1] == "web":
        web()
    else:
        print(PARTS[sys.argv[1]](), flush=True)
