"""Why a verified deployment waits: for an operator who has suspended those of its agent or stopped it, or for the end of a freeze.

Only one that has not begun is held; one that is under way is brought to its end, so that nothing stops half-way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from hive.config.freeze import FROZEN, FreezeWindow, frozen_until
from hive.ledger import Deployment, Ledger, Scope, SuspensionReason

NO_WAITING = "`/deploy now` by an operator does not wait for it."
BY_START = "`hive agents start` there deploys it."
BY_TRIAL = "It is deployed when every account of the hive was refused."
BY_RESUME = "An operator's `/resume` deploys it."


@dataclass(frozen=True, slots=True)
class DeploymentHold:
    """Why a deployment waits, for people; `way_out` is what ends it sooner, and `key` differs for each reason and time.

    What `is_brief` is over within seconds, and is not said.
    """

    key: str
    why: str
    way_out: str
    is_brief: bool = False


class Holds:
    """What holds deployments on this host."""

    def __init__(
        self,
        ledger: Ledger,
        freeze: Iterable[FreezeWindow] = (),
        untrusted: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """`untrusted` is why merges of a team prove nothing now, empty for a moment; None if they do."""
        self._ledger = ledger
        self._freeze = tuple(freeze)
        self._untrusted = untrusted

    def of(self, deployment: Deployment) -> DeploymentHold | None:
        """What holds a deployment now; None for one that may go on.

        A freeze holds what was merged only: what an operator takes at the machine itself is meant now.
        """
        if not deployment.is_waiting:
            return None
        if (hold := self.of_agent(deployment.team, deployment.agent)) is not None:
            return hold
        return self.frozen() if deployment.pulls else None

    def of_agent(self, team: str, agent: str) -> DeploymentHold | None:
        """What holds whatever is to be deployed for an agent."""
        if (why := self._untrusted(team)) is not None:
            return DeploymentHold("merges", why, BY_TRIAL, is_brief=not why)
        for suspension in self._ledger.suspensions.of(team, Scope.DEPLOYMENTS, agent):
            return DeploymentHold(f"suspended:{suspension.since}", suspension.detail, BY_RESUME)
        for suspension in self._ledger.suspensions.of(team, Scope.AGENT, agent):
            if suspension.reason is SuspensionReason.STOPPED:
                return DeploymentHold(f"stopped:{suspension.since}", f"its agent is {suspension.detail}", BY_START)
        return None

    def frozen(self) -> DeploymentHold | None:
        """What holds all that is merged now: a freeze window."""
        now = datetime.fromtimestamp(self._ledger.clock(), UTC)
        until = frozen_until(self._freeze, now)
        if until is None:
            return None
        return DeploymentHold(f"frozen:{until:%Y-%m-%dT%H:%M}", FROZEN.format(until=until), NO_WAITING)
