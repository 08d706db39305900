"""Enqueue state labels whenever the state of a run has changed, and all of them when the worker starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from bots.intents import PostComment, SyncStateLabels
from bots.models import Team
from forge.models import Ref
from hive.ledger import Ledger, RunState
from hive.outbox.enqueue import enqueue
from hive.outbox.state_labels import NEEDS_OPERATOR, STATE_LABELS, is_asking, labels_of_issue

BY = "labels"
CALL = """\
🙋 {operators}: @{agent} waits for you here.

Answer in a comment; `/retry` starts over, `/cancel` ends the run, `/status` shows its state.
"""


class LabelSync:
    """Keeps the state labels of issues in step with their runs."""

    def __init__(self, ledger: Ledger, account: str, teams: Mapping[str, Team]) -> None:
        self._ledger = ledger
        self._account = account
        self._teams = teams

    def reset(self) -> None:
        """Forget which labels were enqueued last: those of all open runs are enqueued again."""
        self._ledger.run_states.forget_labels()

    def sync(self) -> None:
        """Enqueue labels wherever they differ from those that were enqueued last."""
        changing = sorted(self._ledger.run_states.with_labels(), key=lambda run: run.ref)
        for ref, runs in groupby(changing, key=lambda run: run.ref):
            self._enqueue(ref, list(runs))

    def _enqueue(self, ref: str, runs: Sequence[RunState]) -> None:
        labels = " ".join(sorted(labels_of_issue(runs)))
        late = [run for run in runs if run.labels != (labels if run.is_open else "")]
        if not late:
            return
        # An issue that every agent has passed on waits for an operator, without a run.
        ours = [NEEDS_OPERATOR if run.labels is None else run.labels for run in late if run.outcome != "bounced"]
        before = {label for labels in ours for label in labels.split()}
        with self._ledger.transaction():
            key = f"{ref}:{self._ledger.clock():.3f}"
            action = SyncStateLabels(Ref.parse(ref), key=key, gone=tuple(sorted(before - STATE_LABELS)))
            enqueue(self._ledger, late[-1].team, self._account, action, by=BY)
            for run in late:
                self._ledger.run_states.set_labels(run.id, labels if run.is_open else "")
                if is_asking(run):
                    self._call_operators(run)

    def _call_operators(self, run: RunState) -> None:
        """Mention the operators of an agent, once a run: the forge notifies them of everything that follows."""
        text = CALL.format(operators=self._teams[run.team].call(run.agent), agent=run.agent)
        call = PostComment(Ref.parse(run.pull or run.ref), text, key=f"call:{run.id}")
        enqueue(self._ledger, run.team, self._account, call, by=BY)
