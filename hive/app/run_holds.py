"""The holds on a run, as the forge shows them to its agent now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bots.holds import WorkHold, hold_on, labelled_hold, woken_hold
from bots.models import Team
from forge.models import Ref
from forge.protocol import ForgeError, Reader
from hive.ledger import Turn


@dataclass(frozen=True, slots=True)
class RunHolds:
    """Reads the hold on a run's issue, or on its pull request; `reader` is the forge as the agent sees it."""

    team: Callable[[], Team]
    reader: Callable[[], Reader]

    def __call__(self, turn: Turn) -> WorkHold | None:
        """The strictest hold; raises OSError while the forge is unavailable."""
        reader, team = self.reader(), self.team()
        issue = Ref.parse(turn.ref)
        pull = Ref.parse(turn.pull) if turn.pull is not None else None
        try:
            hold = hold_on(reader.issue(issue), team, lambda: reader.timeline(issue), has_run=True)
            hold = woken_hold(turn.wake, hold)
            if hold is not None or pull is None:
                return hold
            return labelled_hold(reader.issue(pull), team, lambda: reader.timeline(pull))
        except ForgeError as error:
            raise OSError(f"whether {turn.ref.partition(':')[2]} is held cannot be read: {error}") from error
