"""Builds an artifact from an agent's declaration: a directory from which a container is started.

agents/<name>/gens/<sha>/agent.json    the agent's settings
agents/<name>/gens/<sha>/bin/          the commands of its packages, as links

The container's PATH holds nothing else. Building runs nothing. A declaration is checked against this host, and against
the team if that is known.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from bots.models import AgentSpec, Role
from bots.money import dollars
from hive.agent.engines import scripted
from hive.codec import FieldError
from hive.config import PACKAGES_PATH, BadYaml, Limits, base_yaml, likeliest, nearest, read_agent
from hive.config.agent_yaml import PACKAGE
from hive.config.base_yaml import NO_BASE, Base
from hive.config.costs import OF_AGENTS
from hive.config.roots import wrong_names
from hive.config.yaml_loader import shown
from hive.git_mirror.mirror import FileTooLarge, Mirror
from hive.reconcile.rebuild_order import dependency_errors

DECLARATION = "agent.yaml"
PROMPT = "prompts/role.md"
SETTINGS = "agent.json"
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


UNIQUE_ROLES = frozenset({Role.LEAD, Role.LOREKEEPER})
"""Roles that one agent of a team has at the most."""

SEEN = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store")
"""What a container sees of this host's programs; a command that lies elsewhere is not there for it."""


_BELOW_SEEN = tuple(f"{directory}/" for directory in SEEN)


Find = Callable[[str], Mapping[str, str]]
"""Asks for the commands of a package, as `resolve` does."""


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
    replies: str = ""
    """The script of the engine `scripted`."""

    base: Base = NO_BASE
    """What every container holds beside it; its commands are among those."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages of the base, and the agent's own."""
        return (*self.base.packages, *self.spec.packages)


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What a declaration may refer to: the team's lanes, the configured models, and other agents by unique role."""

    lanes: tuple[str, ...]
    models: tuple[str, ...]
    holders: Callable[[], Mapping[str, str]] = dict
    """Which other agent has a role that one agent of a team has at the most: `lead`, `lorekeeper`. Asked if need be."""

    caps: Mapping[str, float] = field(default_factory=dict)
    """The caps of `hive.yaml` that an agent's own are within, in dollars by its names for them."""

    agents: tuple[str, ...] = ()
    """The agents of the team, the one whose declaration it is among them."""

    dependencies: Callable[[], Mapping[str, tuple[str, ...]]] = dict
    """Which agents the others of the team depend on. Asked if need be."""


def plan(
    name: str,
    mirror: Mirror,
    tree: str,
    limits: Limits,
    *,
    packages_path: Sequence[str] = PACKAGES_PATH,
    known: KnownNames | None = None,
    base: Base = NO_BASE,
) -> Plan:
    """Read a declaration from a commit or tree, to be built on a base; raises BuildFailed with all problems.

    Without `packages_path` its programs are not this host's: packages are names of a distribution, and what it has is not known here.
    """
    texts = _texts(mirror, tree, DECLARATION, PROMPT)
    text = texts.get(DECLARATION)
    if text is None:
        raise BuildFailed([f"{DECLARATION}:1:1: there is no such file"])
    path = tuple(packages_path)
    find = cache(partial(resolve, path=path))

    def check(data: Mapping[str, Any]) -> Iterator[FieldError]:
        yield from _beyond(data, limits)
        yield from _missing(data, path, find) if path else _misnamed(data)
        yield from _unknown(name, data, known) if known is not None else ()

    try:
        spec = read_agent(name, text, check=check)
    except BadYaml as error:
        raise BuildFailed(map(str, error.problems)) from error
    if absent := missing_of(base, path):
        raise BuildFailed(absent)
    commands = [find(package) for package in (*BASE, *base.packages, *spec.packages) if path]
    prompt = texts.get(PROMPT) or spec.prompt
    found = {command: file for some in commands for command, file in some.items()}
    replies = _script(mirror, tree) if spec.engine == "scripted" else ""
    return Plan(replace(spec, prompt=prompt), tuple(sorted(found.items())), replies, base)


def missing_of(base: Base, path: Sequence[str]) -> list[str]:
    """What of a base this host does not have where containers see it, in sentences."""
    where = f"in {', '.join(path)} (packages_path of hive.yaml), where containers see it"
    said = "{file}: packages: this host has no {name!r} {where}"
    absent = [package for package in base.packages if path and not resolve(package, path)]
    return [said.format(file=base_yaml.FILE, name=package, where=where) for package in absent]


def _script(mirror: Mirror, tree: str) -> str:
    """The replies that the engine `scripted` plays; raises BuildFailed."""
    text = _texts(mirror, tree, scripted.FILE).get(scripted.FILE)
    if text is None:
        raise BuildFailed([f"{scripted.FILE}:1:1: there is no such file, and `engine: scripted` plays it"])
    try:
        scripted.read(text)
    except ValueError as error:
        raise BuildFailed([f"{scripted.FILE}:1:1: {error}"]) from error
    return text


def _beyond(data: Mapping[str, Any], limits: Limits) -> Iterator[FieldError]:
    """What the host does not allow."""
    for what, bound in (("max_steps", limits.steps), ("minutes", limits.minutes)):
        wanted = data.get(what)
        if isinstance(wanted, int) and wanted > bound:
            yield FieldError((what,), f"the host allows {bound} at the most (it is {wanted})")


def _missing(data: Mapping[str, Any], path: Sequence[str], find: Find) -> Iterator[FieldError]:
    """What this host does not have."""
    for package in BASE:
        if not find(package):
            yield FieldError((), f"this host has no {package!r}, which every container needs, in {', '.join(path)}")
    wanted = data.get("packages")
    for index, package in enumerate(wanted if isinstance(wanted, list) else []):
        if not isinstance(package, str) or not PACKAGE.fullmatch(package) or find(package):
            continue
        place = ("packages", index)
        if hidden := shutil.which(package, path=os.pathsep.join(path)):
            yield FieldError(
                place, f"{package!r} is {_real(hidden)} on this host, and containers see {', '.join(SEEN)} only"
            )
        else:
            where = f"this host has no {package!r} in {', '.join(path)} (packages_path of hive.yaml)"
            yield FieldError(place, where + likeliest(package, (*PACKAGES, *_programs(path))))


def _misnamed(data: Mapping[str, Any]) -> Iterator[FieldError]:
    """What no distribution can have."""
    wanted = data.get("packages")
    return wrong_names(("packages",), wanted if isinstance(wanted, list) else [])


def _unknown(name: str, data: Mapping[str, Any], known: KnownNames) -> Iterator[FieldError]:
    """References in a declaration that are unknown."""
    yield from dependency_errors(name, data.get("depends_on"), known.agents, known.dependencies)
    lane, model, role = data.get("lane"), data.get("model"), data.get("role")
    if isinstance(lane, str) and lane not in known.lanes:
        yield FieldError(("lane",), f"the team has no lane {shown(lane)}{nearest(lane, known.lanes)}")
    if isinstance(model, str) and model and model not in known.models:
        said = f"model.allowed of hive.yaml does not name {shown(model)}{nearest(model, known.models)}"
        yield FieldError(("model",), said)
    own = data.get("budget")
    for cap, bound in known.caps.items():
        wanted = own.get(cap) if isinstance(own, dict) else None
        if isinstance(wanted, int | float) and not isinstance(wanted, bool) and wanted > bound:
            yield FieldError(
                ("budget", cap), f"budget.{OF_AGENTS[cap]} of hive.yaml allows {bound:g} at the most (it is {wanted})"
            )
    if role in UNIQUE_ROLES and (holder := known.holders().get(role)) is not None:
        yield FieldError(("role",), f"{holder} is the {role} of this team, and there is one at the most")


def resolve(package: str, path: Sequence[str] = PACKAGES_PATH) -> dict[str, str]:
    """The commands of a package that this host has where containers see them, and the real files behind them."""
    found = {}
    for command in PACKAGES.get(package, (package,)):
        if command == "python3":
            found[command] = interpreter()
        elif file := shutil.which(command, path=os.pathsep.join(path)):
            real = _real(file)
            if real.startswith(_BELOW_SEEN):
                found[command] = file if real.endswith("/busybox") else real
    return found


def _real(file: str) -> str:
    return os.path.realpath(file)


def _programs(path: Sequence[str]) -> set[str]:
    """The names of all programs on a path."""
    found: set[str] = set()
    for directory in path:
        with contextlib.suppress(OSError):
            found.update(file.name for file in Path(directory).iterdir())
    return found


def interpreter() -> str:
    """The Python that this process runs on, outside of any virtual environment."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidate = Path(sys.base_prefix) / "bin" / version
    return str(candidate.resolve() if candidate.exists() else Path(sys.executable).resolve())


def build(made: Plan, sha: str, gens: Path) -> Path:
    """Build the artifact of a commit, completely or not at all; an existing one is reused."""
    final = gens / sha
    if final.exists():
        return final
    draft = gens / f".{sha}.new"
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "bin").mkdir(parents=True)
    for command, path in made.commands:
        (draft / "bin" / command).symlink_to(path)
    if made.replies:
        (draft / scripted.FILE).write_text(made.replies)
    with (draft / SETTINGS).open("w") as file:
        file.write(json.dumps(settings(made, sha), indent=1, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(final)
    return final


def settings(made: Plan, sha: str) -> dict[str, Any]:
    """What `agent.json` of an artifact holds."""
    return {**asdict(made.spec), "generation": sha, "env": {**dict(made.base.env), **dict(made.spec.env)}}


def environment(artifact: Path) -> dict[str, str]:
    """The variables that an artifact's agent declared for itself."""
    env = json.loads((artifact / SETTINGS).read_text())["env"]
    return {str(key): str(value) for key, value in env.items()}


def changes(old: Plan | None, new: Plan) -> tuple[str, ...]:
    """What a new declaration changes, in sentences."""
    if old is None:
        return (f"makes {new.spec.name}",)
    said = [f"adds {package}" for package in new.spec.packages if package not in old.spec.packages]
    said += [f"removes {package}" for package in old.spec.packages if package not in new.spec.packages]
    before, after = asdict(old.spec), asdict(new.spec)
    for key in ("lane", "role", "engine", "model", "max_steps", "minutes"):
        if before[key] != after[key]:
            said.append(f"{key}: {str(before[key]) or 'default'} → {str(after[key]) or 'default'}")
    if before["command"] != after["command"]:
        said.append("changes the command of its engine")
    if before["health"] != after["health"]:
        said.append("changes its health check")
    if set(old.spec.depends_on) != set(new.spec.depends_on):
        said.append(
            f"depends_on: {', '.join(old.spec.depends_on) or 'none'} → {', '.join(new.spec.depends_on) or 'none'}"
        )
    said += [f"allows {word}" for word in new.spec.capabilities if word not in old.spec.capabilities]
    said += [f"forbids {word}" for word in old.spec.capabilities if word not in new.spec.capabilities]
    caps = dict(old.spec.budget), dict(new.spec.budget)
    for name in sorted({*caps[0], *caps[1]}):
        was, becomes = (dollars(mine[name]) if name in mine else "no cap of its own" for mine in caps)
        said += [f"budget.{name}: {was} → {becomes}"] if was != becomes else []
    if before["prompt"] != after["prompt"]:
        said.append("changes what the agent is told")
    if old.replies != new.replies:
        said.append("changes the replies of its script")
    if before["env"] != after["env"]:
        said.append("changes the environment: " + ", ".join(sorted(k for k, _ in {*old.spec.env} ^ {*new.spec.env})))
    return tuple(said)


def _texts(mirror: Mirror, tree: str, *paths: str) -> dict[str, str]:
    """The texts of a tree at those of some paths where there are files; raises BuildFailed."""
    try:
        found = mirror.files(tree, paths, most=MAX_BYTES)
    except FileTooLarge as error:
        raise BuildFailed([f"{error.path}:1:1: is larger than {MAX_BYTES} bytes"]) from error
    texts = {}
    for path, content in found.items():
        try:
            texts[path] = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BuildFailed([f"{path}:1:1: is not UTF-8 text"]) from error
    return texts
