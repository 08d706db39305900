"""First files of new repositories: a configuration, the roster, forms. Existing files stay."""

from __future__ import annotations

from functools import partial
from importlib import resources

from forge.gitea.admin import GiteaAdmin
from forge.gitea.writer import GiteaForge
from forge.models import Repo, Repository
from forge.protocol import NotFound
from hive.config import TeamSettings
from hive.instance.instance import Instance, StartupError
from hive.instance.running_agent import new_engine
from hive.provision.steps import MISSING, Steps

MAIN = "main"
CONFIG = ("README.md", "agent.yaml", "prompts/role.md")
DECLARATION = "agent.yaml"
USUAL = "native"
PROGRAMS = {"claude-code": ("claude",)}
"""What the container of an engine needs."""

FORMS = ("ask-the-lead.yaml", "config-request.yaml", "spawn.yaml")
FORMS_AT = ".gitea/ISSUE_TEMPLATE"
"""Where both Forgejo and Gitea look for issue forms; `.forgejo` is read by Forgejo alone."""

META = """\
# hive/meta

What runs where. Each commit on `deployed/` is a deployment: successes only.

| agent | team | lanes | configuration |
|---|---|---|---|
"""
OPS = "# {}\n\nWhat the hive asks of its operators, and what people ask of the hive: file an issue, there is a form for it.\n"
LORE = (
    "# {}\n\nShared knowledge. Every agent reads it. Nothing is pushed to `main` directly: change it by pull request.\n"
)


class Seeds:
    """First files of the repositories of one forge, written by `core`."""

    def __init__(self, instance: Instance, forge: str, admin: GiteaAdmin, steps: Steps, *, engine: str = "") -> None:
        """`engine` is that of new agents; without one it depends on whether there is a model."""
        self._engine = engine
        self._instance = instance
        self._forge = forge
        self._admin = admin
        self._steps = steps

    def branch(self, repo: Repo) -> str:
        """The branch that a repository's work goes to."""
        seen = self.seen(repo)
        return MAIN if seen is None or seen.empty else seen.default_branch

    def seen(self, repo: Repo) -> Repository | None:
        """A repository as it stands; None before it is made."""
        try:
            return self._admin.repository(repo)
        except NotFound:
            return None

    def config(self, repo: Repo, agent: str, mine: TeamSettings) -> None:
        """The first configuration of an agent; once `main` is protected only pull requests change it."""
        if self._protected(repo):
            return
        lane = next((lane.name for lane in mine.lane_list() if lane.agent == agent), "general")
        engine, why = (self._engine, "") if self._engine else new_engine(self._instance, agent)
        facts = {"name": agent, "lane": lane, "engine": engine, "packages": ", ".join(PROGRAMS.get(engine, ()))}
        said = "" if engine == USUAL else f", with engine: {engine}{f' ({why})' if why else ''}"
        for path in CONFIG:
            self._put(repo, path, _template(path).format(**facts), about=said if path == DECLARATION else "")

    def adopt(self, repo: Repo, agent: str, team: str) -> None:
        """Register the first head that the hive sees as the baseline: merges count from here on."""
        if self._instance.ledger.deployments.baseline(agent) is None:
            what = f"baseline of {agent} at the head of {repo.path}"
            self._steps.take(what, MISSING, partial(self._adopt, repo, agent, team))

    def roster(self, repo: Repo) -> None:
        """Who works here, on the first page of `hive/meta`; it follows `hive.yaml`."""
        rows = []
        for team, mine in self._instance.settings.teams.items():
            for agent in mine.agents if mine.forge == self._forge else ():
                lanes = ", ".join(lane.name for lane in mine.lane_list() if lane.agent == agent) or "none"
                config = f"{self._instance.settings.configs}/{agent}"
                rows.append(f"| {agent} | {team} | {lanes} | [{config}](/{config}) |\n")
        self._put(repo, "README.md", META + "".join(rows), keep=False)

    def forms(self, repo: Repo) -> None:
        """The forms for requests to the hive; a changed one stays as it is."""
        self._put(repo, "README.md", OPS.format(repo.path))
        for name in FORMS:
            self._put(repo, f"{FORMS_AT}/{name}", _template(f"forms/{name}"))

    def knowledge(self, repo: Repo) -> None:
        """The first page of what all have learned."""
        if not self._protected(repo):
            self._put(repo, "README.md", LORE.format(repo.path))

    def _put(self, repo: Repo, path: str, text: str, *, keep: bool = True, about: str = "") -> None:
        held = self._held(repo, path)
        if held == text.encode() or (keep and held is not None):
            return
        why = MISSING if held is None else "says something else"
        self._steps.take(f"{path} in {repo.path}{about}", why, partial(self._write, repo, path, text))

    def _held(self, repo: Repo, path: str) -> bytes | None:
        try:
            return self._admin.file(repo, path, self.branch(repo))
        except NotFound:
            return None

    def _write(self, repo: Repo, path: str, text: str) -> None:
        branch = self.branch(repo)
        with self._core() as core:
            core.put_file(repo, path, text.encode(), message=f"Begin with {path}", branch=branch)

    def _protected(self, repo: Repo) -> bool:
        return self._admin.protection(repo, MAIN) is not None

    def _adopt(self, repo: Repo, agent: str, team: str) -> None:
        seen = self._admin.repository(repo)
        if seen.empty:
            raise StartupError(f"{repo.path} is empty and protected: remove its protection, and run hive init again")
        branch = self._admin.branch(repo, seen.default_branch)
        cursor = max((push.id for push in self._admin.pushes(repo, seen.default_branch, 0)), default=0)
        self._instance.ledger.deployments.register(agent, team=team, seen=seen, branch=branch, cursor=cursor)

    def _core(self) -> GiteaForge:
        login = self._instance.settings.account("core")
        token = self._instance.secret_store.token(self._forge, login)
        instance = self._instance
        return GiteaForge(name=self._forge, url=instance.url(self._forge), token=token, current=instance.names.current)


def _template(path: str) -> str:
    return resources.files("hive.provision").joinpath("template", path).read_text(encoding="utf-8")
