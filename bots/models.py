"""The hive's own nouns: lanes, agents, findings and verdicts. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from fnmatch import fnmatchcase

from forge.models import Repo, User

AGENT_NAME = re.compile(r"[a-z][a-z0-9]{0,8}")
"""An agent's name: its container is `h-<name>`, and a container's name holds 11 characters."""

RESERVED_NAMES = frozenset({"core", "hive", "lead", "manager", "operator", "roster", "system", "triage"})
"""Names that no agent may take: they are recipients, or accounts of the hive itself."""

HIVE = "hive"
"""The name under which the hive itself is deployed, beside the agents; no agent can have it."""

QUICK_FIX_SECONDS = 30
"""A yellow finding that takes at most this long to fix counts as red: there is no reason to leave it."""


class Role(StrEnum):
    """What an agent is in its team: exactly one lead, at most one lorekeeper."""

    LEAD = "lead"
    AGENT = "agent"
    LOREKEEPER = "lorekeeper"


@dataclass(frozen=True, slots=True)
class Lane:
    """A field of work: its words and paths, its agent, and the logins of its operators if it has its own."""

    name: str
    agent: str
    label: str
    words: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()

    def owned(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Those of the paths that are of this lane; `*` of its patterns also matches `/`."""
        return tuple(path for path in paths if any(fnmatchcase(path, pattern) for pattern in self.paths))


@dataclass(frozen=True, slots=True)
class IssueKind:
    """A kind of issue, recognised by its words; `label` is `type/…`."""

    label: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """An agent as its configuration repository declares it in `agent.yaml`."""

    name: str
    lane: str
    role: Role = Role.AGENT
    model: str = ""
    packages: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    max_steps: int = 40
    minutes: int = 20
    prompt: str = ""
    engine: str = "native"
    command: tuple[str, ...] = ()
    health: str = ""
    """The command that has to succeed in a new container before it counts as running."""

    capabilities: tuple[str, ...] = ()
    budget: tuple[tuple[str, int], ...] = ()
    """Its own caps by name (`run`, `issue`, `day`, `month`), in billionths of a dollar."""

    depends_on: tuple[str, ...] = ()
    """Agents whose containers are rebuilt before its own when all are."""


@dataclass(frozen=True, slots=True)
class Team:
    """What bots know about a team: members, lanes, repositories.

    Operators, agents and the hive's own accounts are known by id; a login proves nothing.
    """

    name: str
    operators: frozenset[int]
    agents: dict[str, User]
    accounts: dict[str, User]
    lanes: tuple[Lane, ...]
    kinds: tuple[IssueKind, ...]
    repos: frozenset[Repo]
    configs: dict[Repo, str]
    """Configuration repositories and the agent that each one configures."""

    max_bot_turns: int = 3
    """How often bots may move a run in a row before a person has to."""

    max_open_runs: int = 0
    """How many runs an agent may have open before further issues wait for it; 0 for no limit."""

    operator_logins: tuple[str, ...] = ()
    """The logins of the operators, to call them by; who they are is decided by their ids."""

    models: tuple[str, ...] = ()
    """The models that an agent may use; empty for any."""

    agent_models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The models of agents that have a list of their own."""

    source: Repo | None = None
    """The repository of the hive's own source, if it is one of this team's."""

    own: tuple[Repo, ...] = ()
    """The hive's own repositories, if they are this team's to look after: the roster's, and that of requests."""

    @property
    def roster(self) -> Repo | None:
        """The repository of the roster, if it is this team's to look after."""
        return self.own[0] if self.own else None

    @property
    def requests(self) -> Repo | None:
        """The repository where people ask things of the hive, if it is this team's to look after."""
        return self.own[1] if self.own else None

    def models_of(self, agent: str) -> tuple[str, ...]:
        """The models that an agent may use; empty for any."""
        return self.agent_models.get(agent) or self.models

    def operators_of(self, agent: str) -> tuple[str, ...]:
        """The logins of those whom an agent's work waits for: the operators of its lanes, else those of the team."""
        mine = [lane for lane in self.lanes if lane.agent == agent]
        own = tuple(dict.fromkeys(login for lane in mine for login in lane.operators))
        return own if own and all(lane.operators for lane in mine) else self.operator_logins

    def call(self, agent: str = "") -> str:
        """The operators of an agent, or of the team, as mentions: from our configuration, never from a text."""
        logins = self.operators_of(agent) if agent else self.operator_logins
        return ", ".join(f"@{login}" for login in logins) or "an operator"

    def standing(self, user: User) -> str:
        """An account's role in the team, in words."""
        if user.id in self.operators:
            return "an operator"
        return "of the hive" if self.is_machine(user) else "not of the team"

    def is_trusted(self, user: User) -> bool:
        """Whether an account may give work orders: an operator, or the hive itself."""
        return user.id in self.operators or self.is_machine(user)

    def agent_of(self, user: User) -> str | None:
        """The agent behind an account, if it is one."""
        return next((name for name, account in self.agents.items() if account.id == user.id), None)

    def is_machine(self, user: User) -> bool:
        """Whether an account belongs to the hive itself: an agent or one of its bots."""
        return any(user.id == other.id for other in (*self.agents.values(), *self.accounts.values()))


class Level(Enum):
    """The severity of a finding; the most severe one decides the verdict."""

    RED = "🔴"
    YELLOW = "🟡"
    GREEN = "🟢"


class Category(StrEnum):
    """The category of a finding."""

    BUG = "bug"
    SECURITY = "security"
    LEAK = "secret"
    SILENT_FAILURE = "silent failure"
    BROKEN = "does not parse"
    INCONSISTENCY = "inconsistency"
    TEST = "test"
    PRAISE = "praise"


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about a change: where, how severe, why, and what would be right.

    `line` counts from 1 in the new file, 0 means the file as a whole. `fix_seconds` is the time
    of a fix, None if unknown. `suggestion` is the text that should replace the line.
    """

    path: str
    line: int
    level: Level
    category: Category
    rule: str
    title: str
    why: str = ""
    fix_seconds: int | None = None
    suggestion: str | None = None
    engine: str = ""
    end_line: int = 0
    """The last line that it is about; 0 where that is `line`."""

    evidence: str = ""
    """What speaks for it, for those who ask."""

    @property
    def effective_level(self) -> Level:
        """The level after the quick-fix rule: a yellow finding with a fix of seconds is red."""
        quick = self.fix_seconds is not None and self.fix_seconds <= QUICK_FIX_SECONDS
        return Level.RED if self.level is Level.YELLOW and quick else self.level


@dataclass(frozen=True, slots=True)
class Scan:
    """What the analysers found in one head.

    `ran` are the engines that finished, `failed` those that did not, with the reason: a failed
    engine means not reviewed, never green. `skipped` are files that no engine could read. `base_sha` is the commit from
    which the head's own changes are counted.
    """

    head_sha: str
    findings: tuple[Finding, ...] = ()
    ran: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    base_sha: str = ""


class Verdict(Enum):
    """The outcome of a review; there is no outcome that means silence."""

    BLOCKED = "🔴"
    REMARKS = "🟡"
    GOOD = "🟢"
    NOT_REVIEWED = "🔴 not reviewed"


def verdict(findings: Iterable[Finding], *, failed: bool) -> Verdict:
    """The most severe finding decides; a failed run is never green, whatever it found."""
    levels = {finding.effective_level for finding in findings}
    if Level.RED in levels:
        return Verdict.BLOCKED
    if failed:
        return Verdict.NOT_REVIEWED
    return Verdict.REMARKS if Level.YELLOW in levels else Verdict.GOOD


@dataclass(frozen=True, slots=True)
class ReplyLine:
    """A line about the actions with the keys in `after`: once all are done, once one has failed, and before that."""

    done: str
    failed: str = ""
    waiting: str = ""
    after: tuple[str, ...] = ()
