"""`hive.yaml`: forges, operators, teams, lanes, bots, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from annotated_types import Ge, Le

from bots.types import AGENT_NAME, RESERVED_NAMES, Kind, Lane
from forge.types import Repo
from hive.codec import STRICT, Mistake
from hive.settings.marks import BadYaml, Document, Problem

EMBEDDED: Final = "embedded"
LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,38}[A-Za-z0-9])?")
MODULE = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
SERVER_TOOL = re.compile(r"[a-z]+(?:_[a-z]+)*")
QUEUE = re.compile(r"redis://[A-Za-z0-9.\-\[\]:]+(?:/\d+)?|unix:///[^?\s@]+")
PACKAGES_PATH: Final = (
    *("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/go/bin", "/usr/local/cargo/bin", "/usr/lib/go/bin"),
    *("/run/current-system/sw/bin", "/nix/var/nix/profiles/default/bin"),
)
Port = Annotated[int, Ge(0), Le(65535)]


@dataclass(frozen=True, slots=True)
class ForgeSettings:
    """A forge that the hive lives on; `embedded` ones are started by `hive up` itself."""

    url: str
    kind: Literal["embedded", "forgejo", "gitea"] = "forgejo"
    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where deliveries are received; `url` is how the forge reaches it, if that differs."""

    host: str = "127.0.0.1"
    port: Port = 8077
    url: str = ""
    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model thinks; `url` is empty for the real one, whose key is in `ANTHROPIC_API_KEY`.

    `allowed` are the models that an agent's configuration may name beside `name`.
    `server_tools` run at the model's provider: each is a network for agents that have none.
    """

    name: str = "claude-sonnet-5-5"
    url: str = ""
    allowed: tuple[str, ...] = ("claude-fable-5-2", "claude-haiku-5-5", "claude-opus-5-5", "claude-sonnet-5-5")
    server_tools: tuple[str, ...] = ()
    __pydantic_config__: ClassVar = STRICT

    @property
    def known(self) -> tuple[str, ...]:
        """Every model that an agent may think with."""
        return tuple(dict.fromkeys((self.name, *self.allowed)))


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that no agent's own configuration can raise.

    `workers` looks may be under way at once, of one team or one bot so many at the most (0: no bound of its own).
    `machine_depth`, `machine_looks` and `writes` are how far machines may go on one subject before it is stopped: `hive.loops.Bounds`.
    A loop that finishes nothing for `late_seconds` is said to be late by `/healthz`. A container that crashed `crashes` times
    within `crash_minutes` stays down. `calls_a_minute` are an agent's, on both of its sockets.
    """

    steps: Annotated[int, Ge(1), Le(500)] = 60
    minutes: Annotated[int, Ge(1), Le(240)] = 30
    bot_turns: Annotated[int, Ge(1), Le(20)] = 3
    workers: Annotated[int, Ge(1), Le(64)] = 4
    looks_of_team: Annotated[int, Ge(0), Le(64)] = 0
    looks_of_bot: Annotated[int, Ge(0), Le(64)] = 0
    machine_depth: Annotated[int, Ge(2), Le(1000)] = 24
    machine_looks: Annotated[int, Ge(2), Le(10000)] = 60
    writes: Annotated[int, Ge(2), Le(10000)] = 60
    late_seconds: Annotated[int, Ge(1), Le(86400)] = 300
    calls_a_minute: Annotated[int, Ge(60), Le(1_000_000)] = 1200
    crashes: Annotated[int, Ge(1), Le(1000000)] = 3
    crash_minutes: Annotated[int, Ge(1), Le(1440)] = 10
    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class Keep:
    """For how long, or how much of, what is over is kept; `hive gc` and the hive itself, once a day, take the rest away.

    `generations` are those of an agent's configuration beside the ones in use, `disk_percent` is when operators are told.
    """

    generations: Annotated[int, Ge(0), Le(1000)] = 3
    run_days: Annotated[int, Ge(0), Le(36500)] = 7
    mirror_days: Annotated[int, Ge(1), Le(36500)] = 30
    row_days: Annotated[int, Ge(1), Le(36500)] = 180
    log_megabytes: Annotated[int, Ge(1), Le(100_000)] = 20
    disk_percent: Annotated[int, Ge(1), Le(100)] = 85
    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """A field of work and the agent in it."""

    agent: str
    label: str = ""
    words: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class TeamSettings:
    """A team: it bears the name of a forge organisation, and these are its people and its work."""

    forge: str
    operators: tuple[str, ...]
    repos: tuple[str, ...]
    agents: tuple[str, ...]
    lanes: dict[str, LaneSettings]
    kinds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    __pydantic_config__: ClassVar = STRICT

    def lane_list(self) -> tuple[Lane, ...]:
        """The lanes as bots know them; the first one takes what fits nowhere."""
        return tuple(
            Lane(name, lane.agent, lane.label or f"area/{name}", lane.words, lane.paths)
            for name, lane in self.lanes.items()
        )

    def kind_list(self) -> tuple[Kind, ...]:
        """The kinds of issue as bots know them; the last one is what nothing else fits."""
        return tuple(Kind(label, words) for label, words in self.kinds.items())


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `hive.yaml`. `accounts` says under which login a bot speaks; `core` is needed."""

    forges: dict[str, ForgeSettings]
    teams: dict[str, TeamSettings]
    state: Path = Path("/var/lib/hive")
    web: WebSettings = WebSettings()
    model: ModelSettings = ModelSettings()
    limits: Limits = Limits()
    accounts: dict[str, str] = field(default_factory=lambda: {"core": "core", "triage": "triage", "review": "argus"})
    bots: tuple[str, ...] = ("bots.triage", "bots.commands", "bots.lane", "bots.review", "bots.gatekeeper")
    configs: str = "agent-configs"
    meta: str = "hive/meta"
    sweep_seconds: Annotated[int, Ge(1), Le(3600)] = 60
    queue: str = ""
    """Where nudges are carried: empty for a file, `redis://HOST:PORT/N` or `unix:///PATH` for a Redis."""
    keep_days: Annotated[int, Ge(1), Le(36500)] = 30
    """For how long what a forge sent and what bots were told is kept, word for word."""
    keep: Keep = Keep()
    packages_path: tuple[str, ...] = PACKAGES_PATH
    """Where the packages of agents are looked for on this host, in this order; it has to be where containers see it."""
    home: Path = Path()
    """The directory of the file: bots of one's own lie beside it. Not a key of the file."""

    __pydantic_config__: ClassVar = STRICT

    def account(self, bot: str) -> str:
        """The login that speaks for a bot."""
        return self.accounts.get(bot, self.accounts["core"])

    @property
    def own_forges(self) -> tuple[str, ...]:
        """The forges that `hive up` runs, whose state is kept beside the hive's."""
        return tuple(name for name, forge in self.forges.items() if forge.kind == EMBEDDED)

    def team_of(self, repo: Repo) -> str | None:
        """The team that a repository belongs to, configuration repositories included."""
        for name, team in self.teams.items():
            if repo.forge == team.forge and (
                (repo.owner == name and repo.name in team.repos)
                or (repo.owner == self.configs and repo.name in team.agents)
            ):
                return name
        return None

    def repos_of(self, team: str) -> list[Repo]:
        """The repositories that a team's bots look at, configuration repositories last."""
        mine = self.teams[team]
        work = [Repo(mine.forge, team, name) for name in mine.repos]
        return work + [Repo(mine.forge, self.configs, agent) for agent in mine.agents]


def load(path: Path) -> Settings:
    """Read a configuration file; raises BadYaml with every mistake, OSError if it cannot be read.

    A relative `state` counts from the file's directory.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadYaml([Problem(str(path), 1, 1, "is not UTF-8 text")]) from error
    document = Document(str(path), text)
    settings = document.read(Settings, more=list(_mistakes(document.data)))
    home = path.parent.resolve()
    return replace(settings, state=(home / settings.state).resolve(), home=home)


def _mistakes(data: Any) -> Iterator[Mistake]:
    """What the shapes cannot tell, as far as the shapes are right."""
    root = _map(data)
    forges = _map(root.get("forges"))
    teams = _map(root.get("teams"))
    for name, forge in forges.items():
        yield from _bad_url(("forges", name, "url"), _map(forge).get("url"))
    queue = root.get("queue") or None
    if isinstance(queue, str) and not QUEUE.fullmatch(queue):
        yield Mistake(("queue",), "should be redis://HOST:PORT/N or unix:///PATH, without a password")
    yield from _bad_url(("model", "url"), _map(root.get("model")).get("url") or None)
    for index, tool in enumerate(_list(_map(root.get("model")).get("server_tools"))):
        if isinstance(tool, str) and not SERVER_TOOL.fullmatch(tool):
            yield Mistake(("model", "server_tools", index), "should be a tool's name without its date, as web_search")
    if "home" in root:
        yield Mistake(("home",), "nobody reads this key", at_key=True)
    if root.get("teams") == {}:
        yield Mistake(("teams",), "should name at least one team")
    taken: dict[str, str] = {}
    for name, team in teams.items():
        yield from _team(str(name), _map(team), forges, taken)
    accounts = root.get("accounts")
    if isinstance(accounts, Mapping) and "core" not in accounts:
        yield Mistake(("accounts",), "should name `core`, the account of the hive itself")
    for index, bot in enumerate(_list(root.get("bots"))):
        if isinstance(bot, str) and not MODULE.fullmatch(bot):
            yield Mistake(("bots", index), f"should be a Python module such as bots.triage (it is {bot!r})")


def _team(name: str, team: Mapping[str, Any], forges: Mapping[str, Any], taken: dict[str, str]) -> Iterator[Mistake]:
    place = ("teams", name)
    if not LOGIN.fullmatch(name):
        yield Mistake(place, "a team bears the name of a forge organisation", at_key=True)
    forge = team.get("forge")
    if isinstance(forge, str) and forge not in forges:
        yield Mistake((*place, "forge"), f"should be one of {', '.join(forges) or 'the forges'} (it is {forge!r})")
    if team.get("operators") == []:
        yield Mistake((*place, "operators"), "should name at least one login: nobody could approve")
    agents = [str(agent) for agent in _list(team.get("agents"))]
    for index, agent in enumerate(agents):
        yield from _agent((*place, "agents", index), agent, name, taken)
    for index, operator in enumerate(_list(team.get("operators"))):
        if str(operator) in agents:
            yield Mistake((*place, "operators", index), f"{operator!r} is an agent; an agent is never an operator")
    if team.get("lanes") == {}:
        yield Mistake((*place, "lanes"), "should hold at least one lane")
    for lane, wants in _map(team.get("lanes")).items():
        worker = _map(wants).get("agent")
        if isinstance(worker, str) and worker not in agents:
            options = ", ".join(agents) or "the team's agents"
            yield Mistake((*place, "lanes", lane, "agent"), f"should be one of {options} (it is {worker!r})")


def _agent(place: tuple[str | int, ...], agent: str, team: str, taken: dict[str, str]) -> Iterator[Mistake]:
    if not AGENT_NAME.fullmatch(agent):
        rule = "should be 1 to 9 small letters and digits, a letter first: a container's name is short"
        yield Mistake(place, f"{rule} (it is {agent!r})")
    elif agent in RESERVED_NAMES:
        yield Mistake(place, f"{agent!r} is reserved; choose another name")
    elif agent in taken:
        yield Mistake(place, f"{agent!r} already works in team {taken[agent]!r}")
    taken.setdefault(agent, team)


def _bad_url(place: tuple[str | int, ...], url: Any) -> Iterator[Mistake]:
    if not isinstance(url, str):
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield Mistake(place, f"should be an address such as https://forge.example (it is {url!r})")
    elif parts.username or parts.password:
        yield Mistake(place, "should hold no password: secrets live in the state directory")


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
