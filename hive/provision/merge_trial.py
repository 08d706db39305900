"""Can an account of the hive approve its own work? Tried on one forge with each account's own token; nothing is changed.

Cheaper than the doctor's trials: no draft is opened, so no admin is needed. Each account asks the forge what the rule that
counts lets it do (Forgejo and Gitea compute `user_can_push` and `user_can_merge` for the asking account, in `GET
/repos/{owner}/{repo}/branches/{branch}`), and those that can write try to push, in the way that cannot succeed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from forge.gitea.permission_probe import try_push
from forge.gitea.reader import GiteaReader
from forge.models import Repo
from forge.protocol import NotFound, Refused
from hive.instance.instance import Instance
from hive.secret_store import NoSecret

MAY = "{login} may {what} {branch} of {repo}"


@dataclass(frozen=True, slots=True)
class TrialResult:
    """How many accounts were refused in how many repositories, and a sentence for each that was not."""

    accounts: int
    repositories: int
    open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MergeTrial:
    """Tries every account of one forge: agents where they work, bots everywhere."""

    instance: Instance
    forge: str

    def run(self) -> TrialResult:
        """Try them all. Raises ForgeError if the forge is away or does not know `core`, NoSecret without its token."""
        core = self.instance.settings.account("core")
        with self._reader(self._token(core)) as reader:
            places = [place for repo in self._repositories() if (place := _branch_of(reader, repo)) is not None]
        found: list[str] = []
        tried = 0
        for login, repos, pushes in self._accounts():
            try:
                token = self._token(login)
            except NoSecret:  # it can do nothing at all
                continue
            tried += 1
            mine = [place for place in places if place[0] in repos]
            found += self._try(login, token, mine, pushes=pushes)
        return TrialResult(tried, len(places), tuple(found))

    def _try(self, login: str, token: str, places: Sequence[tuple[Repo, str]], *, pushes: bool) -> Iterator[str]:
        url, current = self.instance.url(self.forge), self.instance.names.current
        with self._reader(token) as reader:
            for repo, name in places:
                try:
                    branch = reader.branch(repo, name)
                except (NotFound, Refused):  # what it cannot even see
                    continue
                facts = {"login": login, "branch": name, "repo": repo.path}
                if branch.can_merge:
                    yield MAY.format(what="merge into", **facts)
                if branch.can_push or (pushes and not try_push(url, login, token, current(repo), branch).refused):
                    yield MAY.format(what="push to", **facts)

    def _repositories(self) -> list[Repo]:
        settings = self.instance.settings
        teams = [name for name, team in settings.teams.items() if team.forge == self.forge]
        repos = (repo for name in teams for repo in (*settings.repos_of(name), *settings.own_repos(name)[:1]))
        return list(dict.fromkeys(repos))

    def _accounts(self) -> Iterator[tuple[str, list[Repo], bool]]:
        """Each login, where it is tried, and whether it can write code at all."""
        settings, core = self.instance.settings, self.instance.settings.account("core")
        for login in dict.fromkeys(settings.accounts.values()):
            yield login, self._repositories(), login == core
        for name, team in settings.teams.items():
            for agent in team.agents if team.forge == self.forge else ():
                work = [repo for repo in settings.repos_of(name) if repo.owner != settings.configs]
                yield agent, [*work, Repo(self.forge, settings.configs, agent)], True

    def _reader(self, token: str) -> GiteaReader:
        instance = self.instance
        return GiteaReader(name=self.forge, url=instance.url(self.forge), token=token, current=instance.names.current)

    def _token(self, login: str) -> str:
        return self.instance.secret_store.token(self.forge, login)


def _branch_of(reader: GiteaReader, repo: Repo) -> tuple[Repo, str] | None:
    """The branch that pull requests of a repository are merged into; None where there is nothing to merge."""
    try:
        seen = reader.repository(repo)
    except NotFound:  # it was deleted or transferred: the tracker says so
        return None
    if seen.empty or seen.archived or seen.mirror:
        return None
    return repo, seen.default_branch
