"""A bot that writes down when it was started, and for what; how long it then naps is told by the environment."""

from __future__ import annotations

import os
import time
from functools import cache

from bots.bot import Bot, Context
from bots.intents import Intent
from forge.events import CommentPosted, Event, IssueLabeled, IssueOpened

STARTS = "HIVE_BENCH_STARTS"
"""Names the file into which it writes."""

NAP = "HIVE_BENCH_NAP"
"""Seconds that a look takes."""

NAP_SECONDS = float(os.environ.get(NAP, "0"))

bot = Bot("stopwatch", may=())


def look(event: Event, ctx: Context) -> list[Intent]:
    """Note the start, and want nothing."""
    stamp(event.key)
    if NAP_SECONDS:
        time.sleep(NAP_SECONDS)
    return []


for kind in (IssueOpened, IssueLabeled, CommentPosted):
    bot.on(kind)(look)


def stamp(what: str) -> None:
    """One line: nanoseconds of the clock that all processes of a machine share, and what has begun."""
    os.write(_sheet(), f"{time.monotonic_ns()} {what}\n".encode())


@cache
def _sheet() -> int:
    return os.open(os.environ[STARTS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
