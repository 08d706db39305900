"""What people see of runs beside their comments: state labels and progress comments, kept in step."""

from __future__ import annotations

from collections.abc import Mapping

from bots.models import Team
from hive.ledger import Ledger
from hive.worker.label_sync import LabelSync
from hive.worker.progress_sync import ProgressSync


class RunDisplay:
    """Labels and progress comments of all runs; `account` writes them."""

    def __init__(self, ledger: Ledger, account: str, teams: Mapping[str, Team]) -> None:
        self._labels = LabelSync(ledger, account, teams)
        self._progress = ProgressSync(ledger, account, teams)

    def reset(self) -> None:
        """Forget which labels were enqueued last: those of all open runs are enqueued again."""
        self._labels.reset()

    def sync(self) -> None:
        """Enqueue what differs from what was shown last."""
        self._labels.sync()
        self._progress.sync()
