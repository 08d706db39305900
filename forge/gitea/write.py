"""Deeds of one account on Forgejo and Gitea. Each looks before it acts: doing it twice is doing it once."""

from __future__ import annotations

from datetime import datetime

from forge.gitea.committing import Committing
from forge.gitea.conversing import Conversing
from forge.gitea.issues import moment
from forge.gitea.proposing import Proposing
from forge.gitea.sorting import Sorting
from forge.gitea.talking import Talking


class GiteaForge(Talking, Sorting, Proposing, Conversing, Committing):
    """What one account does on a forge; only `hive.apply` holds one."""

    def mark_read(self, until: datetime) -> None:
        """Call the notifications that are not newer than `until` read; those that come meanwhile stay."""
        self._client.order("PUT", "/notifications", last_read_at=moment(until))
