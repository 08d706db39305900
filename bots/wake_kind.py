"""What wakes an agent for one turn. Performs no I/O."""

from __future__ import annotations

from enum import StrEnum


class Wake(StrEnum):
    """What wakes an agent other than an assignment, for one turn: it pushes nothing then, and says nothing on an announcement."""

    MENTION = "mention"
    REVIEW = "review"
    ANNOUNCEMENT = "announcement"
