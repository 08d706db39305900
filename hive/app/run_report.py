"""How an agent's work stands on the forge, as its broker tells it: runs, pull request, checks, reviews. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bots.markdown import visible
from bots.views import RunStatus
from forge.gitea.reader import GiteaReader
from forge.models import Ref
from forge.protocol import ForgeError
from hive.ledger import Ledger, Turn

MOST = 50
"""Checks, reviews and runs of one report."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """Reports the work of one agent; `reader` is the forge as the agent sees it."""

    ledger: Ledger
    agent: str
    reader: Callable[[], GiteaReader]

    def __call__(self, turn: Turn) -> dict[str, Any]:
        """The run of a turn, its pull request, and the agent's other open runs; raises OSError while the forge is unavailable."""
        issues = self.ledger.runs.open_subjects(self.agent, MOST)
        runs = [(issue, self.ledger.run_states.status(issue)) for issue in issues]
        found: dict[str, Any] = {
            "run": turn.run,
            "issue": _path(turn.ref),
            "open_runs": [_run(issue, run) for issue, run in runs if run is not None and run.agent == self.agent],
        }
        if turn.pull is not None:
            try:
                found["pull"] = self._pull(Ref.parse(turn.pull))
            except ForgeError as error:
                raise OSError(f"{_path(turn.pull)} cannot be read: {error}") from error
        return found

    def _pull(self, ref: Ref) -> dict[str, Any]:
        reader = self.reader()
        pull = reader.pull(ref)
        return {
            "ref": _path(str(ref)),
            "state": "merged" if pull.merged else "open" if pull.is_open else "closed",
            "draft": pull.draft,
            "conflicts": pull.is_open and not pull.mergeable,
            "head": pull.head_sha,
            "checks": [
                {"name": visible(check.context), "state": check.state.value, "says": visible(check.description)}
                for check in reader.statuses(ref.repo, pull.head_sha)[:MOST]
            ],
            "reviews": [
                {"by": review.author.login, "state": review.state.value.lower(), "of": review.head_sha[:7]}
                for review in reader.reviews(ref)[-MOST:]
                if not review.dismissed
            ],
        }


def _run(issue: str, run: RunStatus) -> dict[str, Any]:
    pull = _path(str(run.pull)) if run.pull else None
    return {"run": run.id, "issue": _path(issue), "working": run.is_held, "pull": pull, "waits": run.blocked}


def _path(ref: str) -> str:
    return ref.partition(":")[2]
