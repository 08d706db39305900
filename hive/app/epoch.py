"""Tells the start of a hive by an operator from that of one process of it."""

from __future__ import annotations

import os

from hive.ledger import Ledger
from hive.supervisor.processes import EPOCH


def is_new_epoch(ledger: Ledger) -> bool:
    """Whether an operator started the hive, and not `hive up` restarted this process; call it once."""
    epoch = os.environ.pop(EPOCH, "")
    if epoch and ledger.deliveries.cursor(EPOCH) == epoch:
        return False
    ledger.deliveries.move_cursor(EPOCH, epoch)
    return True
