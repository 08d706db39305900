"""`hive.yaml`: forges, operators, teams, lanes, bots, limits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from annotated_types import Ge, Le

from bots.types import Kind, Lane
from forge.types import Repo
from hive.codec import STRICT
from hive.settings.loader import MAX_BYTES
from hive.settings.marks import BadYaml, Document, Problem
from hive.settings.sense import DEFAULT_ACCOUNTS, mistakes

EMBEDDED: Final = "embedded"
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
    """A field of work, the agent in it, and those of the team's operators who are called there; all, if none is named."""

    agent: str
    label: str = ""
    words: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
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
            Lane(name, lane.agent, lane.label or f"area/{name}", lane.words, lane.paths, lane.operators)
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
    accounts: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_ACCOUNTS))
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
    sandbox: Literal["bubblewrap", "none"] = "bubblewrap"
    """What confines agents; with `none` they are plain processes that may all that the hive may."""
    ca_file: str = ""
    """An authority of one's own, in PEM form: believed beside the public ones for forges (REST and git), the model and webhooks."""
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
        """The team that a repository belongs to, configuration repositories included, however its name is spelt."""
        return next((name for name in self.teams if repo in self.repos_of(name)), None)

    def spelt(self, repo: Repo) -> Repo:
        """A repository as this configuration writes its name: `Acme/App` of the forge is `acme/app` of the team `acme`."""
        ours = (mine for name in self.teams for mine in self.repos_of(name) if mine == repo)
        return next(ours, repo)

    def repos_of(self, team: str) -> list[Repo]:
        """The repositories that a team's bots look at, configuration repositories last."""
        mine = self.teams[team]
        work = [Repo(mine.forge, team, name) for name in mine.repos]
        return work + [Repo(mine.forge, self.configs, agent) for agent in mine.agents]


def load(path: Path) -> Settings:
    """Read a configuration file; raises BadYaml with every mistake, OSError if it cannot be read.

    A relative `state` counts from the file's directory.
    """
    if path.exists() and not path.is_file():
        raise BadYaml([Problem(str(path), 1, 1, "is a directory, not a file" if path.is_dir() else "is no file")])
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadYaml([Problem(str(path), 1, 1, "is not UTF-8 text")]) from error
    document = Document(str(path), text)
    settings = document.read(Settings, more=list(mistakes(document.data)))
    home = path.parent.resolve()
    return replace(settings, state=(home / settings.state).resolve(), home=home)
