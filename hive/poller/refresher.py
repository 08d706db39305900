"""Since when a repository is watched, and the refresh that a delivery asks for."""

from __future__ import annotations

from datetime import datetime

from forge.doctor_probe import is_doctor_probe
from forge.models import Ref, Repo
from forge.protocol import PollReader
from hive.ledger import Ledger
from hive.poller.recorder import PollerDeps, record
from hive.poller.subject import diff_subject


def start_watching(ledger: Ledger, repo: Repo, now: datetime) -> None:
    """What happened in a repository before `now`, by the forge's clock, is no work for the hive."""
    if ledger.deliveries.cursor(f"begin:{repo}") is None:
        ledger.deliveries.move_cursor(f"begin:{repo}", now.isoformat())


def watched_since(ledger: Ledger, repo: Repo) -> datetime | None:
    """Since when a repository is the hive's business."""
    told = ledger.deliveries.cursor(f"begin:{repo}")
    return None if told is None else datetime.fromisoformat(told)


class SubjectRefresher:
    """Looks at what a delivery named without saying what happened there."""

    def __init__(self, watcher: PollReader, deps: PollerDeps) -> None:
        self._watcher = watcher
        self._deps = deps

    def look(self, ref: Ref) -> list[int]:
        """Look at one subject; returns the jobs that it made. Raises ForgeError."""
        ledger = self._deps.ledger
        since = watched_since(ledger, ref.repo)
        if since is None:
            return []
        subject = self._watcher.subject(ref)
        if is_doctor_probe(subject.issue.title):
            return []
        was = ledger.snapshots.subject(ref.repo.forge, subject.repo_id, ref.number)
        found = diff_subject(self._watcher, subject, was, since)
        with ledger.transaction():
            return record(self._deps, found)[1]
