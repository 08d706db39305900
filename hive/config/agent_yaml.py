"""`agent.yaml`, an agent's own declaration, and `.hive.yaml`, what a repository asks of those who change it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, MaxLen

from bots.models import AgentSpec, Role
from bots.money import exactly
from hive.codec import STRICT, FieldError
from hive.config.costs import NO_BUDGET, AgentBudget
from hive.config.env_denylist import MAX_VALUE, MAX_VARIABLES, why_not
from hive.config.review_settings import REVIEW_DEFAULTS, ReviewSettings, review_errors
from hive.config.yaml_loader import shown
from hive.config.yaml_locations import Document

PACKAGE = re.compile(r"[a-z0-9][a-z0-9+._-]{0,63}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Engine = Literal["native", "claude-code", "command", "mechanic", "scripted"]
Capability = Literal["ask", "comment", "config_request", "logs", "open_pr", "status", "update_pr"]
EVERYDAY: tuple[Capability, ...] = ("ask", "comment", "config_request", "open_pr", "status", "update_pr")

HOST_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("cpus", "disk_mb", "memory_mb", "processes"), "a limit of the host: `limits` of hive.yaml"),
    **dict.fromkeys(("disk", "limits", "memory", "ram", "timeout"), "of the host: `limits` of hive.yaml"),
    **dict.fromkeys(("network", "ports", "host", "proxy"), "of the host, and containers have no network"),
    **dict.fromkeys(("binds", "devices", "mounts", "paths", "volumes"), "of the host, which decides what a container sees"),
    **dict.fromkeys(("sandbox", "privileged", "user", "backend"), "of the host: `sandbox` of hive.yaml"),
    **dict.fromkeys(("inputs", "flake", "nixpkgs"), "of the host, which pins what systems are built from"),
    "packages_path": "of the host: `packages_path` of hive.yaml",
    **dict.fromkeys(("image", "root", "suite", "mirror"), "of the host: `root` of hive.yaml"),
    "operators": "of the team: `operators` in hive.yaml",
    "grants": "of the team: `grants` in hive.yaml",
    "deploy": "of the host: `deploy` of hive.yaml",
}  # fmt: skip
"""Keys that an agent cannot have, and whose they are."""

Check = Callable[[Mapping[str, Any]], Iterable[FieldError]]
"""Additional checks of a declaration; they must accept data of any shape."""


@dataclass(frozen=True, slots=True)
class AgentFile:
    """All of `agent.yaml`: what an agent asks for. A merged pull request on it rebuilds the container."""

    lane: str
    """The lane that it works in: one of the team's."""

    role: Role = Role.AGENT
    """What it is in its team; there is one `lead` and one `lorekeeper` at most."""

    model: str = ""
    """The model that it thinks with: `model.name` or one of `model.allowed` of `hive.yaml`; the former if empty."""

    engine: Engine = "native"
    """What works on its turns: the hive's own loop around a model, another program, or none that thinks (`mechanic`)."""

    command: Annotated[tuple[Annotated[str, MaxLen(4096)], ...], MaxLen(50)] = ()
    """The program of the engine `command` and its arguments: it reads the task from its input and works in the work tree."""

    capabilities: tuple[Capability, ...] = EVERYDAY
    """What it may ask of the hive beside its work. `logs` adds the log lines of other agents."""

    packages: Annotated[tuple[str, ...], MaxLen(100)] = ()
    """Commands beyond the usual ones, by the name of their program in `packages_path`."""

    env: Annotated[dict[str, str], MaxLen(MAX_VARIABLES)] = field(default_factory=dict)
    """Variables of its commands, each one line; none that steers a loader, a shell, an interpreter, git or TLS."""

    max_steps: Annotated[int, Ge(1), Le(500)] = 40
    """Steps of one turn, within `limits.steps`."""

    minutes: Annotated[int, Ge(1), Le(240)] = 20
    """Minutes of one turn, within `limits.minutes`."""

    depends_on: Annotated[tuple[str, ...], MaxLen(20)] = ()
    """Agents whose containers are rebuilt before its own when all are: agents of its team, and none that depends on it."""

    budget: AgentBudget = NO_BUDGET
    """Lower caps on what it may spend than those of `hive.yaml`."""

    health: Annotated[str, MaxLen(4096)] = ""
    """A command that has to succeed before a new configuration counts as running, such as `pytest --version`: in the container, as
    the agent's own commands run, within 20 seconds. If it fails, what ran before comes back."""

    prompt: str = ""
    """The default prompt, used without `prompts/role.md`."""

    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """All of `.hive.yaml`, at the root of a repository in which agents work."""

    checks: Annotated[tuple[Annotated[str, MaxLen(4096)], ...], MaxLen(50)] = ()
    """Commands that have to pass before an agent may push; read from the default branch, and run on a clean copy of the commit."""

    max_files: Annotated[int, Ge(0), Le(100_000)] | None = None
    """Files that a change of an agent may touch; 0 sets no limit. Without it, `limits.change_files` of the hive counts."""

    max_lines: Annotated[int, Ge(0), Le(10_000_000)] | None = None
    """Lines that a change of an agent may add and remove; 0 sets no limit. Without it, `limits.change_lines` of the hive counts."""

    review: ReviewSettings = REVIEW_DEFAULTS
    """How pull requests are reviewed; read from the base branch of each."""

    __pydantic_config__: ClassVar = STRICT


def read_agent(name: str, text: str, *, check: Check | None = None) -> AgentSpec:
    """Read the `agent.yaml` of an agent; raises BadYaml with all errors, including those of `check`."""
    document = Document("agent.yaml", text)
    data = document.data if isinstance(document.data, dict) else {}
    agent = document.read(AgentFile, more=[*_field_errors(data), *(check(data) if check else ())])
    return AgentSpec(
        name=name,
        lane=agent.lane,
        role=agent.role,
        model=agent.model,
        packages=agent.packages,
        env=tuple(sorted(agent.env.items())),
        max_steps=agent.max_steps,
        minutes=agent.minutes,
        prompt=agent.prompt,
        engine=agent.engine,
        command=agent.command,
        health=agent.health,
        capabilities=agent.capabilities,
        depends_on=agent.depends_on,
        budget=tuple((name, exactly(cap)) for name, cap in asdict(agent.budget).items() if cap != "none"),
    )


def read_repository(text: str) -> RepositoryFile:
    """What a repository asks of those who change it, from its `.hive.yaml`; raises BadYaml."""
    document = Document(".hive.yaml", text)
    data = document.data if isinstance(document.data, dict) else {}
    return document.read(RepositoryFile, more=list(review_errors(data.get("review"))))


def read_checks(text: str) -> tuple[str, ...]:
    """The commands that must pass before a change of a repository is pushed, from its `.hive.yaml`."""
    return read_repository(text).checks


def _field_errors(data: Mapping[str, Any]) -> Iterator[FieldError]:
    for key in data:
        if key in HOST_KEYS:
            yield FieldError((key,), f"no agent decides this; it is {HOST_KEYS[key]}", at_key=True)
    if data.get("engine") == "command" and not data.get("command"):
        yield FieldError(("engine",), "needs `command`: the program and its arguments")
    if data.get("command") and data.get("engine") != "command":
        yield FieldError(("command",), "is for `engine: command` only", at_key=True)
    yield from package_errors(data.get("packages"))
    yield from environment_errors(data.get("env"))


def package_errors(packages: Any) -> Iterator[FieldError]:
    """What is wrong with names of packages, whatever their shape is."""
    for index, package in enumerate(packages if isinstance(packages, list) else []):
        if isinstance(package, str) and not PACKAGE.fullmatch(package):
            yield FieldError(("packages", index), f"should be the name of a package (it is {shown(package)})")


def environment_errors(env: Any) -> Iterator[FieldError]:
    """What is wrong with variables, whatever their shape is."""
    for key, value in env.items() if isinstance(env, dict) else ():
        if reason := why_not(key):
            yield FieldError(("env", key), reason, at_key=True)
        if isinstance(value, str) and CONTROL.search(value):
            yield FieldError(("env", key), "should be one line of text, without control characters")
        elif isinstance(value, str) and len(value) > MAX_VALUE:
            yield FieldError(("env", key), f"should have at most {MAX_VALUE} characters (it has {len(value)})")
