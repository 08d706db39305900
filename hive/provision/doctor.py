"""Checks that a forge is still as `hive init` left it, and refuses what it must. Leaves nothing behind.

Checks what the stored tokens can see, and with an admin's password everything that `hive init` would change.
Agents also try to push where they must not, and the forge has to refuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from forge.gitea.account_admin import agreed
from forge.gitea.reader import GiteaReader
from forge.models import Branch, Repo
from forge.protocol import ForgeError, NotFound, Unavailable
from hive.instance.instance import Instance, StartupError
from hive.instance.rosters import ROSTER_BOT
from hive.provision import team_permissions
from hive.provision.check_results import CheckResult, ok, problem, warning
from hive.provision.host_checks import clock, machine
from hive.provision.permission_checks import PermissionChecks, ProtectedBranch
from hive.provision.polling_checks import PollingChecks
from hive.provision.provisioner import Provisioner, sign_in
from hive.provision.repository_checks import fault as name_fault
from hive.provision.token_scopes import excess_scopes
from hive.provision.webhook_check import WebhookCheck
from hive.secret_store import NoSecret

BRANCHES = "agent"
"""What the branches of agents begin with."""

AGAIN = "hive init {config} --admin LOGIN"


@dataclass(frozen=True, slots=True)
class Key:
    """The login and password of a site admin; `repr` shows no password."""

    login: str
    password: str

    def __repr__(self) -> str:
        return f"Key({self.login!r})"


@dataclass(frozen=True)
class Doctor:
    """Checks an instance; `config` is the name of its file, `retry` how many seconds a delivery may take."""

    instance: Instance
    config: str
    retry: float = 15.0

    def look(self, forges: dict[str, Key | None]) -> Iterator[CheckResult]:
        """Run all checks; one that cannot be made is a problem too."""
        yield from machine(self.instance)
        for forge, key in forges.items():
            try:
                yield from self._forge(forge, key)
            except Unavailable as error:
                yield problem(f"{forge} does not answer ({error})", "start it, or fix its url")
            except (ForgeError, StartupError, NoSecret) as error:
                yield problem(f"{forge}: {error}", self.again)

    @cached_property
    def again(self) -> str:
        """The command that fixes most problems."""
        return AGAIN.format(config=self.config)

    def _forge(self, forge: str, key: Key | None) -> Iterator[CheckResult]:
        core = self.instance.settings.account("core")
        url, token, current = (
            self.instance.url(forge),
            self.instance.secret_store.token(forge, core),
            self.instance.names.current,
        )
        with GiteaReader(name=forge, url=url, token=token, current=current) as reader:
            yield ok(f"{forge} answers: {reader.capabilities().kind} {reader.capabilities().version}")
            yield clock(self.instance, forge)
            yield from self._accounts(forge)
            yield from self._operators(forge, reader)
            self.instance.repository_tracker.pin_all(forge)
            branches = list(self._branches(forge, reader))
            yield from (sign for sign in branches if isinstance(sign, CheckResult))
            found = [branch for branch in branches if not isinstance(branch, CheckResult)]
        if key is not None:
            yield from self._as_admin(forge, key, found)
        yield from PollingChecks(self.instance, forge, self.again).signs(found)
        trials = PermissionChecks(self.instance, forge, self.again)
        yield from trials.pushes(found)
        if key is not None:
            yield from trials.merges(found, key.login, key.password)
        yield from WebhookCheck(self.instance, forge, self.config, self.retry).arrives(found)

    def _accounts(self, forge: str) -> Iterator[CheckResult]:
        """Check the account of each bot and agent with its own token."""
        settings = self.instance.settings
        logins = [*dict.fromkeys(settings.accounts.values()), *self._agents(forge)]
        fine = []
        for login in logins:
            try:
                token = self.instance.secret_store.token(forge, login)
                with GiteaReader(name=forge, url=self.instance.url(forge), token=token) as reader:
                    reader.capabilities()
                    wide = excess_scopes(reader, settings.configs, core=login == settings.account("core"))
            except NoSecret as error:
                yield problem(str(error), self.again)
            except Unavailable:
                raise
            except ForgeError as error:
                yield problem(f"{forge} rejected {login}'s token ({error})", self.again)
            else:
                if wide:
                    yield problem(f"the token of {login} has more rights than it needs: {wide}", self.again)
                else:
                    fine.append(login)
        if fine:
            yield ok(f"tokens work, and have no more rights than they need: {', '.join(fine)}")

    def _operators(self, forge: str, reader: GiteaReader) -> Iterator[CheckResult]:
        fine = []
        for login in self._approvers(forge):
            known = self.instance.ledger.identity(forge, login)
            try:
                seen = reader.user(login)
            except NotFound:
                yield problem(f"the operator {login} has no account on {forge}", "fix `operators`")
                continue
            if known is None:
                yield problem(f"the operator {login} is not known by id yet", self.again)
            elif known.id != seen.id:
                what = f"the operator {login} is another account now ({seen.id}, it was {known.id})"
                yield problem(what, "find out who did that; the new account is not trusted")
            else:
                fine.append(login)
        if fine:
            yield ok(f"operators have the same accounts as before: {', '.join(fine)}")

    def _branches(self, forge: str, reader: GiteaReader) -> Iterator[tuple[Repo, Branch] | CheckResult]:
        """The protected branch of each repository, or what is wrong with it."""
        settings = self.instance.settings
        for team, mine in settings.teams.items():
            places = (*settings.repos_of(team), *settings.own_repos(team)[:1])
            for repo in places if mine.forge == forge else ():
                wrong = name_fault(self.instance, reader, repo)
                if wrong:
                    yield problem(
                        wrong, "another repository under its name is not used; hive init creates nothing in its place"
                    )
                    continue
                try:
                    seen = reader.repository(repo)
                except NotFound:
                    yield problem(f"the repository {repo.path} is missing", f"{self.again} --create-missing")
                    continue
                if (now := self.instance.names.current(repo)) != repo:
                    yield warning(f"{repo.path} is {now.path} now, and is followed", "change it in hive.yaml")
                elif seen.repo.path != repo.path:
                    yield ok(f"{forge} writes {seen.repo.path} for {repo.path}: both are the same repository")
                config = repo.owner == settings.configs or repo == settings.meta_of(forge)
                if config and not seen.private:
                    yield problem(f"{repo.path} is public", self.again)
                if seen.archived or seen.mirror:
                    yield problem(f"{repo.path} is archived, or a mirror", "agents cannot work there; fix `repos`")
                    continue
                if seen.empty:
                    what = f"{repo.path} is empty: agents cannot start there"
                    push = f"an operator pushes a first commit to {seen.default_branch}, and then: {self.again}"
                    yield problem(f"{repo.path} is empty", self.again) if config else warning(what, push)
                    continue
                try:
                    branch = reader.branch(repo, seen.default_branch)
                except NotFound:
                    yield problem(
                        f"{repo.path} has no branch {seen.default_branch}", "push it, or choose another default branch"
                    )
                    continue
                if _is_blocked(reader, repo):
                    what = f"{repo.path} has a branch {BRANCHES}: where there is one, git makes no branch {BRANCHES}/…, and no agent can push"
                    yield problem(what, "rename or delete it")
                for fault in openness(branch, self._check(repo)):
                    yield problem(f"{branch.name} of {repo.path} {fault}", self.again)
                yield repo, branch

    def _check(self, repo: Repo) -> str:
        """The status without which nothing is merged in a repository; empty for none."""
        settings = self.instance.settings
        if repo == settings.meta_of(repo.forge):
            return team_permissions.ROSTER_CHECK if ROSTER_BOT in settings.bots else ""
        return team_permissions.CHECKS[repo.owner == settings.configs]

    def _as_admin(self, forge: str, key: Key, found: Sequence[ProtectedBranch]) -> Iterator[CheckResult]:
        """What `hive init` would change, and what only an admin can see."""
        steps = Provisioner.plan(self.instance, forge, key.login, key.password, create_missing=True)
        for step in steps:
            yield problem(f"{step.what}: {step.why}", self.again)
        if not steps:
            yield ok("accounts, teams, repositories, protections, labels and hooks are as hive init sets them up")
        with sign_in(self.instance, forge, key.login, key.password, consent=agreed) as admin:
            for repo, branch in found:
                rule = admin.protection(repo, branch.name)
                for setting in rule.exceptions if rule else ():
                    what = f"{setting} is on in the protection of {branch.name} of {repo.path}: it allows bypassing it"
                    yield problem(what, f"{self.again}; or turn it off by hand, if hive init does not know it")
            for login in self._approvers(forge):
                if admin.hides_activity(login):
                    what = f"the operator {login} hides activity on {forge}: no merge by {login} can be verified"
                    yield problem(what, f"{login}: Settings, Profile, show activity")

    def _approvers(self, forge: str) -> list[str]:
        teams = [team for team in self.instance.settings.teams.values() if team.forge == forge]
        return list(dict.fromkeys(login for team in teams for login in team.operators))

    def _agents(self, forge: str) -> list[str]:
        return [agent for team in self.instance.settings.teams.values() if team.forge == forge for agent in team.agents]


def _is_blocked(reader: GiteaReader, repo: Repo) -> bool:
    """Whether a branch is in the way of all that agents make."""
    try:
        return reader.branch(repo, BRANCHES).name == BRANCHES
    except NotFound:
        return False


def openness(branch: Branch, check: str) -> list[str]:
    """What the protection of a branch lacks, as the hive's own account sees it."""
    if not branch.protected:
        return ["is not protected"]
    wrong = {
        "lets every writer push: another rule takes precedence over that of the hive": branch.can_push,
        "lets every writer merge: another rule takes precedence over that of the hive": branch.can_merge,
        f"does not require {check}": bool(check) and check not in branch.required_statuses,
    }
    return [text for text, is_so in wrong.items() if is_so]
