"""A flood of deliveries is a flood of rows: looks wait until it is over, comments do not."""

from __future__ import annotations

import json
import threading
import time
from itertools import count

from forge.models import Ref
from forge.webhook import Delivery
from hive.ledger import compress
from hive.poller import REFRESH
from hive.supervisor.heartbeat import Loops
from hive.worker.burst_guard import BURST_RATE, BURST_SECONDS, WINDOW_SECONDS, BurstGuard
from hive.worker.dispatch import BATCH
from tests.conftest import Clock
from tests.hive.conftest import APP, HiveEnv
from tests.hive.test_commands import deliver

SECONDS = 240.0


def test_what_is_a_flood(clock: Clock) -> None:
    """So much in so short a time, and no more of it afterwards; a steady drip is none."""
    flood = BurstGuard(clock)
    for read, holds in ((1, False), (BATCH - 1, False), (BURST_RATE * WINDOW_SECONDS, True)):
        for part in (read // 2, read - read // 2):
            clock.pass_(WINDOW_SECONDS / 2)
            assert not flood.record(int(part))
        assert flood.is_active == holds
    clock.pass_(WINDOW_SECONDS)
    assert flood.record(0), "it has ended"
    assert not flood.is_active
    clock.pass_(WINDOW_SECONDS)
    assert not flood.record(0), "and ends once"


def test_more_that_waits_is_a_flood_however_slowly_it_is_read(clock: Clock) -> None:
    """A full batch holds jobs from its first moment, until a batch is not full any more."""
    flood = BurstGuard(clock)
    for _ in range(9):
        assert not flood.record(BATCH)
        assert flood.is_active
        clock.pass_(BURST_SECONDS / 10)
    assert not flood.record(BATCH)
    assert flood.is_active
    clock.pass_(WINDOW_SECONDS)
    assert flood.record(BATCH - 1), "it has ended"
    assert not flood.is_active


def test_a_flood_that_does_not_end_is_waited_for_a_minute(clock: Clock) -> None:
    """Then jobs go on beside it, and when it has ended the next flood has its own minute."""
    flood = BurstGuard(clock)
    flood.record(BATCH)
    clock.pass_(BURST_SECONDS - 1)
    flood.record(BATCH)
    assert flood.is_active
    clock.pass_(1)
    assert not flood.is_active
    flood.record(BATCH)
    assert not flood.is_active
    clock.pass_(WINDOW_SECONDS)
    assert flood.record(0)
    flood.record(BATCH)
    assert flood.is_active


def test_one_look_for_a_flood_and_an_answer_meanwhile(hive_env: HiveEnv) -> None:
    """However much is told of an issue, it is looked at once or twice, when that has ended; a command is answered before."""
    drowned, other = (
        hive_env.mara.open_issue(APP, what, f"{what} shows 0.", marker=what).ref for what in ("This", "That")
    )
    told = assigned(hive_env, drowned)
    numbers = count()
    worker, stop, begun = hive_env.worker(), threading.Event(), time.monotonic()
    heartbeat = Loops(None, "work", stop).heartbeat("backstop", every=1.0)

    def pour() -> None:
        deliveries = hive_env.instance.ledger.deliveries
        with hive_env.instance.ledger.transaction():
            for number in (next(numbers) for _ in range(2 * BATCH)):
                assert deliveries.receive(Delivery(APP.forge, f"flood-{number}", "issue_assign", told), compress(told))

    def turn() -> None:
        """Read one batch, and do what may be done then."""
        worker._backstop(heartbeat)
        worker.drain(stop)

    worker._deps.wakeup.listen()
    worker._deps.run_display.reset()
    pour()
    deliver(hive_env, hive_env.mara.comment(other, "/help", marker="/help"), "said")
    for _ in range(3):  # more than one batch waits behind each that is read
        pour()
        turn()
    assert any(each.author.login == "core" for each in hive_env.mara.comments(other))
    if time.monotonic() - begun < BURST_SECONDS:  # nobody waits longer than that
        assert looks(hive_env, drowned, "done") == 0
    while looks(hive_env, drowned, "pending", "running"):
        assert time.monotonic() < begun + SECONDS, "the flood is not over"
        turn()
    worker._deps.wakeup.close()
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
