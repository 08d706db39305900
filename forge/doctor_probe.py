"""Pull requests of the doctor that try permissions. Performs no I/O.

They are known by their title: bots, poller and dispatch ignore them.
Others gain nothing by that title: a pull request that no bot reviews gets no verdict, which is no approval.
"""

from __future__ import annotations

TITLE = "WIP: hive doctor tries who may merge this"
"""A draft on all forges."""

BRANCH = "hive-doctor-"
"""The prefix of a probe's branches."""


def is_doctor_probe(title: str) -> bool:
    """Whether a pull request of this title is a doctor's."""
    return title == TITLE
