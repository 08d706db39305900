"""Polling: the forges are asked in rounds for what no webhook has delivered, and old bodies are deleted after each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cache, partial

from forge.events import (
    Event,
    PullChanged,
    PullClosed,
    PullConflicted,
    PullMerged,
    PullReviewed,
    ReviewAsked,
    ReviewerRequested,
    StatusFailed,
)
from forge.gitea.poll_reader import GiteaPollReader
from forge.models import Ref
from forge.protocol import ForgeError
from hive.instance.instance import Instance
from hive.poller import Poller, PollerDeps, SubjectRefresher
from hive.poller.own_pulls import OwnPulls
from hive.secret_store import NoSecret
from hive.supervisor.heartbeat import Heartbeat, Loops
from hive.worker.worker import JOB

log = logging.getLogger("hive.app.polls")

OF_PULL_REQUESTS = (
    *(PullChanged, PullClosed, PullConflicted, PullMerged, PullReviewed, ReviewAsked, ReviewerRequested, StatusFailed),
)
"""Events whose page is a pull request's; a forge leads from the page of an issue of that number to it too."""


def page(instance: Instance, event: Event) -> str:
    """The page of what an event is about."""
    kind, repo = "pulls" if isinstance(event, OF_PULL_REQUESTS) else "issues", event.ref.repo
    return f"{instance.url(repo.forge)}/{instance.names.current(repo).path}/{kind}/{event.ref.number}"


def poller_deps(instance: Instance) -> PollerDeps:
    """What the poller needs."""
    return PollerDeps(
        instance.ledger, instance.settings.team_of, instance.listeners, instance.origins.of, partial(page, instance)
    )


def refreshers(instance: Instance) -> Callable[[Ref], list[int]]:
    """The refreshes that deliveries ask for."""

    @cache
    def refresher(name: str, token: str) -> SubjectRefresher:
        url = instance.url(name)
        poll_reader = GiteaPollReader(
            name=name, url=url, token=token, current=instance.names.current, named=instance.names.named
        )
        return SubjectRefresher(poll_reader, poller_deps(instance))

    return lambda ref: refresher(ref.repo.forge, core_token(instance, ref.repo.forge)).look(ref)


def core_token(instance: Instance, forge: str) -> str:
    """What the account of the hive itself asks with, now."""
    return instance.secret_store.token(forge, instance.settings.account("core"))


def poll_reader(instance: Instance, forge: str) -> GiteaPollReader:
    """The account of the hive itself, asking what changed."""
    token, url = core_token(instance, forge), instance.url(forge)
    return GiteaPollReader(name=forge, url=url, token=token, current=instance.names.current, named=instance.names.named)


def pollers(instance: Instance) -> list[Poller]:
    """One for each organisation in which repositories of the configuration are."""
    settings = instance.settings
    ours = (repo for team in settings.teams for repo in (*settings.repos_of(team), *settings.own_repos(team)))
    owners = {(repo.forge, repo.owner) for repo in ours}
    watchers = {forge: poll_reader(instance, forge) for forge, _ in owners}
    return [Poller(watchers[forge], poller_deps(instance), forge, owner) for forge, owner in sorted(owners)]


def own_pulls(instance: Instance) -> list[OwnPulls]:
    """One for each forge."""
    forges = sorted({team.forge for team in instance.settings.teams.values()})
    return [OwnPulls(poll_reader(instance, forge), poller_deps(instance), forge) for forge in forges]


class Rounds:
    """The pollers of all organisations, one round after another."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._forges = sorted({team.forge for team in instance.settings.teams.values()})
        self._tokens: list[str] = []
        self._sweepers: list[Poller] = []
        self._own: list[OwnPulls] = []

    def go(self, stop: threading.Event, heartbeat: Heartbeat) -> float:
        """Poll the forges; returns after how many seconds to poll again, 0 while there is more."""
        instance = self._instance
        try:
            if self._tokens != (now := [core_token(instance, forge) for forge in self._forges]):
                self._sweepers, self._own, self._tokens = pollers(instance), own_pulls(instance), now
        except NoSecret as error:
            heartbeat.beat(str(error))
            return float(instance.settings.sweep_seconds)
        instance.repository_tracker.refresh()
        done = [sweeper.sweep() for sweeper in self._sweepers]
        for job in (*(job for swept in done for job in swept.jobs), *self._look_at_own()):
            instance.queue.push(JOB, job)
        heartbeat.beat(self._trouble())
        if any(swept.more for swept in done):
            return 0.0
        forget(instance, stop)
        return float(instance.settings.sweep_seconds)

    def _look_at_own(self) -> list[int]:
        """The jobs that come of looking at the runs' own pull requests; a forge that does not answer is asked again."""
        jobs: list[int] = []
        for own in self._own:
            try:
                jobs += own.look()
            except ForgeError as error:
                log.warning("own_pulls_failed forge=%s error=%r", own.forge, str(error)[:200])
        return jobs

    def _trouble(self) -> str:
        """What has failed for so long that an operator should know: not a forge that is unavailable for a minute."""
        instance, said = self._instance, list[str]()
        now, late = instance.ledger.clock(), instance.settings.limits.late_seconds
        for sweeper in self._sweepers:
            state = sweeper.fares()
            if state.failing_since and now - state.failing_since >= late:
                said += state.sentences(now)
        return "; ".join(said)


def poll(instance: Instance, loops: Loops) -> None:
    """Poll the forges now, and then periodically."""
    rounds = Rounds(instance)
    loops.run("sweep", lambda heartbeat: rounds.go(loops.stop, heartbeat), every=instance.settings.sweep_seconds)


def forget(instance: Instance, stop: threading.Event) -> None:
    """Delete old recordings and deliveries, a few at a time."""
    before = instance.ledger.clock() - instance.settings.keep_days * 86_400
    while not stop.is_set() and instance.ledger.forget(before):
        pass
