"""First files of new repositories: a configuration, the roster, forms. Existing files stay."""

from __future__ import annotations

from functools import partial
from importlib import resources

from bots.agent_intents import roster_of
from bots.intents import PostComment
from bots.models import HIVE
from forge.gitea.admin import GiteaAdmin
from forge.gitea.writer import GiteaForge
from forge.models import FileEdit, Ref, Repo, Repository
from forge.protocol import NotFound
from hive.config import BadYaml, TeamSettings
from hive.config.base_yaml import FILE as BASE_FILE
from hive.config.base_yaml import NO_BASE, read_base
from hive.config.roster import FILE, of_settings, read_roster, write_roster
from hive.instance.instance import Instance, StartupError
from hive.instance.rosters import host_settings
from hive.instance.running_agent import new_engine
from hive.outbox.enqueue import enqueue
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
# {}

Who works here is in [roster.yaml](roster.yaml), and what every container holds in `base.yaml`, if there is one: change them by pull request. A request for a new agent is an issue in `{}/ops`.

Each commit on the branch `deployments` is a deployment: successes only.
"""
FIRST = "hive/first"
"""The branch of an agent's first configuration."""

FIRST_TITLE = "The first configuration of {}"
FIRST_BODY = """\
This is what {agent} starts with: {lane}, and what it is told. Change it here as you like.

Merging this pull request creates its container.
"""
READY = "🌱 The configuration of **{agent}** is ready in {pull}: merging it creates the container."
ASKED = "\n## Why this agent exists\n{}\n"
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
        files, said = self._first_files(agent, mine)
        for path in CONFIG[:1] if self._is_new(agent) else CONFIG:
            self._put(repo, path, files[path], about=said if path == DECLARATION else "")

    def _first_files(self, agent: str, mine: TeamSettings) -> tuple[dict[str, str], str]:
        """What an agent's first configuration holds, and what is to be said of its engine."""
        lane = next((lane.name for lane in mine.lane_list() if lane.agent == agent), mine.lane_list()[0].name)
        engine, why = (self._engine, "") if self._engine else new_engine(self._instance, agent)
        facts = {"name": agent, "lane": lane, "engine": engine, "packages": ", ".join(PROGRAMS.get(engine, ()))}
        said = "" if engine == USUAL else f", with engine: {engine}{f' ({why})' if why else ''}"
        return {path: _template(path).format(**facts) for path in CONFIG}, said

    def _is_new(self, agent: str) -> bool:
        """Whether a merged roster added the agent: its first configuration is merged as well before it runs."""
        has_roster = self._instance.ledger.deployments.baseline(roster_of(self._forge)) is not None
        return has_roster and self._instance.ledger.deployments.baseline(agent) is None

    def adopt(self, repo: Repo, agent: str, team: str, mine: TeamSettings) -> None:
        """Register the first head that the hive sees as the baseline: merges count from here on.

        For an agent that a merged roster added, its first configuration is proposed.
        """
        if self._instance.ledger.deployments.baseline(agent) is not None:
            return
        is_new = self._is_new(agent)
        if is_new:
            what = f"pull request with the first configuration of {agent}"
            self._steps.take(what, MISSING, partial(self._propose, repo, agent, team, mine))
        what = f"baseline of {agent} at the head of {repo.path}"
        self._steps.take(what, MISSING, partial(self._adopt, repo, agent, team, runs=not is_new))

    def _propose(self, repo: Repo, agent: str, team: str, mine: TeamSettings) -> None:
        """Open the pull request whose merge creates the container, and say so where the agent was asked for."""
        files, _ = self._first_files(agent, mine)
        ledger = self._instance.ledger
        asked = ledger.rosters.requested(agent)
        if asked is not None and asked.why:
            quoted = "".join(f"\n> {line}" for line in asked.why.splitlines())
            files["prompts/role.md"] += ASKED.format(quoted)
        edits = [FileEdit(path, text.encode()) for path, text in files.items()]
        title = FIRST_TITLE.format(agent)
        lanes = ", ".join(f"the lane {lane.name}" for lane in mine.lane_list() if lane.agent == agent)
        body = FIRST_BODY.format(agent=agent, lane=lanes or "no lane of its own").strip()
        with self._core() as core:
            core.commit(repo, edits, message=title, branch=FIRST, start=MAIN)
            pull = core.open_pull(repo, head=FIRST, base=MAIN, title=title, body=body)
        if asked is not None:
            said = READY.format(agent=agent, pull=f"{repo.path}#{pull.ref.number}")
            comment = PostComment(Ref.parse(asked.ref), said, key=f"ready:{agent}:{pull.ref}")
            with ledger.transaction():
                enqueue(ledger, team, self._instance.settings.account("core"), comment, by="hive")
                ledger.rosters.fulfil(agent)

    def adopt_source(self, repo: Repo) -> None:
        """Register the first head of the hive's own source that it sees: merges upgrade it from here on."""
        if self._instance.ledger.deployments.baseline(HIVE) is None and not self._admin.repository(repo).empty:
            what = f"baseline of the hive itself at the head of {repo.path}"
            self._steps.take(what, MISSING, partial(self._adopt, repo, HIVE, repo.owner))

    def roster(self, repo: Repo) -> None:
        """The first roster: that of `hive.yaml`; once `main` is protected only pull requests change it."""
        if not self._protected(repo):
            self._put(repo, "README.md", META.format(repo.path, repo.owner), keep=False)
            self._put(repo, FILE, write_roster(of_settings(self._instance.settings, self._forge)))

    def adopt_roster(self, repo: Repo) -> None:
        """Register the first roster that the hive sees: merges count from here on."""
        if self._instance.ledger.deployments.baseline(roster_of(self._forge)) is None:
            self._steps.take(f"baseline of the roster in {repo.path}", MISSING, partial(self._adopt_roster, repo))

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

    def _adopt_roster(self, repo: Repo) -> None:
        seen = self._admin.repository(repo)
        branch = self._admin.branch(repo, MAIN)
        cursor = max((push.id for push in self._admin.pushes(repo, MAIN, 0)), default=0)
        text = self._admin.file(repo, FILE, branch.sha).decode("utf-8", "replace")
        base_text = (self._held(repo, BASE_FILE) or b"").decode("utf-8", "replace")
        settings, ledger = self._instance.settings, self._instance.ledger
        try:
            base = read_base(base_text) if base_text else NO_BASE
            read_roster(text, host_settings(self._instance), self._forge)
        except BadYaml as error:
            raise StartupError(f"the roster in {repo.path} cannot be followed:\n{error}") from error
        with ledger.transaction():
            team = settings.first_team(self._forge)
            ledger.bases.accept(self._forge, branch.sha, base.digest, base_text)
            ledger.deployments.register(roster_of(self._forge), team=team, seen=seen, branch=branch, cursor=cursor)
            ledger.rosters.accept(self._forge, branch.sha, text)

    def _adopt(self, repo: Repo, agent: str, team: str, *, runs: bool = True) -> None:
        seen = self._admin.repository(repo)
        if seen.empty:
            raise StartupError(f"{repo.path} is empty and protected: remove its protection, and run hive init again")
        branch = self._admin.branch(repo, seen.default_branch)
        cursor = max((push.id for push in self._admin.pushes(repo, seen.default_branch, 0)), default=0)
        self._instance.ledger.deployments.register(agent, team=team, seen=seen, branch=branch, cursor=cursor, runs=runs)

    def _core(self) -> GiteaForge:
        login = self._instance.settings.account("core")
        token = self._instance.secret_store.token(self._forge, login)
        instance = self._instance
        return GiteaForge(name=self._forge, url=instance.url(self._forge), token=token, current=instance.names.current)


def _template(path: str) -> str:
    return resources.files("hive.provision").joinpath("template", path).read_text(encoding="utf-8")
