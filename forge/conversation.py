"""Conversations on lines of pull requests, as values. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from forge.models import Ref


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation about one line of a pull request: it starts with the comment `id` of a review."""

    ref: Ref
    review: int
    id: int
