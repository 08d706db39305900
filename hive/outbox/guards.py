"""Whom the executor asks before and after a write. Protocols only; the worker and the poller implement them."""

from __future__ import annotations

from typing import Protocol

from forge.models import Ref, Repo
from forge.protocol import ForgeError
from hive.ledger import Effect
from hive.outbox.subject_state import SubjectState


class OutagePolicy(Protocol):
    """Tells outages from failures."""

    def suspend_if_outage(self, team: str, login: str, error: ForgeError) -> bool:
        """Whether a failure is an outage of the forge or of the account: the work is suspended then."""

    def subject_state(self, team: str, login: str, ref: Ref) -> SubjectState:
        """What became of a subject that was not found."""


class WriteGuard(Protocol):
    """Limits writes to one subject."""

    def blocks_action(self, effect: Effect) -> bool:
        """Whether an effect must wait because its subject was written to too often."""


class RepositoryGuard(Protocol):
    """Knows where repositories are."""

    def is_available(self, repo: Repo) -> bool:
        """Whether the repository that a name stands for can be worked in now."""

    def may_have_moved(self, repo: Repo) -> bool:
        """Whether what was not found in a repository may be found when it is looked up again."""
