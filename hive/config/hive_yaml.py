"""`hive.yaml`: forges, operators, teams, lanes, bots, limits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from annotated_types import Ge, Le

from bots.models import IssueKind, Lane
from forge.models import Repo
from hive.codec import STRICT
from hive.config.costs import DEFAULT_BUDGET, BudgetSettings
from hive.config.freeze import DEFAULT_DEPLOY, DeploySettings
from hive.config.limits import DEFAULT_LIMITS, Limits
from hive.config.models import ModelSettings
from hive.config.name_claims import DEFAULT_ACCOUNTS
from hive.config.protected_paths import PROTECTED
from hive.config.reviewer import DEFAULT_REVIEWER, ReviewerSettings
from hive.config.roots import HOSTS_PROGRAMS, RootSettings
from hive.config.triage import DEFAULT_TRIAGE, TriageSettings
from hive.config.upgrade import DEFAULT_UPGRADE, UpgradeSettings
from hive.config.validation import field_errors
from hive.config.yaml_loader import MAX_BYTES
from hive.config.yaml_locations import BadYaml, Document, Problem

DEFAULT_BOTS = (
    *("bots.triage", "bots.commands", "bots.lane", "bots.wakes", "bots.ready_queue", "bots.corrections"),
    *("bots.gatekeeper", "bots.roster", "bots.review", "bots.reviewers"),
)
EMBEDDED: Final = "embedded"
OPS: Final = "ops"
"""The repository, beside `meta`, where people ask things of the hive."""

PACKAGES_PATH: Final = (
    *("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/go/bin", "/usr/local/cargo/bin", "/usr/lib/go/bin"),
    *("/run/current-system/sw/bin", "/nix/var/nix/profiles/default/bin"),
)
Port = Annotated[int, Ge(0), Le(65535)]


@dataclass(frozen=True, slots=True)
class ForgeSettings:
    """A forge that the hive lives on."""

    url: str
    """Address of the forge, without a password: `https://forge.example`."""

    kind: Literal["embedded", "forgejo", "gitea"] = "forgejo"
    """Which software it is; `embedded` is the small forge for trying out, which `hive up` starts itself."""

    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The receiver of webhooks."""

    host: str = "127.0.0.1"
    """Host name or address that it listens on."""

    port: Port = 8077
    """Port that it listens on."""

    url: str = ""
    """Address under which the forge reaches it, if that is not `http://HOST:PORT`."""

    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class Keep:
    """Retention: `hive gc`, and the hive itself once a day, delete the rest."""

    generations: Annotated[int, Ge(0), Le(1000)] = 3
    """Built configurations of an agent, beside those in use."""

    run_days: Annotated[int, Ge(0), Le(36500)] = 7
    """Days that the work tree of a run is kept after its end."""

    mirror_days: Annotated[int, Ge(1), Le(36500)] = 30
    """Days that a clone on the host is kept after its last use."""

    row_days: Annotated[int, Ge(1), Le(36500)] = 180
    """Days that rows of the ledger are kept, the audit log among them; never fewer than `keep_days`."""

    review_days: Annotated[int, Ge(1), Le(36500)] = 30
    """Days that the rounds of a review, and its reviewed heads, are kept after the pull request was closed."""

    log_megabytes: Annotated[int, Ge(1), Le(100_000)] = 20
    """Size of each process' log in MB; beyond it the older half is deleted."""

    disk_percent: Annotated[int, Ge(1), Le(100)] = 85
    """How full the disk may be, in percent, before the operators get an issue."""

    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """A lane: a field of work, and the agent who does it."""

    agent: str
    """The agent to whom issues of this lane are assigned; one of the team's `agents`."""

    label: str = ""
    """Label of its issues; `area/NAME` if empty."""

    words: tuple[str, ...] = ()
    """Words that route an issue here."""

    paths: tuple[str, ...] = ()
    """Patterns of files, as `site/*`, that route an issue here which names such a file."""

    operators: tuple[str, ...] = ()
    """Operators who are asked about its work; all of the team's if none is named."""

    __pydantic_config__: ClassVar = STRICT


@dataclass(frozen=True, slots=True)
class TeamSettings:
    """A team, under the name of its organisation on the forge."""

    forge: str
    """The forge that it is on: a name of `forges`."""

    operators: tuple[str, ...]
    """Logins of the people whose merge is an approval and whose commands count. Never an agent."""

    repos: tuple[str, ...]
    """Repositories of the organisation in which agents work, without the owner."""

    agents: tuple[str, ...]
    """Its first agents: once `hive init` was run, the roster in `meta` counts. Each is an account, a container, and a repository in `configs`."""

    lanes: dict[str, LaneSettings]
    """Its first lanes, by name: once `hive init` was run, the roster in `meta` counts. The first one takes what fits no other."""

    kinds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Kinds of issue: a label, and the words that tell it. The last one takes what fits no other."""

    grants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Protected paths that an agent may push changes of, by agent: `iris: [/.github/workflows/]`."""

    __pydantic_config__: ClassVar = STRICT

    def lane_list(self) -> tuple[Lane, ...]:
        """The lanes as bots know them; the first one takes what fits nowhere."""
        return tuple(
            Lane(name, lane.agent, lane.label or f"area/{name}", lane.words, lane.paths, lane.operators)
            for name, lane in self.lanes.items()
        )

    def kind_list(self) -> tuple[IssueKind, ...]:
        """The kinds of issue as bots know them; the last one is what nothing else fits."""
        return tuple(IssueKind(label, words) for label, words in self.kinds.items())


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `hive.yaml`."""

    forges: dict[str, ForgeSettings]
    """Forges by a name of your own."""

    teams: dict[str, TeamSettings]
    """Teams by the name of their organisation on the forge."""

    state: Path = Path("/var/lib/hive")
    """Directory of everything that is not on the forge: ledger, secrets, agents. Relative to this file."""

    web: WebSettings = WebSettings()
    """Where webhooks are received."""

    model: ModelSettings = ModelSettings()  # noqa: RUF009  it is frozen
    """The model that agents think with."""

    budget: BudgetSettings = DEFAULT_BUDGET
    """The most that may be spent on models."""

    review: ReviewerSettings = DEFAULT_REVIEWER
    """What this host adds to reviews: a model that reads, more analysers. No repository can change it."""

    triage: TriageSettings = DEFAULT_TRIAGE
    """A language model that is asked what an issue is, where nothing else is sure."""

    limits: Limits = DEFAULT_LIMITS
    """Limits that no agent's own configuration can raise."""

    deploy: DeploySettings = DEFAULT_DEPLOY
    """When merged configurations are deployed."""

    upgrade: UpgradeSettings = DEFAULT_UPGRADE
    """From where the hive upgrades itself; see docs/upgrades.md."""

    accounts: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_ACCOUNTS))
    """Login under which each bot speaks. `core` is required; a bot that is not named speaks as `core`."""

    bots: tuple[str, ...] = DEFAULT_BOTS
    """Python modules of the bots, in the order in which they are asked. One of your own may lie beside this file."""

    configs: str = "agent-configs"
    """Organisation of the agents' configuration repositories."""

    meta: str = "hive/meta"
    """Repository of the roster and of the log of deployments, in which the hive files issues about itself."""

    sweep_seconds: Annotated[int, Ge(1), Le(3600)] = 60
    """Seconds between two polls of a forge for what webhooks did not deliver."""

    queue: str = ""
    """Where wake-ups of the worker are queued: empty for a file, else `redis://HOST:PORT/N` or `unix:///PATH` (extra `redis`)."""

    keep_days: Annotated[int, Ge(1), Le(36500)] = 30
    """Days that deliveries, and what bots read from a forge, are kept word for word."""

    keep: Keep = Keep()
    """Retention of what is over."""

    protected_paths: tuple[str, ...] = PROTECTED
    """Paths that no agent may push changes of without a grant, as in `.gitignore`: what runs on the forge, who reviews, what agents are told."""

    packages_path: tuple[str, ...] = PACKAGES_PATH
    """Directories of this host in which the packages of agents are looked for, in this order; containers have to see them."""

    root: RootSettings = HOSTS_PROGRAMS
    """What containers are made of, if not of the programs of this host."""

    sandbox: Literal["bubblewrap", "nspawn", "podman", "nixos-container", "none"] = "bubblewrap"
    """What confines agents: `nspawn` and `podman` are for root only, `nixos-container` is for NixOS (docs/containers.md); with `none` they are plain processes that can read all that the hive can, secrets too."""

    ca_file: str = ""
    """Certificate authority of your own (PEM), trusted beside the public ones: for forges, the model and webhooks."""

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

    @property
    def own_source(self) -> Repo | None:
        """The repository that the hive upgrades itself from."""
        team, _, name = self.upgrade.repository.partition("/")
        return Repo(self.teams[team].forge, team, name) if name else None

    def team_of(self, repo: Repo) -> str | None:
        """The team that a repository belongs to, configuration repositories included, however its name is spelt."""
        return next((name for name in self.teams if repo in (*self.repos_of(name), *self.own_repos(name))), None)

    def spelt(self, repo: Repo) -> Repo:
        """A repository as this configuration writes its name: `Acme/App` of the forge is `acme/app` of the team `acme`."""
        ours = (mine for name in self.teams for mine in (*self.repos_of(name), *self.own_repos(name)) if mine == repo)
        return next(ours, repo)

    def own_repos(self, team: str) -> list[Repo]:
        """The hive's own repositories that a team's bots look after, roster first: those of a forge are its first team's."""
        forge = self.teams[team].forge
        if team != self.first_team(forge):
            return []
        return [self.meta_of(forge), Repo(forge, self.meta.partition("/")[0], OPS)]

    def first_team(self, forge: str) -> str:
        """The team that speaks for a forge."""
        return next(name for name, team in self.teams.items() if team.forge == forge)

    def meta_of(self, forge: str) -> Repo:
        """The repository of a forge's roster, where the hive files issues about itself."""
        return Repo(forge, *self.meta.split("/", 1))

    def knowledge_of(self, forge: str) -> Repo:
        """What all on a forge have learned: every agent reads it."""
        return Repo(forge, self.meta.partition("/")[0], "knowledge")

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
    settings = document.read(Settings, more=list(field_errors(document.data)))
    home = path.parent.resolve()
    return replace(settings, state=(home / settings.state).resolve(), home=home)
