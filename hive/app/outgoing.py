"""What leaves the containers of this host: one look through all texts and pushes, with what the host knows. Posts nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from forge.models import Repo
from hive.app.turn_brief import email_of
from hive.gateway.outbound import KnownSecrets, Outbound
from hive.gateway.push_check import PushCheck
from hive.git_mirror.mirror import Login, Mirror, MirrorCache
from hive.instance.instance import Instance


class Outgoing:
    """Makes the checks of each agent; all share the known secrets, and the mirrors that pushes are compared with."""

    def __init__(self, instance: Instance, secrets: Callable[[], Iterable[str]], wake: Callable[[int], None]) -> None:
        """`secrets` are those of this process, beside the stored ones; `wake` is told of an effect."""
        self._instance = instance
        self._known = KnownSecrets(lambda: instance.secret_store.all().union(secrets()))
        self._wake = wake
        self._mirrors = MirrorCache(instance.settings.state / "mirrors" / "push")

    def tidy(self) -> None:
        """Remove what an earlier process left of pushes."""
        shutil.rmtree(self._waiting, ignore_errors=True)

    def texts(self, team: str, agent: str) -> Outbound:
        """What looks through an agent's texts."""
        instance, core = self._instance, self._instance.settings.account("core")
        return Outbound(instance.ledger, team, agent, core, instance.ops(team), self._known, self._wake)

    def pushes(self, team: str, agent: str) -> PushCheck:
        """What looks through an agent's pushes."""
        settings = self._instance.settings
        return PushCheck(
            self.texts(team, agent),
            f"{agent} <{email_of(agent, settings)}>",
            partial(self._mirror, settings.teams[team].forge, agent),
            self._waiting,
            protected=settings.protected_paths,
            granted=settings.teams[team].grants.get(agent, ()),
        )

    def _mirror(self, forge: str, agent: str, path: str) -> Mirror:
        login = Login(agent, self._instance.secret_store.token(forge, agent))
        return self._mirrors.mirror(Repo(forge, *path.split("/")), f"{self._instance.url(forge)}/{path}.git", login)

    @property
    def _waiting(self) -> Path:
        return self._instance.settings.state / "pushes"
