"""Publishes the commit status of a head that several pull requests may share: the worst of the open ones."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from bots.verdicts import PENDING
from forge.models import CommitStatus, PullRequest, Repo, State
from forge.protocol import Forge
from hive.ledger import Ledger

WORST = (State.FAILURE, State.ERROR, State.PENDING, State.WARNING, State.SUCCESS)
MAX_DESCRIPTION = 140
REMEMBERED = 1000
"""Of how many heads and contexts the publisher remembers the status that it has set; others are looked up."""


class VerdictPublisher:
    """Shows verdicts on heads: one at a time, so that what is shown last is what was known last."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._guard = threading.Lock()
        self._last: dict[tuple[Repo, str, str], CommitStatus] = {}

    def publish(self, forge: Forge, repo: Repo, heads: Iterable[str], context: str) -> dict[str, str]:
        """Set the status of heads; one without an open pull request keeps its status. Returns the descriptions by head."""
        with self._guard:
            pulls = forge.open_pulls(repo)
            shown = {}
            for head in dict.fromkeys(heads):
                mine = [pull for pull in pulls if pull.head_sha == head]
                if mine:
                    status = self._worst(mine, context)
                    self._set(forge, repo, head, status)
                    shown[head] = status.description
            return shown

    def _set(self, forge: Forge, repo: Repo, head: str, status: CommitStatus) -> None:
        """Set a status; after an error nothing is known of the head until the next one is set."""
        at = (repo, head, status.context)
        forge.set_status(repo, head, status, last=self._last.pop(at, None))
        self._last[at] = status
        if len(self._last) > REMEMBERED:
            del self._last[next(iter(self._last))]

    def _worst(self, pulls: list[PullRequest], context: str) -> CommitStatus:
        said = [(pull, self._ledger.verdicts.current(pull, context)) for pull in pulls]
        found = [
            (pull, status or CommitStatus(context, State.PENDING, PENDING, pull.html_url)) for pull, status in said
        ]
        pull, worst = min(found, key=lambda pair: WORST.index(pair[1].state))
        if len(found) == 1:
            return worst
        description = f"#{pull.ref.number}: {worst.description}"[:MAX_DESCRIPTION]
        return CommitStatus(context, worst.state, description, worst.url)
