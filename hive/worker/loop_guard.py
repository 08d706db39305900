"""Loops: who made an event, what it came from, and when machines have answered one another too long.

    own accounts    what a machine of the team did is heard only by bots that say so (`Bot.hears`)
    origin          a person's event begins a chain, a machine's goes on with that of its last deed
    breaker         a chain too deep, too many looks that no person caused, or too many deeds stop the subject

An operator lets a stopped subject go on by closing the issue that tells of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bots.bot import AGENTS, Bot
from bots.intents import OpenIssue, React, RefreshVerdict, Reply, SetVerdict
from bots.markdown import code, plain
from bots.models import Team
from forge.events import Event
from forge.models import Ref, Repo, User
from hive.ledger import Act, Effect, Job, Ledger, Origin, Priority, Scope, Why

log = logging.getLogger("hive.worker.loop_guard")

WINDOW_SECONDS = 600.0
ANSWERS = (React.WIRE, Reply.WIRE, SetVerdict.WIRE, RefreshVerdict.WIRE)
"""Deeds that are no talk among machines: what a person asked for by a command, and what keeps a merge from going through."""

TITLE = "🔴 stopped on {where}: {why}"
BODY = """\
The hive does nothing on {where} any more, because of {reason}. What comes in waits.

**Close this issue to let it go on**; nothing is lost. If it should not go on, close {where} first.
"""


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """How far machines may go on one subject before a person has to look."""

    depth: int
    machine_looks: int
    writes: int


def speakers(team: Team, user: User) -> frozenset[str]:
    """By which names bots know an account of the hive: those of the bots that speak as it, or AGENTS."""
    names = {name for name, account in team.accounts.items() if account.id == user.id}
    return frozenset(names | ({AGENTS} if team.agent_of(user) is not None else set()))


def subscribes(bot: Bot, event: Event, team: Team) -> bool:
    """Whether a bot looks at an event: one of its kind, by a person or by a machine that it listens to."""
    by = speakers(team, event.actor)
    return type(event) in bot.events and (not by or not by.isdisjoint(bot.listens_to_bots))


@dataclass(frozen=True, slots=True)
class Origins:
    """Says where events come from; `teams` are who is who."""

    ledger: Ledger
    teams: Mapping[str, Team]

    def of(self, team: str, event: Event) -> Origin:
        """The origin of an event, by its actor's pinned id and by what that account did last on the subject."""
        known = self.teams[team]
        if not known.is_machine(event.actor):
            is_operator = event.actor.id in known.operators
            return Origin(Priority.OPERATOR if is_operator else Priority.PERSON)
        found = self.ledger.effects.newest_on(str(event.ref), event.actor.login)
        cause, depth = found if found is not None else (None, 0)
        return Origin(Priority.MACHINE, by_person=False, cause=cause, depth=depth + 1)


@dataclass(frozen=True, slots=True)
class LoopGuard:
    """Stops a subject. `tell` owes an issue to a team's operators and returns the effect; `ops` is where."""

    ledger: Ledger
    bounds: LoopLimits
    ops: Callable[[str], Repo]
    notify: Callable[[str, OpenIssue], int]

    def blocks_job(self, job: Job) -> bool:
        """Whether a look must not be, since no person has said anything for too long: the subject rests then."""
        if job.by_person:
            return False
        ref = str(job.event.ref)
        reset_at = self.ledger.breakers.reset_at(job.team, ref)
        if job.depth > self.bounds.depth and job.created_at > reset_at:
            return self._trip(job.team, ref, f"{job.depth} answers of machines in a row")
        looks = self.ledger.jobs.machine_looks(job.team, ref, reset_at)
        if looks > self.bounds.machine_looks:
            return self._trip(job.team, ref, f"{looks} looks in a row that no person caused")
        return False

    def blocks_action(self, effect: Effect) -> bool:
        """Whether a deed must not be done, since too many were within ten minutes: the subject rests then."""
        if not effect.ref or effect.kind in ANSWERS:
            return False
        since = max(self.ledger.clock() - WINDOW_SECONDS, self.ledger.breakers.reset_at(effect.team, effect.ref))
        writes = self.ledger.effects.writes(effect.team, effect.ref, since, ANSWERS)
        if writes < self.bounds.writes:
            return False
        return self._trip(effect.team, effect.ref, f"{writes} writes in ten minutes")

    def _trip(self, team: str, ref: str, reason: str) -> bool:
        ledger = self.ledger
        with ledger.transaction():
            if ledger.suspensions.suspend(
                team, Scope.SUBJECT, ref, Why.RUNAWAY, f"stopped: {reason}", until=ledger.clock()
            ):
                where = Ref.parse(ref)
                shown = f"{where.repo.path}#{where.number}"
                title = plain(TITLE.format(where=shown, why="machines among themselves"))
                body = BODY.format(where=code(shown), reason=reason)
                issue = OpenIssue(self.ops(team), title, body, key=f"stopped:{ref}:{ledger.clock():.0f}")
                ledger.breakers.trip(team, ref, self.notify(team, issue))
                ledger.audit.add("hive", Act.SUBJECT_SUSPENDED, team=team, ref=ref, why=reason)
                log.error("subject_stopped team=%s ref=%s why=%r", team, ref, reason)
        return True
