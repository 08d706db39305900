"""The steps that set up a forge, and register it in the ledger. See the package."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from forge.gitea.account_admin import agreed
from forge.gitea.admin import GiteaAdmin
from forge.gitea.poll_reader import GiteaPollReader
from forge.models import Protection, Repo, User
from forge.protocol import Consent, NotFound, Refused
from hive.config import TeamSettings
from hive.instance.instance import Instance, StartupError
from hive.instance.rosters import ROSTER_BOT
from hive.poller import start_watching
from hive.provision import team_permissions
from hive.provision.hooks import Hooks
from hive.provision.labels import labels, request_labels
from hive.provision.repository_checks import RepositoryChecks
from hive.provision.seeds import MAIN, Seeds
from hive.provision.steps import Step, Steps
from hive.provision.tokens import Tokens, grants, knowledge

Say = Callable[[str], None]


class Provisioner:
    """Sets up one forge for all teams on it; `steps` decides whether it is done or only planned.

    `engine` is that of agents that have no configuration yet; without one it depends on whether there is a model.
    """

    def __init__(self, instance: Instance, forge: str, admin: GiteaAdmin, steps: Steps, *, engine: str = "") -> None:
        self._instance = instance
        self._forge = forge
        self._admin = admin
        self._steps = steps
        self._teams = {name: team for name, team in instance.settings.teams.items() if team.forge == forge}
        self._tokens = Tokens(instance, forge, admin, steps)
        self._seeds = Seeds(instance, forge, admin, steps, engine=engine)

    @classmethod
    def run(
        cls,
        instance: Instance,
        forge: str,
        login: str,
        password: str,
        say: Say,
        *,
        create_missing: bool = False,
        engine: str = "",
    ) -> None:
        """Set up a forge for all teams on it; raises ForgeError, and StartupError for what cannot be set up.

        `say` gets a sentence for each thing that was created or fixed. A missing repository is created only with
        `create_missing`: it may have been renamed, or be misspelt.
        """
        steps = Steps(lambda step: say(step.done()))
        with sign_in(instance, forge, login, password, consent=steps.agrees) as admin:
            cls(instance, forge, admin, steps, engine=engine).ensure(create_missing=create_missing)

    @classmethod
    def plan(
        cls,
        instance: Instance,
        forge: str,
        login: str,
        password: str,
        *,
        create_missing: bool = False,
        engine: str = "",
    ) -> list[Step]:
        """What `run` would do; changes nothing."""
        found: list[Step] = []
        steps = Steps(found.append, doing=False)
        with sign_in(instance, forge, login, password, consent=steps.agrees) as admin:
            cls(instance, forge, admin, steps, engine=engine).ensure(create_missing=create_missing)
        return found

    def ensure(self, *, create_missing: bool) -> None:
        """All steps, in order of dependency."""
        self._instance.repository_tracker.pin_all(self._forge)
        RepositoryChecks(self._instance, self._forge, self._admin).check(create_missing=create_missing)
        settings = self._instance.settings
        core = settings.account("core")
        wanted = {grant.login: grant for grant in grants(self._instance, self._forge, self._admin.capabilities())}
        self._accounts()
        self._tokens.ensure(wanted.pop(core))
        for team, mine in self._teams.items():
            self._org(team, team_permissions.WORK, mine.agents)
            for name in mine.repos:
                self._work_repo(Repo(self._forge, team, name), mine)
        self._org(settings.configs, team_permissions.CONFIGS)
        for team, mine in self._teams.items():
            for agent in mine.agents:
                self._config_repo(agent, team, mine)
        source = settings.own_source
        if source is not None and source.forge == self._forge:
            self._seeds.adopt_source(source)
        self._hive_org(settings.meta.split("/", maxsplit=1)[0])
        if self._steps.doing:
            self._instance.repository_tracker.pin_all(self._forge)
            self._instance.repository_tracker.forget_removed(self._forge)
        # A token that is bound to repositories is created once they exist.
        for grant in wanted.values():
            self._tokens.ensure(grant)
        Hooks(self._instance, self._forge, self._admin, self._steps).ensure()

    def _accounts(self) -> None:
        operators = [self._operator(login) for login in self._operators()]
        for login in self._logins():
            if login.lower() in {operator.login.lower() for operator in operators}:
                raise StartupError(
                    f"{login} is an operator and an account of the hive: an approver cannot be part of it"
                )
            self._account(login)
        for user in operators:
            self._pin(user)

    def _account(self, login: str) -> None:
        steps = self._steps
        user = self._admin.ensure_user(
            login, password=secrets.token_urlsafe(24), email=f"{login}@{self._forge}.invalid"
        )
        steps.note(bool(steps.reasons), f"account {login}")
        steps.note(self._admin.ensure_usable(login, stuck=self._tokens.stuck(login)), f"account {login}")
        if user.id:
            self._pin(user)

    def _operator(self, login: str) -> User:
        try:
            return self._admin.user(login)
        except NotFound as error:
            raise StartupError(
                f"the operator {login} has no account on {self._forge}; people create their own"
            ) from error

    def _pin(self, user: User) -> None:
        ledger = self._instance.ledger
        known = ledger.identity(self._forge, user.login)
        if (known is not None and known != user) or (self._steps.doing and not ledger.pin(self._forge, user)):
            raise StartupError(f"{user.login} on {self._forge} is not the account that was known before")

    def _operators(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(login for team in self._teams.values() for login in team.operators))

    def _logins(self) -> tuple[str, ...]:
        """The accounts of the hive on this forge."""
        agents = [agent for team in self._teams.values() for agent in team.agents]
        return tuple(dict.fromkeys([*self._instance.settings.accounts.values(), *agents]))

    def _org(self, org: str, teams: tuple[team_permissions.TeamPermissions, ...], agents: tuple[str, ...] = ()) -> None:
        self._steps.note(self._admin.ensure_org(org), f"organisation {org}")
        places: dict[str, list[str]] = {login: [] for login in self._logins()}
        for team in teams:
            members = list(dict.fromkeys(self._members(org, team, agents)))
            units = dict(team.units)
            made = self._admin.ensure_team(org, team.name, permission=team.permission, units=units, members=members)
            self._steps.note(made, f"team {org}/{team.name}")
            for login in places.keys() & set(members):
                places[login].append(team.name)
        self._steps.note(self._admin.ensure_places(org, places), f"members of the teams of {org}")

    def _members(self, org: str, team: team_permissions.TeamPermissions, agents: tuple[str, ...]) -> Iterator[str]:
        for name in team.members:
            if name == "operators":
                yield from self._teams[org].operators if org in self._teams else self._operators()
            elif name == "agents":
                yield from agents
            else:
                yield self._instance.settings.account(name)

    def _repo(self, repo: Repo, *, private: bool, guests: dict[str, str]) -> None:
        """A repository; `guests` are accounts of the hive with rights there without a team."""
        steps, admin = self._steps, self._admin
        steps.note(admin.ensure_repo(repo, private=private), f"repository {repo.path}")
        for login, permission in guests.items():
            what = f"{permission} access of {login} to {repo.path}"
            steps.note(admin.ensure_collaborator(repo, login, permission), what)
        strangers = [login for login in self._logins() if login not in guests]
        steps.note(admin.ensure_strangers(repo, strangers), f"collaborators of {repo.path}")
        steps.note(admin.ensure_no_hook(repo, Hooks.url(self._instance, repo.forge)), f"webhook of {repo.path} itself")

    def _protect(self, repo: Repo, rule: Protection) -> None:
        self._steps.note(self._admin.ensure_protection(repo, rule), f"protection of {rule.branch} in {repo.path}")
        if self._steps.doing:
            self._begin(repo)

    def _begin(self, repo: Repo) -> None:
        """Start watching a repository: what happens from now on, by the forge's clock, is work for the hive."""
        token = self._instance.secret_store.token(self._forge, self._instance.settings.account("core"))
        with GiteaPollReader(name=self._forge, url=self._instance.url(self._forge), token=token) as watcher:
            start_watching(self._instance.ledger, repo, watcher.now())

    def _work_repo(self, repo: Repo, mine: TeamSettings) -> None:
        self._repo(repo, private=False, guests={})
        for label in labels(mine):
            self._steps.note(self._admin.ensure_label(repo, label), f"label {label.name} in {repo.path}")
        seen = self._seeds.seen(repo)
        rule = Protection(
            seen.default_branch if seen else MAIN,
            mergers=mine.operators,
            required_statuses=(team_permissions.CHECKS[False],),
        )
        if seen is None or seen.empty:
            # A first commit has to be pushed, and not by an agent.
            rule = replace(rule, push=True, pushers=mine.operators)
        self._protect(repo, rule)

    def _roster_rule(self) -> Protection:
        """The protection of the roster: operators of all teams merge what its bot, if there is one, has planned."""
        checks = (team_permissions.ROSTER_CHECK,) if ROSTER_BOT in self._instance.settings.bots else ()
        return Protection(
            MAIN, mergers=self._operators(), required_statuses=checks, block_on_outdated_branch=bool(checks)
        )

    def _config_repo(self, agent: str, team: str, mine: TeamSettings) -> None:
        repo = Repo(self._forge, self._instance.settings.configs, agent)
        self._repo(repo, private=True, guests={agent: "write"})
        self._seeds.config(repo, agent, mine)
        checks = (team_permissions.CHECKS[True],)
        rule = Protection(MAIN, mergers=mine.operators, required_statuses=checks, block_on_outdated_branch=True)
        self._protect(repo, rule)
        self._seeds.adopt(repo, agent, team, mine)

    def _hive_org(self, org: str) -> None:
        """The hive's own repositories: deployments, requests, shared knowledge."""
        meta = self._instance.settings.meta_of(self._forge)
        ops, lore = Repo(self._forge, org, "ops"), knowledge(self._instance, self._forge)
        self._org(org, team_permissions.META)
        self._repo(meta, private=True, guests={})
        self._seeds.roster(meta)
        self._protect(meta, self._roster_rule())
        self._seeds.adopt_roster(meta)
        self._repo(ops, private=True, guests={})
        if self._steps.doing:
            self._begin(ops)
        for label in request_labels():
            self._steps.note(self._admin.ensure_label(ops, label), f"label {label.name} in {ops.path}")
        self._seeds.forms(ops)
        readers = [agent for team in self._teams.values() for agent in team.agents]
        self._repo(lore, private=True, guests=dict.fromkeys(readers, "read"))
        self._seeds.knowledge(lore)
        rule = Protection(MAIN, mergers=self._operators())
        self._steps.note(self._admin.ensure_protection(lore, rule), f"protection of {MAIN} in {lore.path}")


@contextmanager
def sign_in(
    instance: Instance, forge: str, login: str, password: str, *, consent: Consent = agreed
) -> Iterator[GiteaAdmin]:
    """A site admin of a forge; raises StartupError for another account, Unavailable if the forge does not answer."""
    url = instance.url(forge)
    if login in instance.settings.accounts.values():
        raise StartupError(f"{login} is the site admin: the hive needs accounts of its own, see `accounts`")
    with GiteaAdmin(
        name=forge, url=url, login=login, password=password, consent=consent, current=instance.names.current
    ) as admin:
        try:
            able = admin.is_admin()
        except Refused as error:
            raise StartupError(
                f"{url} refuses the password of {login}; one with a second factor cannot be used"
            ) from error
        if not able:
            raise StartupError(f"{login} is no site admin of {url}")
        yield admin
