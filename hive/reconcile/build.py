"""An agent's declaration becomes an artifact: a directory that a container is made from.

    agents/<name>/gens/<sha>/agent.json    what the agent is
    agents/<name>/gens/<sha>/bin/          the commands of its packages, as links

The container's PATH holds nothing else: what is not declared is not there. Building runs nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bots.types import AgentSpec
from hive.settings import BadYaml, Limits, read_agent
from hive.workspace import Mirror

DECLARATION = "agent.yaml"
PROMPT = "prompts/role.md"
MAX_BYTES = 64 * 1024

_COREUTILS = (
    "base64 basename cat chmod cp cut date dirname echo env expr false head id ln ls mkdir mktemp mv nproc printf pwd"
    " readlink realpath rm rmdir seq sha256sum sleep sort split stat tail tee test timeout touch tr true uname uniq wc"
)

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "bash": ("bash", "sh"),
    "coreutils": tuple(_COREUTILS.split()),
    "diffutils": ("cmp", "diff"),
    "findutils": ("find", "xargs"),
    "gawk": ("awk",),
    "git": ("git",),
    "grep": ("grep",),
    "gzip": ("gunzip", "gzip", "zcat"),
    "make": ("make",),
    "patch": ("patch",),
    "python3": ("python3",),
    "sed": ("sed",),
    "tar": ("tar",),
    "unzip": ("unzip",),
    "xz": ("xz", "unxz"),
    "zip": ("zip",),
}
"""Packages and their commands; any other name stands for the one command of that name."""

BASE = ("bash", "coreutils", "diffutils", "findutils", "git", "grep", "python3", "sed")
"""What every container has: enough to read, change, check and push a repository."""


class BuildFailed(Exception):
    """The declaration cannot become a container; `problems` are sentences for people."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a declaration asks of this host: the agent, and where its commands are."""

    spec: AgentSpec
    commands: tuple[tuple[str, str], ...]


def plan(name: str, mirror: Mirror, tree: str, limits: Limits) -> Plan:
    """Read a declaration from a commit or tree; raises BuildFailed with every problem."""
    text = _text(mirror, tree, DECLARATION)
    if text is None:
        raise BuildFailed([f"{DECLARATION}:1:1: there is no such file"])
    try:
        spec = read_agent(name, text)
    except BadYaml as error:
        raise BuildFailed(map(str, error.problems)) from error
    problems = []
    for what, wanted, bound in (("max_steps", spec.max_steps, limits.steps), ("minutes", spec.minutes, limits.minutes)):
        if wanted > bound:
            problems.append(f"{DECLARATION}: {what}: the host allows {bound} at the most (it is {wanted})")
    commands: dict[str, str] = {}
    for package in dict.fromkeys((*BASE, *spec.packages)):
        found = resolve(package)
        if not found:
            problems.append(f"{DECLARATION}: packages: this host has no {package!r}")
        commands |= found
    if problems:
        raise BuildFailed(problems)
    prompt = _text(mirror, tree, PROMPT) or spec.prompt
    return Plan(replace(spec, prompt=prompt), tuple(sorted(commands.items())))


def resolve(package: str) -> dict[str, str]:
    """The commands of a package that this host has, and the real files behind them."""
    found = {}
    for command in PACKAGES.get(package, (package,)):
        if command == "python3":
            found[command] = interpreter()
        elif (
            path := shutil.which(command, path=os.defpath + ":/usr/local/bin:/run/current-system/sw/bin")
        ) is not None:
            found[command] = path if Path(path).resolve().name == "busybox" else str(Path(path).resolve())
    return found


def interpreter() -> str:
    """The Python that this process runs on, outside of any virtual environment."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidate = Path(sys.base_prefix) / "bin" / version
    return str(candidate.resolve() if candidate.exists() else Path(sys.executable).resolve())


def build(made: Plan, sha: str, gens: Path) -> Path:
    """Make the artifact of a commit, whole or not at all; one that is there is taken as it is."""
    final = gens / sha
    if final.exists():
        return final
    draft = gens / f".{sha}.new"
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "bin").mkdir(parents=True)
    for command, path in made.commands:
        (draft / "bin" / command).symlink_to(path)
    spec = {**asdict(made.spec), "generation": sha, "env": dict(made.spec.env)}
    (draft / "agent.json").write_text(json.dumps(spec, indent=1, sort_keys=True) + "\n")
    draft.rename(final)
    return final


def environment(artifact: Path) -> dict[str, str]:
    """The variables that an artifact's agent declared for itself."""
    env = json.loads((artifact / "agent.json").read_text())["env"]
    return {str(key): str(value) for key, value in env.items()}


def changes(old: Plan | None, new: Plan) -> tuple[str, ...]:
    """What a new declaration changes, in sentences."""
    if old is None:
        return (f"makes {new.spec.name}",)
    said = [f"adds {package}" for package in new.spec.packages if package not in old.spec.packages]
    said += [f"removes {package}" for package in old.spec.packages if package not in new.spec.packages]
    before, after = asdict(old.spec), asdict(new.spec)
    for key in ("lane", "role", "model", "max_steps", "minutes"):
        if before[key] != after[key]:
            said.append(f"{key}: {str(before[key]) or 'default'} → {str(after[key]) or 'default'}")
    if before["prompt"] != after["prompt"]:
        said.append("changes what the agent is told")
    if before["env"] != after["env"]:
        said.append("changes the environment: " + ", ".join(sorted(k for k, _ in {*old.spec.env} ^ {*new.spec.env})))
    return tuple(said)


def _text(mirror: Mirror, tree: str, path: str) -> str | None:
    content = mirror.file(tree, path)
    if content is None:
        return None
    if len(content) > MAX_BYTES:
        raise BuildFailed([f"{path}:1:1: is larger than {MAX_BYTES} bytes"])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BuildFailed([f"{path}:1:1: is not UTF-8 text"]) from error
