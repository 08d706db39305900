"""Agents try to push to protected branches and to merge, which must be refused. Neither can succeed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace

from forge.doctor_probe import BRANCH
from forge.gitea.permission_probe import PermissionProbe, ProbeResult, try_merge, try_push
from forge.models import Branch, Repo
from forge.protocol import Unavailable
from hive.instance.instance import Instance
from hive.provision.check_results import CheckResult, kept, ok, problem, warning
from hive.provision.provisioner import sign_in
from hive.secret_store import NoSecret

ProtectedBranch = tuple[Repo, Branch]
LOUD = "it could approve its own work: stop the hive, then {again}"


class PermissionChecks:
    """Checks what agents may do to branches, by trying with their own tokens."""

    def __init__(self, instance: Instance, forge: str, again: str) -> None:
        self._instance = instance
        self._forge = forge
        self._fix = LOUD.format(again=again)
        self._again = again
        self._kept: list[str] = []

    def pushes(self, places: Sequence[ProtectedBranch]) -> Iterator[CheckResult]:
        """Let each agent try to push to each protected branch, also of other teams."""
        url = self._instance.url(self._forge)
        refused = []
        for agent, token in self._agents():
            open_to = []
            for repo, branch in places:
                try:
                    tried = try_push(url, agent, token, self._instance.names.current(repo), branch)
                except Unavailable as error:
                    yield warning(f"{agent} could not try to push to {repo.path}: {error}", "run the doctor again")
                    continue
                if not tried.refused:
                    open_to.append(repo.path)
                    yield problem(f"{agent} may push to {branch.name} of {repo.path}", self._fix)
            if not open_to:
                refused.append(agent)
        if refused and places:
            yield ok(f"pushes to {len(places)} protected branches were refused: {', '.join(refused)}")

    def merges(self, places: Sequence[ProtectedBranch], login: str, password: str) -> Iterator[CheckResult]:
        """Let each agent try to merge a draft in each repository; an admin deletes it afterwards."""
        core = self._instance.settings.account("core")
        url, token = self._instance.url(self._forge), self._instance.secret_store.token(self._forge, core)
        allowed: set[str] = set()
        with PermissionProbe(name=self._forge, url=url, token=token, current=self._instance.names.current) as probe:
            for repo, branch in places:
                for agent, tried in self._merge(probe, repo, branch, (login, password)):
                    if not tried.refused:
                        allowed.add(agent)
                        yield problem(
                            f"{agent} may merge in {repo.path} (the forge answered: {tried.said[-80:]})", self._fix
                        )
        refused = [agent for agent, _ in self._agents() if agent not in allowed]
        if refused and places:
            yield ok(f"merges in {len(places)} repositories were refused: {', '.join(refused)}")
        yield from kept(self._kept)

    def _merge(
        self, probe: PermissionProbe, repo: Repo, branch: Branch, key: tuple[str, str]
    ) -> Iterator[tuple[str, ProbeResult]]:
        name, url = f"{BRANCH}{secrets.token_hex(4)}", self._instance.url(self._forge)
        try:
            draft = probe.open_draft(repo, name, branch.name)
            try:
                here = replace(draft, repo=self._instance.names.current(repo))
                for agent, token in self._agents():
                    yield agent, try_merge(self._forge, url, token, here)
            finally:
                with sign_in(self._instance, self._forge, *key) as admin:
                    admin.delete_issue(draft)
        finally:
            if not probe.drop_branch(repo, name):
                self._kept.append(f"{name} of {repo.path}")

    def _agents(self) -> Iterator[tuple[str, str]]:
        """Agents that have a token; others are reported elsewhere."""
        for team in self._instance.settings.teams.values():
            for agent in team.agents if team.forge == self._forge else ():
                try:
                    yield agent, self._instance.secret_store.token(self._forge, agent)
                except NoSecret:
                    continue
