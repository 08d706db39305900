"""Who is asked before a deed is done, and who is told when it could not be. Decides nothing itself."""

from __future__ import annotations

from typing import Protocol

from forge.protocol import ForgeError
from forge.types import Ref
from hive.ledger import Effect
from hive.missing import Fate


class Watch(Protocol):
    """Who is told of failures."""

    def takes(self, team: str, login: str, error: ForgeError) -> bool:
        """Whether a failure is the forge's or the account's, and not the deed's: the deed waits then."""

    def became_of(self, team: str, login: str, ref: Ref) -> Fate:
        """What became of a subject that was not found."""


class Brake(Protocol):
    """Who is asked before something is written to a forge."""

    def stops_deed(self, effect: Effect) -> bool:
        """Whether the subject of a deed was written to too often: it rests then, and so must the deed."""
