"""The JSON of a turn: what an agent is told, where it works, and within which limits."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

from forge.gitea.reader import GiteaReader
from forge.models import Ref, Repo
from forge.protocol import ForgeError, NotFound
from hive.app.agent_prompt import system_prompt
from hive.app.branches import Branches
from hive.app.loose_ends import LooseEnds
from hive.app.rebuilt_notice import rebuilt_notice
from hive.config import EVERYDAY, BadYaml, RepositoryFile, Settings, read_repository
from hive.gateway.budget import caps_of
from hive.instance.instance import Instance
from hive.instance.repository_names import RepositoryNames
from hive.instance.running_agent import current_model, running_spec
from hive.ledger import Caps, Turn
from hive.ledger.runs import LEASE_SECONDS
from hive.secret_store import NoSecret
from hive.worker.outages import UNAUTHORIZED, suspend_account

log = logging.getLogger("hive.host")


@cache
def forge_reader(forge: str, url: str, token: str, names: RepositoryNames) -> GiteaReader:
    """The forge as the owner of a token sees it."""
    return GiteaReader(name=forge, url=url, token=token, current=names.current)


def email_of(agent: str, settings: Settings) -> str:
    """The address in an agent's commits: it belongs to nobody."""
    return f"{agent}@{settings.account('core')}.invalid"


@dataclass(frozen=True, slots=True)
class Brief:
    """Makes the JSON of a turn: what the agent is told, and where it works.

    If the forge rejects the agent's token, its turns are suspended and the operators are notified.
    """

    instance: Instance
    agent: str
    team: str

    def __call__(self, turn: Turn) -> dict[str, Any]:
        """The turn; raises OSError while the forge is unavailable."""
        settings = self.instance.settings
        issue = Ref.parse(turn.ref)
        config = Repo(issue.repo.forge, settings.configs, self.agent)
        base = self.base(issue.repo)
        ledger, reader = self.instance.ledger, self.reader()
        branches = Branches(self.agent, ledger, reader)
        said = (turn.message, rebuilt_notice(ledger, turn), LooseEnds(self.agent, ledger, reader)(turn))
        message = "\n\n".join(filter(None, said))
        return {
            "lease": int(LEASE_SECONDS),
            "memory": turn.memory,
            "message": message,
            "request": self._request(turn),
            "issue": turn.ref,
            "pull": turn.pull,
            "repo": issue.repo.path,
            "base": base,
            "branch": branches.work(turn),
            "proposal": branches.proposal(turn),
            "config_repo": config.path,
            "config_base": self.base(config),
            "knowledge": self.instance.settings.knowledge_of(issue.repo.forge).path,
            **self._demands(issue.repo, base),
            "author": {"name": self.agent, "email": email_of(self.agent, settings)},
            **self._spec(),
        }

    def _request(self, turn: Turn) -> dict[str, Any] | None:
        """What is asked in plain parts; `again` if this turn says to go on with what an earlier one was asked."""
        request = self.instance.ledger.runs.request(turn)
        return {**json.loads(request), "again": not turn.request} if request else None

    def reader(self) -> GiteaReader:
        """The forge as the agent sees it, with its current token; raises OSError without one."""
        instance, forge = self.instance, self.instance.settings.teams[self.team].forge
        try:
            return forge_reader(
                forge, instance.url(forge), instance.secret_store.token(forge, self.agent), instance.names
            )
        except NoSecret as error:
            raise OSError(str(error)) from error

    def base(self, repo: Repo) -> str:
        """A repository's default branch; raises OSError while the forge is unavailable, or the repository is missing."""
        self.instance.address(repo)
        try:
            return self.reader().repository(repo).default_branch
        except ForgeError as error:
            raise self._unreadable(repo, error) from error

    def model(self) -> str:
        """The model that the agent may use."""
        return str(self._spec()["model"])

    def capabilities(self) -> frozenset[str]:
        """What the agent may ask of its broker; raises OSError without a configuration."""
        return frozenset(self._spec()["capabilities"])

    def caps(self) -> Caps:
        """What the agent may spend: the hive's caps, and those of its own configuration where they are lower."""
        own = {name: int(cap) for name, cap in running_spec(self.instance, self.agent).get("budget", ())}
        return caps_of(self.instance.settings.budget, own)

    def _spec(self) -> dict[str, Any]:
        """What the running container's configuration says about the agent, within the host's limits."""
        settings = self.instance.settings
        spec = running_spec(self.instance, self.agent)
        model = current_model(self.instance, self.agent, spec)
        traits = settings.model.traits_of(model)
        return {
            "window": traits.window,
            "pictures": traits.pictures,
            "system": system_prompt(self.agent, self.team, settings.teams[self.team], spec),
            "model": model,
            "silence": settings.model.address(model).settings.silence,
            "engine": spec.get("engine", "native"),
            "command": spec.get("command", []),
            "capabilities": spec.get("capabilities", EVERYDAY),
            "max_steps": min(spec["max_steps"], settings.limits.steps),
            "minutes": min(spec["minutes"], settings.limits.minutes),
        }

    def _demands(self, repo: Repo, base: str) -> dict[str, Any]:
        """What the base branch demands of a change: a change cannot disable its own checks."""
        asked, limits = self._repository_file(repo, base), self.instance.settings.limits
        return {
            "checks": list(asked.checks),
            "max_files": limits.change_files if asked.max_files is None else asked.max_files,
            "max_lines": limits.change_lines if asked.max_lines is None else asked.max_lines,
        }

    def _repository_file(self, repo: Repo, base: str) -> RepositoryFile:
        try:
            return read_repository(self.reader().file(repo, ".hive.yaml", base).decode("utf-8", "replace"))
        except NotFound:
            return RepositoryFile()
        except BadYaml as error:
            log.warning("checks_unreadable repo=%s error=%r", repo, str(error)[:200])
            return RepositoryFile(checks=("echo 'the .hive.yaml of this repository is broken'; false",))
        except ForgeError as error:
            raise self._unreadable(repo, error) from error

    def _unreadable(self, repo: Repo, error: ForgeError) -> OSError:
        if error.status == UNAUTHORIZED:
            notify = self.instance.settings.account("core"), self.instance.ops(self.team)
            suspend_account(self.instance.ledger, self.team, self.agent, error, notify=notify)
        return OSError(f"{repo} cannot be read: {error}")
