"""Since when a repository matters, and the look that a delivery asks for."""

from __future__ import annotations

from datetime import datetime

from forge.protocol import Watcher
from forge.trial import is_trial
from forge.types import Ref, Repo
from hive.ledger import Ledger
from hive.sweep.look import look
from hive.sweep.record import Office, record


def begin(ledger: Ledger, repo: Repo, now: datetime) -> None:
    """What happened in a repository before `now`, by the forge's clock, is no work for the hive."""
    if ledger.intake.cursor(f"begin:{repo}") is None:
        ledger.intake.move_cursor(f"begin:{repo}", now.isoformat())


def begun(ledger: Ledger, repo: Repo) -> datetime | None:
    """Since when a repository is the hive's business."""
    told = ledger.intake.cursor(f"begin:{repo}")
    return None if told is None else datetime.fromisoformat(told)


class Looker:
    """Looks at what a delivery named without saying what happened there."""

    def __init__(self, watcher: Watcher, office: Office) -> None:
        self._watcher = watcher
        self._office = office

    def look(self, ref: Ref) -> list[int]:
        """Look at one subject; returns the jobs that it made. Raises ForgeError."""
        ledger = self._office.ledger
        since = begun(ledger, ref.repo)
        if since is None:
            return []
        subject = self._watcher.subject(ref)
        if is_trial(subject.issue.title):
            return []
        was = ledger.sightings.subject(ref.repo.forge, subject.repo_id, ref.number)
        found = look(self._watcher, subject, was, since)
        with ledger.transaction():
            return record(self._office, found)[1]
