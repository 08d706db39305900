"""What a bot can want of an agent and its container: frozen imperatives, a part of `bots.intents`. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from forge.models import Ref, Repo, User
from forge.wire_names import WireNamed


@dataclass(frozen=True, slots=True)
class Deploy(WireNamed, wire="deploy"):
    """Ask the host to check a merged configuration, verify it, and rebuild the agent's container."""

    ref: Ref
    agent: str
    key: str


@dataclass(frozen=True, slots=True)
class RetryDeployment(WireNamed, wire="retry_deployment"):
    """Deploy the merged commit that failed last once more; of a roster's name, its base, for those that are not on it."""

    ref: Ref
    agent: str
    key: str


@dataclass(frozen=True, slots=True)
class ProposeRevert(WireNamed, wire="propose_revert"):
    """Open a pull request that brings a configuration back to what ran before `ref` was merged; `why` is one line."""

    ref: Ref
    agent: str
    why: str
    key: str


@dataclass(frozen=True, slots=True)
class DeployNow(WireNamed, wire="deploy_now"):
    """Deploy a verified commit that waits for the end of a freeze window; of a roster's name, its base."""

    ref: Ref
    agent: str
    key: str


@dataclass(frozen=True, slots=True)
class SuspendDeployments(WireNamed, wire="suspend_deployments"):
    """Let merged configurations of an agent wait; it goes on as it is. `why` is one line, or empty."""

    ref: Ref
    agent: str
    by: User
    why: str
    key: str


@dataclass(frozen=True, slots=True)
class ResumeDeployments(WireNamed, wire="resume_deployments"):
    """Deploy merged configurations of an agent again."""

    ref: Ref
    agent: str
    key: str


def roster_of(forge: str) -> str:
    """The name under which a forge's roster is deployed, beside the agents; no agent can have it."""
    return f"@{forge}"


def forge_of_roster(deployed: str) -> str:
    """The forge whose roster and base are deployed under a name; empty for an agent, and for the hive itself."""
    return deployed[1:] if deployed.startswith("@") else ""


@dataclass(frozen=True, slots=True)
class ProposeAgent(WireNamed, wire="propose_agent"):
    """Open a pull request on the roster that adds an agent; `ref` asks for it, `why` are the words of its author.

    An empty `lane` leaves the lanes as they are.
    """

    ref: Ref
    roster: Repo
    agent: str
    lane: str
    why: str
    key: str


@dataclass(frozen=True, slots=True)
class PurgeAgent(WireNamed, wire="purge_agent"):
    """Delete what a destroyed agent left, once two comments of operators want it."""

    ref: Ref
    agent: str
    by: User
    key: str


@dataclass(frozen=True, slots=True)
class Pause(WireNamed, wire="pause_agent"):
    """Suspend an agent until it is resumed; its current turn is released between two steps."""

    ref: Ref
    agent: str
    by: User
    key: str


@dataclass(frozen=True, slots=True)
class Resume(WireNamed, wire="resume_agent"):
    """Resume a paused agent."""

    ref: Ref
    agent: str
    key: str


@dataclass(frozen=True, slots=True)
class Restart(WireNamed, wire="restart_agent"):
    """Stop and start an agent's container, as it was built."""

    ref: Ref
    agent: str
    key: str


@dataclass(frozen=True, slots=True)
class SetUrgency(WireNamed, wire="set_urgency"):
    """Let the open runs on an issue go before others of their agents, or no more."""

    ref: Ref
    urgent: bool
    key: str


@dataclass(frozen=True, slots=True)
class GiveWork(WireNamed, wire="give_work"):
    """Assign an agent to an issue, or let it wait in the queue of its lane while the agent has too much open, or it depends on another one."""

    ref: Ref
    agent: str
    lane: str
    key: str


@dataclass(frozen=True, slots=True)
class LeaveQueue(WireNamed, wire="leave_queue"):
    """An issue waits for its agent no longer."""

    ref: Ref
    key: str


@dataclass(frozen=True, slots=True)
class RecordCorrection(WireNamed, wire="record_correction"):
    """Remember what somebody says an issue is: its kind as a label, the name of its lane; empty for what was not said."""

    ref: Ref
    kind: str
    lane: str
    by: str
    key: str


@dataclass(frozen=True, slots=True)
class SetModel(WireNamed, wire="set_model"):
    """Let an agent think with another model from its next turn on; empty for that of its configuration."""

    ref: Ref
    agent: str
    model: str
    key: str


@dataclass(frozen=True, slots=True)
class ResetContext(WireNamed, wire="reset_context"):
    """How much of its transcript a run's next turn starts with: `compact` for a compacted one, `new` for an empty one.

    The run gets a turn with `message`, so that there is a next one.
    """

    ref: Ref
    run: int
    memory: str
    message: str
    key: str


@dataclass(frozen=True, slots=True)
class RaiseBudget(WireNamed, wire="raise_budget"):
    """Add an amount, in billionths of a dollar, to what an issue and one run on it may spend.

    Runs that their budget has stopped get a turn with `message`.
    """

    ref: Ref
    run: int
    amount: int
    by: User
    message: str
    key: str
