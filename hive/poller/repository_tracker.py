"""Where repositories are: known by id, followed when they are renamed, suspended when they are missing.

A name can be given to another repository at any moment, an id cannot. So the id is checked before a repository is
read or written, and another repository under its name is not used. Writes nothing to a forge.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bots.markdown import code
from forge.models import Repo, Repository
from forge.protocol import ForgeError, NotFound
from hive.ledger import NEVER, Act, Ledger, PinnedRepository, Scope, SuspensionReason
from hive.outbox.incidents import IncidentReporter

log = logging.getLogger("hive.poller.repository_tracker")

FRESH_SECONDS = 1.0
"""How long an answer of the forge is valid: a job and its effects ask once."""

RECENT_SECONDS = 60.0
"""For how long after a move what was asked for under the old name may still fail."""

RENAMED_TITLE = "🟡 {old} is {new} now"
RENAMED = """\
{old} was renamed: the forge calls it {new}. It is the same repository (its id is {id}), and the hive has followed it: its open work continues.

{fix} Another repository under the old name is not used in its place.
"""
FIX_PROJECT = "Put the new name into `hive.yaml` when convenient, and restart the hive."
FIX_CONFIG = "A configuration is named after its agent: rename it back when convenient."
RENAMED_AGAIN = "It is {new} now."
NAME_RESTORED = "It has the name in `hive.yaml` again."

LOST_TITLE = "🔴 {repo} is not where it was"
LOST = """\
{reason}.

Another repository under its name is not used. Pending work there is suspended, loses nothing, and resumes by itself when the repository is back.

{fix}
"""
LOST_PROJECT = "If it does not come back, take it out of `repos`, run `hive init`, and restart the hive."
LOST_CONFIG = "{agent} keeps its last configuration, and takes no turn. To give it another repository, run `hive adopt {agent}` on the machine of the hive."
FOUND = "It is back: what was suspended resumes."


class RepositoryFinder(Protocol):
    """Who asks a forge where a repository is."""

    def repository(self, repo: Repo) -> Repository:
        """The repository of a name; raises NotFound."""

    def repository_by_id(self, repo_id: int) -> Repository | None:
        """The repository of an id, under any name; None if it is gone, or not visible."""


@dataclass(frozen=True, slots=True)
class RepositoryRole:
    """What a repository is to the instance: the teams that work in it, and the agent whose configuration it is."""

    teams: tuple[str, ...]
    agent: str = ""
    is_reportable: bool = True
    """Whether operators can be notified of it there: not of the repository where they are notified."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a repository is; `lost` is why the one found there must not be used, empty if it may."""

    now: Repo
    lost: str = ""


def locate(finder: RepositoryFinder, pinned: PinnedRepository) -> Location:
    """Ask a forge where a repository is, by its id. Raises ForgeError."""
    seen = finder.repository_by_id(pinned.id)
    if seen is None:
        return Location(pinned.now, f"{pinned.now.path} (id {pinned.id}) is gone{_usurper(finder, pinned)}")
    if seen.repo.owner.lower() != pinned.repo.owner.lower():
        where = f"{pinned.repo.path} was transferred and is {seen.repo.path} now"
        return Location(pinned.now, f"{where}: the hive works only in the organisations of its teams, each in its own")
    return Location(seen.repo)


def _usurper(finder: RepositoryFinder, pinned: PinnedRepository) -> str:
    try:
        other = finder.repository(pinned.repo)
    except NotFound:
        return ", or may not be seen any more"
    return f", and another repository bears its name (id {other.id})"


@dataclass
class RepositoryTracker:
    """Finds repositories and remembers where they are; `ask` gives a forge as the hive's own account sees it now."""

    ledger: Ledger
    ask: Callable[[str], RepositoryFinder]
    places: Mapping[Repo, RepositoryRole]
    incidents: IncidentReporter
    _asked: dict[int, tuple[float, bool]] = field(default_factory=dict)
    _moved: dict[int, float] = field(default_factory=dict)

    def pin_all(self, forge: str = "") -> None:
        """Pin new repositories of the configuration, recognise renamed ones by their ids, and refresh all.

        Call it when a configuration is loaded: later its names may be taken by others.
        """
        mine = [repo for repo in self.places if forge in {"", repo.forge}]
        while sum(map(self._recognise, mine)):  # a name that was freed may be the next one's
            continue
        self.refresh(forge)

    def refresh(self, forge: str = "") -> None:
        """Refresh all repositories, or those of one forge; one that cannot be requested stays as it was."""
        for pinned in self.ledger.repositories.all():
            if pinned.repo in self.places and forge in {"", pinned.repo.forge}:
                self._refresh_one(pinned)

    def forget_removed(self, forge: str) -> None:
        """Forget what an operator took out of the configuration."""
        for pinned in self.ledger.repositories.all():
            if pinned.repo.forge == forge and pinned.repo not in self.places:
                self._forget(pinned)

    def is_available(self, repo: Repo) -> bool:
        """Whether the repository that is meant by a name can be worked in now. Raises ForgeError."""
        pinned = self.ledger.repositories.of(repo)
        if pinned is None or repo not in self.places:
            return True
        asked, was = self._asked.get(pinned.id, (0.0, False))
        if asked and time.monotonic() - asked < FRESH_SECONDS:
            return was
        return self._update(pinned, locate(self.ask(repo.forge), pinned))

    def replace(self, seen: Repository) -> None:
        """Accept another repository for a name, on an operator's word."""
        pinned = self.ledger.repositories.of(seen.repo)
        if pinned is None or pinned.id != seen.id:
            if pinned is not None:
                self._forget(pinned)
            self.ledger.repositories.pin(seen.repo, seen.id)

    def may_have_moved(self, repo: Repo) -> bool:
        """Whether what was not found in a repository may be found by another lookup, since the repository has moved."""
        pinned = self.ledger.repositories.of(repo)
        if pinned is None:
            return False
        self._asked.pop(pinned.id, None)
        moved_at = self._moved.get(pinned.id)
        try:
            if not self.is_available(repo):
                return True
        except ForgeError:
            return True
        return self._moved.get(pinned.id) != moved_at or _is_recent(moved_at)

    def _refresh_one(self, pinned: PinnedRepository) -> None:
        try:
            self._update(pinned, locate(self.ask(pinned.repo.forge), pinned))
        except ForgeError as error:
            log.warning("not_looked_for repo=%s error=%r", pinned.repo, str(error)[:200])

    def _recognise(self, repo: Repo) -> bool:
        """Pin a name that is new; True if the repository was known under another name, which is free now."""
        repositories = self.ledger.repositories
        if repositories.of(repo) is not None:
            return False
        try:
            seen = self.ask(repo.forge).repository(repo)
        except ForgeError:
            return False
        known = repositories.by_id(repo.forge, seen.id)
        if known is None:
            repositories.pin(repo, seen.id)
        if known is None or self.places[repo].agent:  # a configuration is its agent's, and never becomes another one's
            return False
        with self.ledger.transaction():
            if known.repo.owner.lower() == repo.owner.lower():
                self._clear(known, f"It is {repo.path} in `hive.yaml` too.")
                repositories.rename(known, repo)
                repositories.set_path(known, repo)
                self.ledger.audit.add("hive", Act.REPOSITORY_RENAMED, ref=str(repo), was=str(known.repo), id=seen.id)
            else:  # it belongs to another team now, which has no say in earlier work
                self._forget(known)
                repositories.pin(repo, seen.id)
        return True

    def _update(self, pinned: PinnedRepository, found: Location) -> bool:
        self._asked[pinned.id] = time.monotonic(), not found.lost
        if found.lost:
            self._suspend_lost(pinned, found.lost)
            return False
        self._resume_found(pinned, FOUND)
        if found.now != pinned.now:
            self._follow(pinned, found.now)
        return True

    def _follow(self, pinned: PinnedRepository, now: Repo) -> None:
        place, old = self.places[pinned.repo], pinned.repo
        self._moved[pinned.id] = time.monotonic()
        with self.ledger.transaction():
            self.ledger.repositories.set_path(pinned, now)
            self.ledger.audit.add(
                "hive", Act.REPOSITORY_MOVED, team=place.teams[0], ref=str(old), now=str(now), id=pinned.id
            )
            if now == old:
                self.incidents.end(place.teams[0], _renamed(pinned), NAME_RESTORED)
                return
            title = RENAMED_TITLE.format(old=old.path, new=now.path)
            fix = FIX_CONFIG if place.agent else FIX_PROJECT
            body = RENAMED.format(old=code(old.path), new=code(now.path), id=pinned.id, fix=fix).strip()
            if not self.incidents.begin(place.teams[0], _renamed(pinned), title, body):
                self.incidents.add(place.teams[0], _renamed(pinned), RENAMED_AGAIN.format(new=code(now.path)))
        log.warning("followed repo=%s now=%s", old, now)

    def _suspend_lost(self, pinned: PinnedRepository, reason: str) -> None:
        repo, place = pinned.repo, self.places[pinned.repo]
        with self.ledger.transaction():
            new = [self._suspend(team, Scope.REPOSITORY, str(repo), reason) for team in place.teams]
            if place.agent:
                self._suspend(place.teams[0], Scope.AGENT, place.agent, reason)
            if not any(new):
                return
            self.ledger.audit.add("hive", Act.REPOSITORY_LOST, team=place.teams[0], ref=str(repo), reason=reason)
            if place.is_reportable:
                fix = LOST_CONFIG.format(agent=place.agent) if place.agent else LOST_PROJECT
                body = LOST.format(reason=code(reason), fix=fix).strip()
                self.incidents.begin(place.teams[0], _lost(pinned), LOST_TITLE.format(repo=repo.path), body)
        log.error("repository_lost repo=%s why=%r", repo, reason)

    def _suspend(self, team: str, scope: Scope, name: str, reason: str) -> bool:
        return self.ledger.suspensions.suspend(team, scope, name, SuspensionReason.REPOSITORY_LOST, reason, until=NEVER)

    def _resume_found(self, pinned: PinnedRepository, words: str) -> None:
        place = self.places.get(pinned.repo)
        suspensions, name = self.ledger.suspensions, str(pinned.repo)
        mine = [
            one
            for one in suspensions.all()
            if one.reason is SuspensionReason.REPOSITORY_LOST and one.name in {name, place.agent if place else ""}
        ]
        if not mine:
            return
        with self.ledger.transaction():
            for suspension in mine:
                suspensions.resume(suspension.team, suspension.scope, suspension.name, suspension.reason)
                self.incidents.end(suspension.team, _lost(pinned), words)
            self.ledger.audit.add("hive", Act.REPOSITORY_FOUND, team=mine[0].team, ref=name)

    def _clear(self, pinned: PinnedRepository, words: str) -> None:
        """Close what was reported about its name."""
        self._resume_found(pinned, words)
        for team in {team for place in self.places.values() for team in place.teams}:
            self.incidents.end(team, _renamed(pinned), words)

    def _forget(self, pinned: PinnedRepository) -> None:
        """Forget a repository that an operator has removed from the configuration."""
        with self.ledger.transaction():
            self._clear(pinned, "It is no part of `hive.yaml` any more.")
            self.ledger.repositories.delete(pinned)


def _is_recent(moved_at: float | None) -> bool:
    return moved_at is not None and time.monotonic() - moved_at < RECENT_SECONDS


def _renamed(pinned: PinnedRepository) -> str:
    return f"renamed:{pinned.repo.forge}:{pinned.id}"


def _lost(pinned: PinnedRepository) -> str:
    return f"lost:{pinned.repo.forge}:{pinned.id}"
