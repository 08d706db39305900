"""What bots know of the ready queue. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from forge.models import Ref


@dataclass(frozen=True, slots=True)
class QueuedIssue:
    """An issue that waits for its lane's agent; `is_labelled` is whether the hive has labelled it so."""

    ref: Ref
    lane: str
    is_labelled: bool = False
