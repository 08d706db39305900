"""Enqueues the labels of runs whose state has changed: at every change, and all of them when the worker starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from bots.intents import PostComment, SyncStateLabels
from bots.models import Team
from forge.models import Ref
from hive.ledger import Ledger, Standing
from hive.outbox.enqueue import enqueue
from hive.outbox.state_labels import STATE_LABELS, is_asking, labels_of_issue

BY = "labels"
CALL = """\
🙋 {operators}: @{agent} waits for you here.

Answer in a comment; `/retry` begins anew, `/cancel` ends it, `/status` says how it stands.
"""


class LabelSync:
    """Enqueues the labels of runs whose state has changed."""

    def __init__(self, ledger: Ledger, account: str, teams: Mapping[str, Team]) -> None:
        self._ledger = ledger
        self._account = account
        self._teams = teams

    def reset(self) -> None:
        """Nothing is known of how labels are on the forge: enqueue those of all open runs."""
        self._ledger.standings.forget_open()

    def sync(self) -> None:
        """Enqueue labels wherever they are to be others than those that were enqueued last."""
        changing = sorted(self._ledger.standings.changing(), key=lambda run: run.ref)
        for ref, runs in groupby(changing, key=lambda run: run.ref):
            self._enqueue(ref, list(runs))

    def _enqueue(self, ref: str, runs: Sequence[Standing]) -> None:
        told = " ".join(sorted(labels_of_issue(runs)))
        late = [run for run in runs if run.labels != (told if run.is_open else "")]
        if not late:
            return
        # An issue that went from agent to agent until nobody took it waits for an operator, without a run.
        before = {label for run in late if run.outcome != "bounced" for label in (run.labels or "").split()}
        with self._ledger.transaction():
            key = f"{ref}:{self._ledger.clock():.3f}"
            action = SyncStateLabels(Ref.parse(ref), key=key, gone=tuple(sorted(before - STATE_LABELS)))
            enqueue(self._ledger, late[-1].team, self._account, action, by=BY)
            for run in late:
                self._ledger.standings.show(run.id, told if run.is_open else "")
                if is_asking(run):
                    self._call_operators(run)

    def _call_operators(self, run: Standing) -> None:
        """Call the operators of an agent, once for each run: whoever answers is told by the forge from then on."""
        said = CALL.format(operators=self._teams[run.team].call(run.agent), agent=run.agent)
        call = PostComment(Ref.parse(run.pull or run.ref), said, key=f"call:{run.id}")
        enqueue(self._ledger, run.team, self._account, call, by=BY)
