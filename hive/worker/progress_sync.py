"""Enqueue the progress comments of runs that have changed: soon for what people wait to see, seldom for counters."""

from __future__ import annotations

from collections.abc import Mapping

from bots.models import Team
from hive.ledger import Ledger
from hive.outbox.progress import enqueue_progress
from hive.outbox.progress_text import digest

SOON_SECONDS = 5.0
"""Between two edits of a comment; forges tell others of each."""

SELDOM_SECONDS = 60.0
"""Between two edits if only counters and times have changed."""


class ProgressSync:
    """Keeps progress comments in step with their runs."""

    def __init__(self, ledger: Ledger, account: str, teams: Mapping[str, Team]) -> None:
        self._ledger = ledger
        self._account = account
        self._teams = teams

    def sync(self) -> None:
        """Enqueue an edit wherever a comment says something else than is so by now."""
        now = self._ledger.clock()
        for run, shown in self._ledger.progress.to_show():
            if shown.is_pending or run.team not in self._teams:
                continue
            says = digest(run)
            major, was = says.partition(":")[0], shown.digest.partition(":")[0]
            wait = SELDOM_SECONDS if major == was else SOON_SECONDS
            if says != shown.digest and (not run.is_open or now - shown.at >= wait):
                enqueue_progress(self._ledger, self._account, run, f"{now:.3f}")
