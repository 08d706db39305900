"""`hive loose-ends`: all open work, and who is waited for. Read from the ledger alone, so also while a forge is down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bots.views import RunStatus
from forge.models import Ref
from hive.instance.instance import Instance
from hive.ledger import Scope

OPERATOR, AGENT = "operator", "agent"
NOTHING = "nothing is open"
WIDTH = 100

ASKED = "has asked: {question}"
PROPOSED = "goes on when {ref} is merged"
WORKS = "works on it"
IN_TURN = "comes to it"
UNMERGED = "#{number} waits for its merge, or for words"
ANSWERED = "has answered; it ends when the issue is closed"
NO_ROOM = "waits in queue/{lane} until {agent} has less open, or what it depends on is closed"


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Work that is open: whom it waits for (`OPERATOR`, `AGENT`), and why; `since` is None where that is not known."""

    waits_for: str
    agent: str
    ref: str
    why: str
    since: datetime | None = None


def open_work(instance: Instance, only: str = "") -> list[OpenWork]:
    """What is open of all agents, or of one; what waits for operators first, then the oldest."""
    ledger = instance.ledger
    found: list[OpenWork] = []
    for team, mine in instance.settings.teams.items():
        for agent in (name for name in mine.agents if only in ("", name)):
            stopped = "; ".join(each.waiting for each in ledger.suspensions.of(team, Scope.AGENT, agent))
            found += [_of_run(instance, ref, status, stopped) for ref, status in ledger.run_states.open_statuses(agent)]
            found += [
                OpenWork(AGENT, agent, entry.ref, NO_ROOM.format(lane=entry.lane, agent=agent))
                for entry in ledger.ready_queue.waiting(agent)
            ]
    latest = datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda each: (each.waits_for != OPERATOR, each.since or latest, each.ref))


def lines(found: list[OpenWork], now: datetime) -> Iterator[str]:
    """A line for each, as a terminal shows it."""
    if not found:
        yield NOTHING
    for each in found:
        age = "" if each.since is None else _age((now - each.since).total_seconds())
        why = "".join(letter if letter.isprintable() else " " for letter in each.why)
        short = why if len(why) <= WIDTH else why[: WIDTH - 1] + "…"
        yield f"{each.waits_for:8}  {age:>5}  {each.agent}  {each.ref.partition(':')[2]}  {short}"


def _of_run(instance: Instance, ref: str, status: RunStatus, stopped: str) -> OpenWork:
    question = instance.ledger.questions.open_of(status.id)
    if question is not None:
        return OpenWork(OPERATOR, status.agent, ref, ASKED.format(question=question.question), status.since)
    if status.turn:
        why = stopped or status.held_up
        if why and not status.is_held:
            return OpenWork(OPERATOR, status.agent, ref, why, status.since)
        return OpenWork(AGENT, status.agent, ref, WORKS if status.is_held else IN_TURN, status.since)
    if status.waits_for is not None:
        return OpenWork(OPERATOR, status.agent, ref, PROPOSED.format(ref=_name(status.waits_for)), status.since)
    if status.blocked:
        return OpenWork(OPERATOR, status.agent, ref, status.blocked, status.since)
    if status.pull is not None:
        return OpenWork(OPERATOR, status.agent, ref, UNMERGED.format(number=status.pull.number), status.since)
    return OpenWork(OPERATOR, status.agent, ref, ANSWERED, status.since)


def _name(ref: Ref) -> str:
    return f"{ref.repo.path}#{ref.number}"


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
