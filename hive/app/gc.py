"""`hive gc`, and the same once a day by the process that owns each thing; and the alarm of a disk that fills up."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bots.markdown import plain
from hive.app import garbage
from hive.app.evaluators import NIXOS
from hive.app.garbage import DAY, Garbage, in_bytes
from hive.instance.instance import Instance
from hive.ledger import Act
from hive.outbox.incidents import IncidentReporter
from hive.reconcile.backends.nixos_container import GCROOTS
from hive.reconcile.backends.package_roots import FOLDER
from hive.supervisor.heartbeat import Heartbeat, Loops

log = logging.getLogger("hive.gc")

LOOK_SECONDS = 60.0
RELIEF = 5
"""How many percent below the alarm a disk counts as well again, so that the alarm does not flap."""

HOST, WORK = "host", "work"
TITLE = "🔴 the disk of the hive is {percent} % full"
BODY = """\
{state} is on a disk that is {percent} % full; {free} GB are left. When it is full, everything waits.

`hive gc hive.yaml --plan` shows what the hive can take away; it has just done so. What is kept for how long is `keep` in `hive.yaml`.

This issue closes by itself when less than {relief} % are used.
"""
WELL = "🟢 The disk is {percent} % full now."


@dataclass(frozen=True, slots=True)
class Collector:
    """What one process removes, or `hive gc` for all."""

    instance: Instance

    def plan(self, part: str) -> Iterator[Garbage]:
        """The garbage of a process: `host` or `work`."""
        instance, keep, state = self.instance, self.instance.settings.keep, self.instance.settings.state
        ledger = instance.ledger
        if part == HOST:
            agents = [agent for team in instance.settings.teams.values() for agent in team.agents]
            for agent in agents:
                yield from garbage.of_agent(instance.ledger, agent, instance.agents / agent, keep)
            yield from garbage.half_gone(*(instance.agents / agent / "gens" for agent in agents))
            yield from garbage.package_roots(ledger, state / FOLDER, instance.agents, keep.generations)
            if instance.settings.sandbox == NIXOS:
                yield from garbage.registered(ledger, GCROOTS, instance.agents, keep.generations)
        else:
            yield from garbage.logs(state / "logs", keep.log_megabytes)
        mirrors = state / "mirrors" / part
        yield from garbage.mirrors(mirrors, keep.mirror_days, instance.ledger.clock())
        yield from garbage.half_gone(mirrors)
        if part == WORK:
            closed = self.instance.ledger.review_memory.closed()
            yield from garbage.review_pins(mirrors, {ref for ref, at in closed.items() if at < self._closed_before})
            yield from self._rows()

    def collect(self, part: str, said: Callable[[Garbage], None]) -> None:
        """Remove it; what cannot be removed is logged, and stops nothing else."""
        for found in self.plan(part):
            try:
                found.take()
            except OSError as error:
                log.warning("not_collected what=%r name=%r error=%r", found.what, found.name, str(error)[:200])
            else:
                said(found)

    @property
    def _closed_before(self) -> float:
        """Reviews of pull requests that were closed before this are over."""
        return self.instance.ledger.clock() - self.instance.settings.keep.review_days * DAY

    def _rows(self) -> Iterator[Garbage]:
        pruning, settings = self.instance.ledger.pruning, self.instance.settings
        before = self.instance.ledger.clock() - max(settings.keep.row_days, settings.keep_days) * DAY
        for table, count in pruning.count(before, self._closed_before).items():
            yield Garbage("rows", f"{count} of {table}", 0, partial(self._prune, table, before))

    def _prune(self, table: str, before: float) -> None:
        while self.instance.ledger.pruning.prune(table, before, self._closed_before):
            pass
        self.instance.ledger.pruning.clear_dangling()


class Daily:
    """Collects garbage once a day, independent of restarts, and at once when the disk fills up."""

    def __init__(self, instance: Instance, part: str) -> None:
        self._instance = instance
        self._part = part
        self._collector = Collector(instance)

    def go(self, heartbeat: Heartbeat) -> float:
        """One check; returns after how many seconds to check again."""
        ledger, cursor = self._instance.ledger, f"gc:{self._part}"
        last = float(ledger.deliveries.cursor(cursor) or 0)
        alarmed = self._part == WORK and self._alarm()
        if alarmed or ledger.clock() - last >= DAY:
            self._collector.collect(self._part, self._took)
            ledger.deliveries.move_cursor(cursor, f"{ledger.clock():.0f}")
        heartbeat.beat()
        return LOOK_SECONDS

    def _took(self, found: Garbage) -> None:
        self._instance.ledger.audit.add(
            "hive", Act.GARBAGE_COLLECTED, kind=found.what, name=found.name, bytes=found.size
        )

    def _alarm(self) -> bool:
        """Report a disk that fills up, or that is well again; returns whether the alarm starts now."""
        instance, limit = self._instance, self._instance.settings.keep.disk_percent
        used = shutil.disk_usage(instance.settings.state)
        percent = round(100 * used.used / max(1, used.used + used.free))
        incidents = IncidentReporter(instance.ledger, instance.settings.account("core"), instance.ops)
        facts = {"percent": percent, "free": round(used.free / 1e9, 1), "relief": limit - RELIEF}
        begun = False
        for team in {instance.ops(team): team for team in instance.settings.teams}.values():
            if percent >= limit:
                body = BODY.format(state=plain(str(instance.settings.state)), **facts)
                begun |= incidents.begin(team, "disk", TITLE.format(**facts), body.strip())
            elif percent < limit - RELIEF:
                incidents.end(team, "disk", WELL.format(**facts))
        return begun


def collecting(instance: Instance, part: str, loops: Loops) -> None:
    """Collect a process' garbage until it stops."""
    daily = Daily(instance, part)
    loops.run("gc", daily.go, every=LOOK_SECONDS)


def sweep_up(instance: Instance, say: Callable[[str], None], *, plan: bool) -> None:
    """Collect all garbage of this machine now, and print a line for each; with `plan` only print."""
    collector, taken = Collector(instance), list[Garbage]()

    def took(found: Garbage) -> None:
        taken.append(found)
        say(str(found))

    for part in (HOST, WORK):
        if plan:
            for found in collector.plan(part):
                took(found)
        else:
            collector.collect(part, took)
    verb = "would be taken away" if plan else "taken away"
    say(f"{len(taken)} {verb}, {in_bytes(sum(found.size for found in taken))}" if taken else "nothing is over")
