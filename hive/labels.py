"""Enqueues the labels of runs whose state has changed: at every change, and all of them when the worker starts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from bots.intents import ShowState
from forge.types import Ref
from hive.apply import owe
from hive.ledger import Ledger, Standing
from hive.states import STATE_LABELS, labels_of_issue

BY = "labels"


class StateLabels:
    """Enqueues the labels of runs whose state has changed."""

    def __init__(self, ledger: Ledger, account: str) -> None:
        self._ledger = ledger
        self._account = account

    def begin(self) -> None:
        """Nothing is known of how labels are on the forge: enqueue those of all open runs."""
        self._ledger.standings.forget_open()

    def catch_up(self) -> None:
        """Enqueue labels wherever they are to be others than those that were enqueued last."""
        changing = sorted(self._ledger.standings.changing(), key=lambda run: run.ref)
        for ref, runs in groupby(changing, key=lambda run: run.ref):
            self._enqueue(ref, list(runs))

    def _enqueue(self, ref: str, runs: Sequence[Standing]) -> None:
        told = " ".join(sorted(labels_of_issue(runs)))
        late = [run for run in runs if run.shown != (told if run.is_open else "")]
        if not late:
            return
        # An issue that went from agent to agent until nobody took it waits for an operator, without a run.
        before = {label for run in late if run.outcome != "bounced" for label in (run.shown or "").split()}
        with self._ledger.transaction():
            key = f"{ref}:{self._ledger.clock():.3f}"
            deed = ShowState(Ref.parse(ref), key=key, gone=tuple(sorted(before - STATE_LABELS)))
            owe(self._ledger, late[-1].team, self._account, deed, by=BY)
            for run in late:
                self._ledger.standings.show(run.id, told if run.is_open else "")
