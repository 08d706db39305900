"""One pass over an organisation: what was found and what is remembered go into the ledger together, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from forge import event_keys
from forge.doctor_probe import is_doctor_probe
from forge.events import SubjectChanged
from forge.models import Ref, Repo
from forge.poll_changes import SOMEBODY, Activity, Change, ChangeKind, RepositoryEntry, SubjectEntry
from forge.protocol import ForgeError, NotFound, PollReader
from hive.ledger import Act, Origin, Priority
from hive.poller import health, repository
from hive.poller.pass_result import PassFindings, PollResult
from hive.poller.recorder import REFRESH, PollerDeps, record
from hive.poller.refresher import start_watching, watched_since
from hive.poller.repository import RepositorySnapshot
from hive.poller.snapshots import CURSOR, REPO, SUBJECT, Cursor, KnownRepo, KnownSubject
from hive.poller.sources import Ask, Sources, SourceUnavailable
from hive.poller.subject import SubjectDiff, diff_subject, states, was_edited

log = logging.getLogger("hive.poller")

OVERLAP = timedelta(seconds=5)
"""Looked at again: a forge's times are whole seconds, and its transactions can be seen late."""

DEEP = timedelta(hours=1)
"""How often what touches nothing is asked for: edited comments, deleted things, statuses."""

GAP = timedelta(minutes=10)
"""After so long without a pass the next one is thorough."""

LOOKS = 500
"""The most subjects of one poll; the most recently changed ones are left to the next, which follows at once."""


class Poller:
    """Sweeps one organisation of one forge."""

    def __init__(self, watcher: PollReader, deps: PollerDeps, forge: str, owner: str) -> None:
        self._watcher = watcher
        self._deps = deps
        self._ledger = deps.ledger
        self._forge = forge
        self._owner = owner
        self._name = f"sweep:{forge}:{owner}"
        self._thorough = True
        self._sources = Sources()

    def fares(self) -> health.PollerHealth:
        """How the last passes fared."""
        return health.of(self._ledger, self._forge, self._owner)

    def sweep(self, *, thorough: bool = False) -> PollResult:
        """One pass. One that cannot be finished remembers nothing, and the next one is thorough."""
        asked = self._watcher.requests
        try:
            found, cursor = self._look(thorough=thorough or self._thorough)
            with self._ledger.transaction():
                changes, jobs = self._store(found, cursor)
                sources = self._sources
                health.record_success(
                    self._ledger, self._forge, self._owner, refused=sources.refused, broken=sources.broken
                )
        except ForgeError as error:
            self._thorough = True
            health.record_failure(self._ledger, self._forge, self._owner, str(error)[:200])
            log.warning("sweep_failed owner=%s:%s error=%r", self._forge, self._owner, str(error)[:200])
            return PollResult(self._watcher.requests - asked, failed=str(error)[:200])
        self._thorough = found.deep and found.left is not None
        swept = PollResult(
            self._watcher.requests - asked, changes, tuple(jobs), deep=found.deep, more=found.left is not None
        )
        log.info("polled owner=%s:%s %s", self._forge, self._owner, swept)
        return swept

    def _look(self, *, thorough: bool) -> tuple[PassFindings, Cursor | None]:
        told = self._ledger.deliveries.cursor(self._name)
        cursor = None if told is None else CURSOR.loads(told)
        listed = self._watcher.list_repositories(self._owner)
        began = self._watcher.now()
        late = cursor is None or began - cursor.seen >= GAP or began - cursor.deep >= DEEP
        found = PassFindings(began, deep=thorough or late)
        self._sources.begin(began)
        feed = self._feed(cursor, found)
        ours = self._ours(listed, cursor, found, feed)
        wanted: dict[tuple[int, int], SubjectEntry] = {}
        if cursor is not None:
            for subject in self._touched(cursor, found):
                if subject.repo_id in ours and not is_doctor_probe(subject.issue.title):
                    wanted[subject.repo_id, subject.issue.ref.number] = subject
        if found.deep:
            for place in ours.values():
                self._spare(place, found, self._deep(place, found, wanted, cursor))
        self._look_at(wanted, found)
        return found, self._moved(found, cursor, feed)

    def _asking(self, found: PassFindings) -> Ask:
        """How a question of this pass is asked."""
        return partial(self._sources.ask, now=found.began)

    def _feed(self, cursor: Cursor | None, found: PassFindings) -> list[Activity]:
        """The rows of the feed; without them refs are asked for by the times of repositories alone."""
        after = None if cursor is None else cursor.feed
        try:
            return self._asking(found)("the feed", self._owner, lambda: self._watcher.activity(self._owner, after))
        except SourceUnavailable:
            return []

    def _touched(self, cursor: Cursor, found: PassFindings) -> list[SubjectEntry]:
        """What changed since the last poll; if that request fails, the poll checks everything."""
        since = cursor.since
        try:
            return self._asking(found)(
                "what changed", self._owner, lambda: self._watcher.changed_subjects(self._owner, since)
            )
        except SourceUnavailable:
            found.deep = True
            return []

    def _ours(
        self, listed: list[RepositoryEntry], cursor: Cursor | None, found: PassFindings, feed: list[Activity]
    ) -> dict[int, RepositorySnapshot]:
        """The configured repositories, each checked as far as there is a reason to."""
        ours = {}
        known = {
            key: REPO.loads(value)
            for key, value in self._ledger.snapshots.repositories(self._forge, self._owner).items()
        }
        for row in listed:
            rows = [] if cursor is None else [one for one in feed if one.repo_id == row.repository.id]
            place = RepositorySnapshot(self._forge, row, rows, found.began)
            before = known.pop(place.id, None)
            if self._deps.team_of(place.repo) is None:
                if before is not None:
                    found.changes += repository.standing(place, before)
                    found.gone.append(place.id)
                continue
            ours[place.id] = place
            self._spare(place, found, self._at_place(place, before, cursor, found))
        for repo_id, before in known.items():
            self._missing(repo_id, before, found)
        return ours

    def _at_place(
        self, place: RepositorySnapshot, before: KnownRepo | None, cursor: Cursor | None, found: PassFindings
    ) -> Iterator[Change]:
        known = before or repository.blank(place)
        born = before is None and cursor is not None and place.listed.created_at >= cursor.since
        if born:
            yield repository.created(place)
        if watched_since(self._ledger, place.repo) is None:
            found.begins[place.repo] = self._first(place, before, born=born, found=found)
            if before is None and not born:
                found.met.add(place.id)
        yield from repository.standing(place, known)
        if found.deep or repository.moved(place, known):
            changes, known = repository.look(self._watcher, place, known, self._asking(found))
            if before is not None or born:
                yield from changes
        found.repos[place.id] = replace(known, path=place.repo.path, archived=place.listed.repository.archived)

    def _first(
        self, place: RepositorySnapshot, before: KnownRepo | None, *, born: bool, found: PassFindings
    ) -> datetime:
        """When a repository was first watched; it keeps that under another name."""
        if before is not None:
            return watched_since(self._ledger, Repo.parse(f"{self._forge}:{before.path}")) or found.began
        return place.listed.created_at if born else found.began

    def _missing(self, repo_id: int, before: KnownRepo, found: PassFindings) -> None:
        """A repository that is missing in the list: it has another owner, or was deleted."""
        now = self._watcher.repository_by_id(repo_id)
        key = f"repo:{self._forge}:{repo_id}"
        if now is None:
            change = Change(f"{key}:deleted", ChangeKind.REPO_DELETED, repo_id, "", SOMEBODY, found.began, before.path)
        else:
            at = f"{key}:name:{now.repo.path}:{found.began.timestamp():.0f}"
            change = Change(at, ChangeKind.REPO_RENAMED, repo_id, "", SOMEBODY, found.began, now.repo.path)
        found.changes.append(change)
        found.gone.append(repo_id)

    def _deep(
        self,
        place: RepositorySnapshot,
        found: PassFindings,
        wanted: dict[tuple[int, int], SubjectEntry],
        cursor: Cursor | None,
    ) -> Iterator[Change]:
        """What touches nothing: all subjects of a repository beside what is known of them."""
        snapshots, since = self._ledger.snapshots, self._begun(place.repo, found)
        known = {n: SUBJECT.loads(value) for n, value in snapshots.subjects(self._forge, place.id).items()}
        edited = self._edited(place, known, (since if cursor is None else cursor.since, since), found)
        try:
            listed = self._asking(found)("issues", place.repo, lambda: self._watcher.subjects(place.repo, place.id))
        except SourceUnavailable:
            return
        rows = {subject.issue.ref.number: subject for subject in listed if not is_doctor_probe(subject.issue.title)}
        for number in known.keys() - rows.keys():
            key = event_keys.deleted(self._forge, place.id, number)
            yield Change(key, ChangeKind.DELETED, place.id, str(number), SOMEBODY, found.began)
            found.lost.append((place.id, number))
            wanted.pop((place.id, number), None)
        for number, subject in rows.items():
            before = known.get(number)
            if number in edited or needs_look(subject, before, since):
                wanted.setdefault((place.id, number), subject)
            elif before is None:
                found.glances.append(((place.id, number), KnownSubject.glanced(subject)))
            elif before.is_open and before.head and (place.id, number) not in wanted:
                was = snapshots.subject(self._forge, place.id, number) or ""
                with suppress(SourceUnavailable):
                    found.looks.append((self._states(subject.issue.ref, place, was, found), False))

    def _states(self, ref: Ref, place: RepositorySnapshot, was: str, found: PassFindings) -> SubjectDiff:
        return self._asking(found)("statuses", place.repo, lambda: states(self._watcher, ref, place.id, was))

    def _edited(
        self,
        place: RepositorySnapshot,
        known: dict[int, KnownSubject],
        times: tuple[datetime, datetime],
        found: PassFindings,
    ) -> set[int]:
        """The subjects with a comment that was edited since the first of these times; the second is when the hive came."""
        since, begun_at = times
        edited: set[int] = set()
        try:
            said = self._asking(found)("comments", place.repo, lambda: self._watcher.comments_since(place.repo, since))
        except SourceUnavailable:
            return edited
        for comment in said:
            before = known.get(comment.number)
            digest = (before.comments or {}).get(comment.id) if before is not None else None
            if was_edited(comment, digest, begun_at):
                edited.add(comment.number)
        return edited

    def _look_at(self, wanted: dict[tuple[int, int], SubjectEntry], found: PassFindings) -> None:
        """Look at the subjects that changed, those first that changed first."""
        order = sorted(wanted.values(), key=lambda subject: subject.issue.updated_at)
        if len(order) > LOOKS:
            found.left = order[LOOKS].issue.updated_at
        for subject in order[:LOOKS]:
            ref = subject.issue.ref
            was = self._ledger.snapshots.subject(self._forge, subject.repo_id, ref.number)
            try:
                seen = diff_subject(self._watcher, subject, was, self._begun(ref.repo, found), self._asking(found))
            except NotFound:
                continue
            except SourceUnavailable as blind:
                if blind.stumbled:
                    found.pending.append(ref)
                continue
            found.looks.append((seen, subject.repo_id in found.met))

    def _spare(self, place: RepositorySnapshot, found: PassFindings, changes: Iterator[Change]) -> None:
        """Store the findings of one repository; one that was renamed or deleted during the poll is found again by the next."""
        try:
            found.changes += list(changes)
        except NotFound:
            ours = self._ledger.snapshots.repositories(self._forge, self._owner).get(place.id)
            if ours is not None:
                found.repos[place.id] = replace(REPO.loads(ours), again=True)

    def _begun(self, repo: Repo, found: PassFindings) -> datetime:
        return watched_since(self._ledger, repo) or found.begins.get(repo, found.began)

    def _moved(self, found: PassFindings, cursor: Cursor | None, feed: list[Activity]) -> Cursor:
        since = found.began - OVERLAP
        deep = found.began if found.deep else cursor.deep if cursor is not None else found.began
        if found.left is not None:
            # What was left is found again by its time, or by another thorough pass.
            since = min(since, found.left)
            deep = cursor.deep if cursor is not None else datetime.fromtimestamp(0, UTC)
        newest = max([row.id for row in feed] + ([cursor.feed] if cursor else [0]))
        return Cursor(since, newest, found.began, deep)

    def _store(self, found: PassFindings, cursor: Cursor | None) -> tuple[int, list[int]]:
        ledger, count, jobs = self._ledger, 0, list[int]()
        for repo, at in found.begins.items():
            start_watching(ledger, repo, at)
        count += sum(ledger.snapshots.add_change(self._forge, change) for change in found.changes)
        for repo_id in found.gone:
            ledger.snapshots.delete_repository(self._forge, repo_id)
        for repo_id, known in found.repos.items():
            team = self._deps.team_of(Repo.parse(f"{self._forge}:{known.path}")) or ""
            ledger.snapshots.save_repository(self._forge, self._owner, repo_id, REPO.dumps(known), team=team)
        for repo_id, number in found.lost:
            ledger.snapshots.delete_subject(self._forge, repo_id, number)
        for place, glance in found.glances:
            ledger.snapshots.save_subject(self._forge, place, SUBJECT.dumps(glance), None)
        for seen, silent in found.looks:
            news, made = record(self._deps, seen, silent=silent)
            count, jobs = count + news, jobs + made
        jobs += self._enqueue(found)
        if cursor is not None:
            ledger.deliveries.move_cursor(self._name, CURSOR.dumps(cursor))
        if jobs:
            ledger.audit.add(
                "sweep", Act.CHANGES_FOUND, ref=f"{self._forge}:{self._owner}", jobs=len(jobs), changes=count
            )
        return count, jobs

    def _enqueue(self, found: PassFindings) -> list[int]:
        """Looks over which the forge stumbled are jobs: tried again by themselves, and seen when they fail."""
        jobs = []
        for ref in found.pending:
            key = f"look:{ref}:{found.began.timestamp():.0f}"
            team = self._deps.team_of(ref.repo)
            if team is not None:
                jobs += self._ledger.jobs.enqueue(
                    team, [(REFRESH, SubjectChanged(ref, SOMEBODY, key))], origin=Origin(Priority.SWEEP)
                )
        return jobs


def needs_look(subject: SubjectEntry, before: KnownSubject | None, since: datetime) -> bool:
    """Whether a row of a list is a reason to check more closely."""
    issue = subject.issue
    if before is None:
        return issue.updated_at >= since or (issue.is_pull and issue.is_open)
    if before.is_pull and before.is_open and not before.head:
        return True
    counted = before.comments is not None and len(before.comments) != subject.comments
    return counted or before.updated != issue.updated_at
