"""The steps that make a forge ready, and the hive know it. See the package."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from importlib import resources

from forge.gitea.admin import GiteaAdmin
from forge.gitea.changes import GiteaWatcher
from forge.gitea.write import GiteaForge
from forge.protocol import Admin, Reader
from forge.types import Protection, Repo, User
from hive.app.house import House, NotReady
from hive.provision import rights
from hive.provision.labels import labels
from hive.settings import TeamSettings
from hive.sweep import begin

TEMPLATE = ("README.md", "agent.yaml", "prompts/role.md")
META_README = "# hive/meta\n\nWhat runs where. The log of this repository is the log of deployments: successes only.\n"
TOKEN_NAME = "hive"  # noqa: S105  a name, no secret
MAIN = "main"

Say = Callable[[str], None]


class Provision:
    """Makes one team's forge ready, with an admin's password."""

    def __init__(self, house: House, team: str, admin: Admin, say: Say) -> None:
        """`say` is told a sentence for each thing that was made; nothing for what was there."""
        self._house = house
        self._team = team
        self._mine: TeamSettings = house.settings.teams[team]
        self._admin = admin
        self._say = say

    @classmethod
    def run(cls, house: House, forge: str, login: str, password: str, say: Say) -> None:
        """Make a forge ready for all teams on it; raises ForgeError, and NotReady for what cannot be made so."""
        with GiteaAdmin(name=forge, url=house.url(forge), login=login, password=password) as admin:
            for team, mine in house.settings.teams.items():
                if mine.forge == forge:
                    cls(house, team, admin, say).ensure()

    def ensure(self) -> None:
        """All steps, in the order in which they need one another."""
        settings = self._house.settings
        self._accounts()
        orgs = {self._team: rights.WORK, settings.configs: rights.CONFIGS, settings.meta.split("/")[0]: rights.META}
        for org, teams in orgs.items():
            self._note(self._admin.ensure_org(org), f"organisation {org}")
            for team in teams:
                self._rights(org, team)
        with self._forge() as core:
            for name in self._mine.repos:
                self._work_repo(Repo(self._mine.forge, self._team, name), core)
            for agent in self._mine.agents:
                self._config_repo(agent, core)
            self._meta_repo(core)
        self._hooks()

    def _accounts(self) -> None:
        roles = {login: bot for bot, login in self._house.settings.accounts.items()}
        for login in (*roles, *self._mine.agents):
            user = self._admin.ensure_user(
                login, password=secrets.token_urlsafe(24), email=f"{login}@{self._mine.forge}.invalid"
            )
            self._pin(user)
            self._token(login, rights.SCOPES.get(roles.get(login, "agents"), rights.SCOPES["triage"]))
        with self._forge() as core:
            for login in self._mine.operators:
                self._pin(core.user(login))

    def _token(self, login: str, scopes: tuple[str, ...]) -> None:
        vault, forge = self._house.vault, self._mine.forge
        if not vault.has_token(forge, login):
            vault.keep_token(forge, login, self._admin.make_token(login, TOKEN_NAME, scopes))
            self._say(f"token for {login}: {', '.join(scopes)}")

    def _pin(self, user: User) -> None:
        if not self._house.ledger.pin(self._mine.forge, user):
            raise NotReady(f"{user.login} on {self._mine.forge} is another account than the one that was known")

    def _rights(self, org: str, team: rights.Rights) -> None:
        members = list(self._members(team.members))
        made = self._admin.ensure_team(
            org, team.name, permission=team.permission, units=dict(team.units), members=members
        )
        self._note(made, f"team {org}/{team.name}: {', '.join(members)}")

    def _members(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            if name == "operators":
                yield from self._mine.operators
            elif name == "agents":
                yield from self._mine.agents
            else:
                yield self._house.settings.account(name)

    def _work_repo(self, repo: Repo, core: Reader) -> None:
        self._note(self._admin.ensure_repo(repo, private=False), f"repository {repo.path}")
        for label in labels(self._mine):
            self._note(self._admin.ensure_label(repo, label), f"label {label.name} in {repo.path}")
        seen = core.repository(repo)
        branch = MAIN if seen.empty else seen.default_branch
        rule = Protection(branch, mergers=self._mine.operators, required_statuses=("hive/review",))
        self._note(self._admin.ensure_protection(repo, rule), f"protection of {branch} in {repo.path}")
        self._begin(repo)

    def _config_repo(self, agent: str, core: GiteaForge) -> None:
        repo = Repo(self._mine.forge, self._house.settings.configs, agent)
        self._note(self._admin.ensure_repo(repo, private=True), f"repository {repo.path}")
        self._note(self._admin.ensure_collaborator(repo, agent, "write"), f"{agent} may propose in {repo.path}")
        if core.repository(repo).empty:
            self._seed(repo, agent, core)
        rule = Protection(
            MAIN,
            mergers=self._mine.operators,
            required_statuses=("hive/eval",),
            block_on_outdated_branch=True,
        )
        self._note(self._admin.ensure_protection(repo, rule), f"protection of {MAIN} in {repo.path}")
        self._adopt(repo, agent, core)
        self._begin(repo)

    def _begin(self, repo: Repo) -> None:
        """From now on, by the forge's own clock, what happens in a repository is work for the hive."""
        forge, core = self._mine.forge, self._house.settings.account("core")
        token = self._house.vault.token(forge, core)
        with GiteaWatcher(name=forge, url=self._house.url(forge), token=token) as watcher:
            begin(self._house.ledger, repo, watcher.now())

    def _seed(self, repo: Repo, agent: str, core: GiteaForge) -> None:
        lane = next((lane.name for lane in self._mine.lane_list() if lane.agent == agent), "general")
        template = resources.files("hive.provision").joinpath("template")
        for path in TEMPLATE:
            text = template.joinpath(path).read_text(encoding="utf-8").format(name=agent, lane=lane)
            core.put_file(repo, path, text.encode(), message=f"Begin with {path}", branch=MAIN)

    def _adopt(self, repo: Repo, agent: str, core: Reader) -> None:
        """The head that is there when the hive first comes is its footing: from here on, merges count."""
        if self._house.ledger.deployments.anchor(agent) is not None:
            return
        seen = core.repository(repo)
        pushes = core.pushes(repo, seen.default_branch, 0)
        cursor = max((push.id for push in pushes), default=0)
        branch = core.branch(repo, seen.default_branch)
        self._house.ledger.deployments.adopt(agent, team=self._team, seen=seen, branch=branch, cursor=cursor)
        self._say(f"{agent} begins at {branch.sha[:7]}")

    def _meta_repo(self, core: GiteaForge) -> None:
        repo = Repo(self._mine.forge, *self._house.settings.meta.split("/", 1))
        self._note(self._admin.ensure_repo(repo, private=True), f"repository {repo.path}")
        if core.repository(repo).empty:
            core.put_file(repo, "README.md", META_README.encode(), message="Begin", branch=MAIN)

    def _hooks(self) -> None:
        web = self._house.settings.web
        url = f"{web.url or f'http://{web.host}:{web.port}'}/hook/{self._mine.forge}"
        secret = self._house.vault.hook_secret(self._mine.forge).decode()
        for org in (self._team, self._house.settings.configs):
            self._note(self._admin.ensure_hook(org, url, secret, rights.EVENTS), f"hook of {org} to {url}")

    def _forge(self) -> GiteaForge:
        core = self._house.settings.account("core")
        token = self._house.vault.token(self._mine.forge, core)
        return GiteaForge(name=self._mine.forge, url=self._house.url(self._mine.forge), token=token)

    def _note(self, made: bool, what: str) -> None:
        if made:
            self._say(what)
