"""What doctors try with, known by its title: bots, sweeps and dispatch pass over it. Performs no I/O.

Whoever else uses that title gains nothing: a pull request at which no bot looks gets no verdict, and none is no approval.
"""

from __future__ import annotations

TITLE = "WIP: hive doctor tries who may merge this"
"""A draft on all forges."""

BRANCH = "hive-doctor-"
"""How the branches of a trial begin."""


def is_trial(title: str) -> bool:
    """Whether a pull request of this title is a doctor's."""
    return title == TITLE
