"""The branches that an agent pushes to: one for each attempt, so that a rejected one is not continued."""

from __future__ import annotations

from dataclasses import dataclass

from forge.models import PullRequest, Ref
from forge.protocol import ForgeError, NotFound, Reader
from hive.ledger import Ledger, Turn


@dataclass(frozen=True, slots=True)
class Branches:
    """The branches of one agent. An open pull request is continued; after a closed or merged one comes a new branch."""

    agent: str
    ledger: Ledger
    reader: Reader

    def work(self, turn: Turn) -> str:
        """The branch of a turn's run; raises OSError while the forge is unavailable."""
        name = f"agent/{self.agent}/issue-{Ref.parse(turn.ref).number}"
        last = turn.pull or self.ledger.runs.last_pull(self.agent, turn.ref)
        return self._after(name, last, stays=turn.pull is not None)

    def proposal(self, turn: Turn) -> str:
        """The branch for changes of its configuration; raises OSError while the forge is unavailable."""
        issue = Ref.parse(turn.ref)
        name = f"agent/{self.agent}/{issue.repo.path.replace('/', '-')}-{issue.number}"
        return self._after(name, self.ledger.runs.last_proposal(self.agent, turn.ref), stays=False)

    def _after(self, name: str, last: str | None, *, stays: bool) -> str:
        """The branch of the last pull request while it is open, and always if it `stays`; else one that is named after it."""
        if last is None:
            return name
        pull = self._pull(Ref.parse(last))
        if pull is not None and (stays or pull.is_open) and pull.head_branch.startswith(f"agent/{self.agent}/"):
            return pull.head_branch
        return f"{name}-after-{Ref.parse(last).number}"

    def _pull(self, ref: Ref) -> PullRequest | None:
        try:
            return self.reader.pull(ref)
        except NotFound:
            return None
        except ForgeError as error:
            raise OSError(f"{ref} cannot be read: {error}") from error
