"""`agent.yaml`, an agent's own declaration, and `.hive.yaml`, what a repository asks of those who change it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le

from bots.types import AgentSpec, Role
from hive.codec import STRICT, Mistake
from hive.settings.marks import Document

PACKAGE = re.compile(r"[a-z0-9][a-z0-9+._-]{0,63}")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
OWN_VARIABLES = ("HIVE_", "GIT_", "LD_", "PYTHON", "PATH", "HOME", "ANTHROPIC_")


@dataclass(frozen=True, slots=True)
class _Agent:
    lane: str
    role: Role = Role.AGENT
    model: str = ""
    packages: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    max_steps: Annotated[int, Ge(1), Le(500)] = 40
    minutes: Annotated[int, Ge(1), Le(240)] = 20
    prompt: str = ""
    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class _Checks:
    checks: tuple[str, ...] = ()
    __pydantic_config__: ClassVar = STRICT


def read_agent(name: str, text: str) -> AgentSpec:
    """Read the `agent.yaml` of an agent; raises BadYaml with every mistake."""
    document = Document("agent.yaml", text)
    agent = document.read(_Agent, more=_mistakes(document.data))
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
    )


def read_checks(text: str) -> tuple[str, ...]:
    """The commands that must pass before a change of a repository is pushed, from its `.hive.yaml`."""
    return Document(".hive.yaml", text).read(_Checks).checks


def _mistakes(data: Any) -> list[Mistake]:
    if not isinstance(data, dict):
        return []
    found = []
    packages = data.get("packages")
    for index, package in enumerate(packages if isinstance(packages, list) else []):
        if isinstance(package, str) and not PACKAGE.fullmatch(package):
            found.append(Mistake(("packages", index), f"should be the name of a package (it is {package!r})"))
    env = data.get("env")
    for key in env if isinstance(env, dict) else {}:
        if not VARIABLE.fullmatch(str(key)):
            found.append(Mistake(("env", str(key)), "should be in capital letters, digits and _", at_key=True))
        elif str(key).startswith(OWN_VARIABLES):
            found.append(Mistake(("env", str(key)), "belongs to the container itself", at_key=True))
    return found
