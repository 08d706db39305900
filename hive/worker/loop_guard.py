"""Loop protection: the origin of each event, and a breaker for machines that keep answering one another.

    own accounts    an event caused by a machine of the team reaches only bots that ask for it (`Bot.listens_to_bots`)
    origin          a person's event starts a chain, a machine's continues the chain of its last action
    breaker         a chain too deep, too many jobs without a person, or too many writes suspend the subject

An operator resumes a suspended subject by closing the issue about it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bots.bot import AGENTS, Bot, Where
from bots.intents import OpenIssue, React, RefreshVerdict, Reply, SetVerdict
from bots.markdown import code, plain
from bots.models import Team
from bots.review_intents import EditRemarks, ShowReview
from forge.events import Event
from forge.models import Ref, Repo, User
from hive.ledger import Act, Effect, Job, Ledger, Origin, Priority, Scope, SuspensionReason
from hive.outbox.actions import ShowAgentStatus, ShowCascade, ShowProgress

log = logging.getLogger("hive.worker.loop_guard")

WINDOW_SECONDS = 600.0
EXEMPT = (
    *(React.WIRE, Reply.WIRE, SetVerdict.WIRE, RefreshVerdict.WIRE),
    *(ShowProgress.WIRE, ShowReview.WIRE, EditRemarks.WIRE, ShowCascade.WIRE, ShowAgentStatus.WIRE),
)
"""Actions that do not count as writes: answers to a person's command, edits of comments that are there, and verdicts, which may
keep a merge from happening."""

TITLE = "🔴 suspended on {where}: {why}"
BODY = """\
The hive is suspended on {where}, because of {reason}. New events wait.

**Close this issue to resume**; nothing is lost. If it should not resume, close {where} first.
"""


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """How much machines may do on one subject before a person has to step in."""

    depth: int
    machine_jobs: int
    writes: int


def speakers(team: Team, user: User) -> frozenset[str]:
    """The names that bots use for an account of the hive: those of the bots that act as it, or AGENTS."""
    names = {name for name, account in team.accounts.items() if account.id == user.id}
    return frozenset(names | ({AGENTS} if team.agent_of(user) is not None else set()))


def subscribes(bot: Bot, event: Event, team: Team) -> bool:
    """Whether a bot handles an event: of a type that it handles, by a person or by a machine that it listens to, where it may look."""
    here = Where.OWN if event.ref.repo in team.own else Where.TEAMS
    if bot.where not in {here, Where.BOTH}:
        return False
    by = speakers(team, event.actor)
    return type(event) in bot.events and (not by or not by.isdisjoint(bot.listens_to(type(event))))


@dataclass(frozen=True, slots=True)
class Origins:
    """Determines the origin of events."""

    ledger: Ledger
    teams: Mapping[str, Team]

    def of(self, team: str, event: Event) -> Origin:
        """The origin of an event, by its actor's pinned id and that account's last action on the subject."""
        known = self.teams[team]
        if not known.is_machine(event.actor):
            is_operator = event.actor.id in known.operators
            return Origin(Priority.OPERATOR if is_operator else Priority.PERSON)
        found = self.ledger.effects.newest_on(str(event.ref), event.actor.login)
        cause, depth = found if found is not None else (None, 0)
        return Origin(Priority.MACHINE, by_person=False, cause=cause, depth=depth + 1)


@dataclass(frozen=True, slots=True)
class LoopGuard:
    """Suspends a subject. `notify` enqueues an issue for a team's operators and returns its effect; `ops` is where."""

    ledger: Ledger
    bounds: LoopLimits
    ops: Callable[[str], Repo]
    notify: Callable[[str, OpenIssue], int]

    def blocks_job(self, job: Job) -> bool:
        """Whether a job must not run, since no person was involved for too long; then suspend its subject."""
        if job.by_person:
            return False
        ref = str(job.event.ref)
        reset_at = self.ledger.breakers.reset_at(job.team, ref)
        if job.depth > self.bounds.depth and job.created_at > reset_at:
            return self._trip(job.team, ref, f"{job.depth} answers of machines in a row")
        jobs = self.ledger.jobs.machine_jobs(job.team, ref, reset_at)
        if jobs > self.bounds.machine_jobs:
            return self._trip(job.team, ref, f"{jobs} jobs in a row without a person")
        return False

    def blocks_action(self, effect: Effect) -> bool:
        """Whether an action must wait, since there were too many within ten minutes; then suspend its subject."""
        if not effect.ref or effect.kind in EXEMPT:
            return False
        since = max(self.ledger.clock() - WINDOW_SECONDS, self.ledger.breakers.reset_at(effect.team, effect.ref))
        writes = self.ledger.effects.count_writes(effect.team, effect.ref, since, EXEMPT)
        if writes < self.bounds.writes:
            return False
        return self._trip(effect.team, effect.ref, f"{writes} writes in ten minutes")

    def _trip(self, team: str, ref: str, reason: str) -> bool:
        ledger = self.ledger
        with ledger.transaction():
            if ledger.suspensions.suspend(
                team, Scope.SUBJECT, ref, SuspensionReason.RUNAWAY, f"suspended: {reason}", until=ledger.clock()
            ):
                where = Ref.parse(ref)
                shown = f"{where.repo.path}#{where.number}"
                title = plain(TITLE.format(where=shown, why="bots answering one another"))
                body = BODY.format(where=code(shown), reason=reason)
                issue = OpenIssue(self.ops(team), title, body, key=f"stopped:{ref}:{ledger.clock():.0f}")
                ledger.breakers.trip(team, ref, self.notify(team, issue))
                ledger.audit.add("hive", Act.SUBJECT_SUSPENDED, team=team, ref=ref, why=reason)
                log.error("subject_suspended team=%s ref=%s why=%r", team, ref, reason)
        return True
