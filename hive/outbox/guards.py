"""Who is asked before a deed is done, and who is told when it could not be. Decides nothing itself."""

from __future__ import annotations

from typing import Protocol

from forge.models import Ref
from forge.protocol import ForgeError
from hive.ledger import Effect
from hive.outbox.subject_state import SubjectState


class OutagePolicy(Protocol):
    """Who is told of failures."""

    def takes(self, team: str, login: str, error: ForgeError) -> bool:
        """Whether a failure is the forge's or the account's, and not the deed's: the deed waits then."""

    def became_of(self, team: str, login: str, ref: Ref) -> SubjectState:
        """What became of a subject that was not found."""


class WriteGuard(Protocol):
    """Who is asked before something is written to a forge."""

    def blocks_action(self, effect: Effect) -> bool:
        """Whether the subject of a deed was written to too often: it rests then, and so must the deed."""
