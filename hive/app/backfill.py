"""`hive backfill`: issues and pull requests that are older than the hive are taken in, at the pace of `limits.backfill`.

What waits is a row of the ledger for each repository. `hive work` takes one after another, each in the transaction that makes its
job: what was killed goes on where it was, and nothing is taken in twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from forge.events import IssueTakenIn
from forge.models import Ref, Repo
from forge.protocol import PollReader
from hive.codec import Codec, InvalidData
from hive.instance.instance import Instance
from hive.ledger import Ledger, Origin, Priority
from hive.supervisor.heartbeat import Heartbeat, Loops

log = logging.getLogger("hive.app.backfill")

MOST = 10_000
"""So many of a repository's newest issues are listed."""

HOUR = 3_600.0
LOOK_SECONDS = 15.0


class UnderWay(Exception):
    """Another backfill of this repository is not over yet; the message says how it stands."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What waits in a repository: numbers, the next one first. `due` is when the next one may be taken in, in unix seconds."""

    team: str
    repo: str
    wake: bool
    waiting: tuple[int, ...]
    total: int
    began: float
    due: float = 0.0

    @property
    def done(self) -> int:
        """How many were taken in."""
        return self.total - len(self.waiting)


PLAN: Codec[Backfill] = Codec(Backfill)


def plan_of(ledger: Ledger, repo: Repo) -> Backfill | None:
    """The newest backfill of a repository, over or not; None for one that cannot be read."""
    told = ledger.deliveries.cursor(f"backfill:{repo}")
    try:
        return None if told is None else PLAN.loads(told)
    except InvalidData as error:  # another version of the hive wrote it
        log.warning("plan_unread repo=%s error=%r", repo, str(error)[:200])
        return None


def _store(ledger: Ledger, plan: Backfill) -> None:
    ledger.deliveries.move_cursor(f"backfill:{plan.repo}", PLAN.dumps(plan))


def open_numbers(reader: PollReader, repo: Repo) -> list[int]:
    """What is open in a repository, newest first: issues and pull requests."""
    issues = [issue.ref.number for issue in islice(reader.issues(repo), MOST) if issue.is_open]
    pulls = [pull.ref.number for pull in islice(reader.open_pulls(repo), MOST)]
    return sorted({*issues, *pulls}, reverse=True)


def begin(ledger: Ledger, team: str, repo: Repo, numbers: Iterable[int], *, wake: bool) -> Backfill:
    """Have them taken in; one of the same kind that is under way just goes on. Raises UnderWay."""
    with ledger.transaction():
        known = plan_of(ledger, repo)
        if known is not None and known.waiting:
            if known.wake != wake:
                told = "with" if known.wake else "without"
                raise UnderWay(
                    f"a backfill {told} --wake is under way ({known.done} of {known.total}): --stop it first"
                )
            return known
        waiting = tuple(numbers)
        plan = Backfill(team, str(repo), wake, waiting, len(waiting), ledger.clock())
        _store(ledger, plan)
    return plan


def stop(ledger: Ledger, repo: Repo) -> Backfill | None:
    """Take nothing more in; what was taken in stays so."""
    with ledger.transaction():
        known = plan_of(ledger, repo)
        if known is None or not known.waiting:
            return None
        _store(ledger, replace(known, waiting=(), total=known.done))
    return known


class BackfillLoop:
    """Takes one after another in, those of the oldest backfill first."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._pause = HOUR / instance.settings.limits.backfill

    def go(self, heartbeat: Heartbeat) -> float:
        """One look; returns after how many seconds to look again."""
        heartbeat.beat()
        ledger, now = self._instance.ledger, self._instance.ledger.clock()
        repos = sorted(repo for team in self._instance.teams.values() for repo in team.repos)
        plans = [plan for repo in repos if (plan := plan_of(ledger, repo)) is not None]
        waiting = [plan for plan in plans if plan.waiting]
        if not waiting:
            return LOOK_SECONDS
        left = max(plan.due for plan in plans) - now
        if 0 < left <= self._pause:  # more than a pause: the clock was set back
            return min(left, LOOK_SECONDS)
        self._take(Repo.parse(min(waiting, key=lambda plan: plan.began).repo), now)
        return min(self._pause, LOOK_SECONDS)

    def _take(self, repo: Repo, now: float) -> None:
        ledger = self._instance.ledger
        with ledger.transaction():
            plan = plan_of(ledger, repo)
            if plan is None or not plan.waiting:
                return
            ref = Ref(repo, plan.waiting[0])
            core = self._instance.teams[plan.team].accounts["core"]
            event = IssueTakenIn(ref, core, f"taken-in:{ref}:{plan.began:.6f}", plan.wake)
            wanted = [(bot, event) for bot in self._instance.listeners(plan.team, event)]
            ledger.jobs.enqueue(plan.team, wanted, origin=Origin(Priority.SWEEP))
            ledger.audit.add(core.login, IssueTakenIn.WIRE, team=plan.team, ref=str(ref), key=event.key)
            _store(ledger, replace(plan, waiting=plan.waiting[1:], due=now + self._pause))
        log.info("taken_in ref=%s left=%d", ref, len(plan.waiting) - 1)


def taking_in(instance: Instance, loops: Loops) -> None:
    """Take in what waits, until the process stops."""
    loops.run("backfill", BackfillLoop(instance).go, every=LOOK_SECONDS)
