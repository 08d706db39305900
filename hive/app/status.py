"""What is pending, running and suspended, as lines for a terminal. Decides nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

from hive.ledger import BacklogItem, Ledger

NOTHING = "nothing is pending"
WIDTH = 79


def queue(ledger: Ledger) -> Iterator[str]:
    """Everything open: suspensions with reasons, what is running, what is pending; then the last failures."""
    for suspension in ledger.suspensions.all():
        yield _cut(f"suspended  {suspension}", 2 * WIDTH)  # its reason ends with the way out
    items = ledger.backlog.all()
    yield from (_line(item, ledger.clock()) for item in items)
    if not items:
        yield NOTHING
    for item in ledger.backlog.failed():
        yield _cut(f"failed {_who(item)}: {item.error}")


def inbox(ledger: Ledger, agent: str) -> Iterator[str]:
    """The pending work of an agent in order, with the first words of each message."""
    items = ledger.backlog.inbox(agent)
    for item in items:
        yield _cut(
            f"{'running' if item.is_running else 'pending':9} {_age(item, ledger.clock()):>5}  {item.subject}  {_plain(item.what)}"
        )
    if not items:
        yield f"{NOTHING} for {agent}"


def _line(item: BacklogItem, now: float) -> str:
    state = "suspended" if item.is_suspended else "running" if item.is_running else "pending"
    more = [f"try {item.attempts}"] if item.attempts > 1 else []
    if item.next_at > now and not item.is_running:
        more.append(f"again in {item.next_at - now:.0f} s")
    if item.error:
        more.append(item.error)
    return _cut(f"{state:9} {_age(item, now):>5}  {_who(item)}{', ' if more else ''}{', '.join(more)}")


def _who(item: BacklogItem) -> str:
    what = "" if item.kind == "turn" else f" {item.what}"
    return f"{item.kind} {item.id}  {item.who}{what} {item.subject}"


def _age(item: BacklogItem, now: float) -> str:
    seconds = max(0, int(now - item.created_at))
    return f"{seconds} s" if seconds < 120 else time.strftime("%H:%M", time.localtime(item.created_at))


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _cut(text: str, width: int = WIDTH) -> str:
    line = " ".join(_plain(text).split(" "))
    return line if len(line) <= width else line[: width - 1] + "…"
