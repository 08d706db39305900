"""Who may do what on the forge, as data: the least that each account needs. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

READ = {"repo.code": "read", "repo.issues": "read", "repo.pulls": "read"}
TALK = {"repo.code": "read", "repo.issues": "write", "repo.pulls": "write"}
PUSH = {"repo.code": "write", "repo.issues": "write", "repo.pulls": "write"}

EVENTS = ("issues", "pull_request", "push", "create", "delete", "repository")
"""What an organisation's hook sends; `issues` and `pull_request` include all of their kinds."""


CHECKS = {False: "hive/review", True: "hive/eval"}
"""The status without which nothing is merged in a work repository, and in a configuration (True)."""


ROSTER_CHECK = "hive/roster"
"""The status of the bot that plans changes of the roster, without which none is merged."""


@dataclass(frozen=True, slots=True)
class TeamPermissions:
    """A team on the forge. `members` are names of accounts: `operators`, `agents`, or a bot's."""

    name: str
    permission: str
    units: dict[str, str] = field(default_factory=dict)
    members: tuple[str, ...] = ()


SWEEP = {"repo.releases": "read"}
"""What only the poller reads: a real forge answers 403 to a list of releases without it."""

OPERATORS = TeamPermissions("operators", "admin", members=("operators",))
CORE = TeamPermissions("core", "write", PUSH | SWEEP, ("core",))
BOTS = TeamPermissions("bots", "write", TALK, ("triage", "review"))

WORK = (OPERATORS, CORE, BOTS, TeamPermissions("agents", "write", PUSH, ("agents",)))
"""Teams of an organisation in which agents work. Protected branches keep everybody but operators out of `main`."""

CONFIGS = (OPERATORS, CORE, BOTS)
"""Teams of the organisation of configurations; an agent is a collaborator of its own repository only."""

META = (OPERATORS, CORE)
"""Teams of the hive's own organisation; agents read `knowledge` there, and nothing else."""

SCOPES: dict[str, tuple[str, ...]] = {
    "core": ("write:repository", "write:issue", "read:organization", "read:user"),
    "triage": ("write:issue", "read:repository", "read:user"),
    "review": ("write:repository", "write:issue", "read:user"),
    "agents": ("write:repository", "write:issue", "read:user"),
}
"""Scopes of each account's token; submitting a review needs `write:repository`."""

BOUND = ("write:repository", "write:issue")
"""Scopes of an agent's token where a forge binds tokens to repositories; more are not allowed with that."""
