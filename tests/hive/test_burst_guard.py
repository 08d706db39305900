"""A flood of deliveries is a flood of rows: looks wait until it is over, comments do not."""

from __future__ import annotations

import json
import threading
import time
from itertools import count

from forge.models import Ref
from forge.webhook import Delivery
from hive.ledger import pack
from hive.poller import REFRESH
from hive.worker.burst_guard import FLOOD_RATE, WINDOW_SECONDS, BurstGuard
from hive.worker.dispatch import BATCH
from tests.hive.conftest import APP, HiveEnv
from tests.hive.test_commands import deliver

SECONDS = 60.0


def test_what_is_a_flood() -> None:
    """So much in so short a time, and no more of it afterwards; a steady drip is none."""
    flood = BurstGuard()
    for read in (1, FLOOD_RATE):
        time.sleep(WINDOW_SECONDS)
        assert not flood.tell(read)
        assert flood.holds == (read == FLOOD_RATE)
    time.sleep(WINDOW_SECONDS)
    assert flood.tell(0), "it has ended"
    assert not flood.holds
    time.sleep(WINDOW_SECONDS)
    assert not flood.tell(0), "and ends once"
    flood.tell(BATCH)
    assert flood.holds, "more waits than was read"


def test_one_look_for_a_flood_and_an_answer_meanwhile(hive_env: HiveEnv) -> None:
    """However much is told of an issue, it is looked at once or twice, when that has ended; a command is answered before."""
    drowned, other = (
        hive_env.mara.open_issue(APP, what, f"{what} shows 0.", marker=what).ref for what in ("This", "That")
    )
    told = assigned(hive_env, drowned)
    numbers = count()

    def pour() -> None:
        deliveries = hive_env.instance.ledger.deliveries
        with hive_env.instance.ledger.transaction():
            for number in (next(numbers) for _ in range(2 * BATCH)):
                assert deliveries.receive(Delivery(APP.forge, f"flood-{number}", "issue_assign", told), pack(told))
        hive_env.instance.wakeup.notify()

    pour()
    stop = threading.Event()
    worker = threading.Thread(target=lambda: hive_env.worker().serve(threads=2, stop=stop))
    worker.start()
    try:
        comment = hive_env.mara.comment(other, "/help", marker="/help")
        deliver(hive_env, comment, "said")
        until = time.monotonic() + SECONDS
        while not any(each.author.login == "core" for each in hive_env.mara.comments(other)):
            assert time.monotonic() < until, "nobody answered"
            pour()
        meanwhile = looks(hive_env, drowned, "done")
        while looks(hive_env, drowned, "pending", "running"):
            assert time.monotonic() < until, "the flood is not over"
            time.sleep(0.05)
    finally:
        stop.set()
        worker.join()
    assert meanwhile == 0
    assert 1 <= looks(hive_env, drowned, "done") <= 2


def assigned(hive_env: HiveEnv, ref: Ref) -> bytes:
    """What a forge tells when somebody was assigned: not when."""
    ask = hive_env.mara._client
    issue = ask.get(f"/repos/{APP.path}/issues/{ref.number}").value
    repository = ask.get(f"/repos/{APP.path}").value
    sender = ask.get("/user").value
    told = {"action": "assigned", "number": ref.number, "issue": issue, "repository": repository, "sender": sender}
    return json.dumps(told).encode()


def looks(hive_env: HiveEnv, ref: Ref, *states: str) -> int:
    """How many looks at an issue that only deliveries asked for are in these states."""
    marks = ", ".join("?" * len(states))
    with hive_env.instance.ledger.transaction() as db:
        sql = f"SELECT count(*) FROM jobs WHERE bot = ? AND ref = ? AND state IN ({marks})"  # noqa: S608
        return int(db.execute(sql, (REFRESH, str(ref), *states)).fetchone()[0])
