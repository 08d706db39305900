"""A forge that was made ready, and the house around it, in one process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from forge.embedded import FLAVOURS, FORGEJO_17, GITEA_127, EmbeddedForge, Flavour
from forge.gitea.admin import GiteaAdmin
from forge.gitea.writer import GiteaForge
from forge.models import Repo
from hive.app.set_up import ADMIN
from hive.app.work import worker_deps
from hive.config import load
from hive.demo.setup import FORGE, OPERATOR, TEAM, write_config
from hive.instance.instance import Instance
from hive.provision import Provisioner
from hive.worker.worker import Worker
from tests.backends import everyday
from tests.person import Person

APP = Repo(FORGE, TEAM, "app")
CONFIG = Repo(FORGE, "agent-configs", "iris")
WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]
KNOWN = FLAVOURS | {GITEA_127.name: GITEA_127}


@dataclass
class HiveEnv:
    """A house whose forge is ready; `made` is what provisioning said it made."""

    forge: EmbeddedForge
    instance: Instance
    mara: Person
    made: list[str]

    def provision(self) -> list[str]:
        """Make the forge ready again; returns what was made."""
        said: list[str] = []
        Provisioner.run(self.instance, FORGE, ADMIN, self.instance.secret_store.password(FORGE, ADMIN), said.append)
        return said

    def house_core(self) -> GiteaForge:
        """The hands of the hive's own account."""
        return GiteaForge(name=FORGE, url=self.forge.url, token=self.instance.secret_store.token(FORGE, "core"))

    def worker(self) -> Worker:
        """A worker of the house."""
        return Worker(worker_deps(self.instance))


@pytest.fixture
def hive_env(tmp_path: Path) -> Iterator[HiveEnv]:
    """A forge of its own for each test, made ready for one team."""
    with make_env(tmp_path) as made:
        yield made


@contextmanager
def make_env(
    tmp_path: Path,
    flavour: Flavour = FORGEJO_17,
    through: Callable[[WSGI], WSGI] = lambda app: app,
    first: ProvisionedSnapshot | None = None,
) -> Iterator[HiveEnv]:
    """A forge below a directory, made ready for one team, and the house around it: a copy of the first one.

    Its requests go `through` an application of the test.
    """
    first = first or provisioned_snapshot(flavour.name)
    shutil.copytree(first.place.name, tmp_path, dirs_exist_ok=True)
    with (
        running(tmp_path, flavour, through) as (forge, instance),
        Person(name=FORGE, url=forge.url, token=first.token) as mara,
    ):
        yield HiveEnv(forge, instance, mara, list(first.made))


@dataclass(frozen=True)
class ProvisionedSnapshot:
    """A village as it was when it had been made ready, or later; nobody lives in it."""

    place: TemporaryDirectory[str]
    token: str
    made: tuple[str, ...]


@cache
def provisioned_snapshot(flavour: str) -> ProvisionedSnapshot:
    """Make a village ready, once in a process: that takes seconds, and a copy of it almost none."""
    place = TemporaryDirectory(prefix="hive-village-")
    with running(Path(place.name), KNOWN[flavour]) as (forge, instance):
        password = instance.secret_store.password(FORGE, ADMIN)
        forge.create_admin(ADMIN, password)
        with GiteaAdmin(name=FORGE, url=forge.url, login=ADMIN, password=password) as admin:
            admin.ensure_user(
                OPERATOR, password=instance.secret_store.password(FORGE, OPERATOR), email="mara@forge.invalid"
            )
            admin.ensure_org(TEAM)
            admin._client.post(f"/orgs/{TEAM}/repos", name=APP.name, auto_init=True, default_branch="main")
            token = admin.make_token(OPERATOR, "tests", ("write:repository", "write:issue", "read:user"))
        with Person(name=FORGE, url=forge.url, token=token) as mara:
            made = HiveEnv(forge, instance, mara, []).provision()
    return ProvisionedSnapshot(place, token, tuple(made))


@cache
def later_snapshot(flavour: str, live: Callable[[HiveEnv], object]) -> ProvisionedSnapshot:
    """Let something happen in a village, once in a process; the village as it is then."""
    place = TemporaryDirectory(prefix="hive-village-")
    with make_env(Path(place.name), KNOWN[flavour]) as lived:
        live(lived)
    return replace(provisioned_snapshot(flavour), place=place)


@contextmanager
def running(
    place: Path, flavour: Flavour, through: Callable[[WSGI], WSGI] = lambda app: app
) -> Iterator[tuple[EmbeddedForge, Instance]]:
    """The forge and the house below a directory, on whatever port is free."""
    with ExitStack() as stack:
        forge = EmbeddedForge(place / "forge", flavour=flavour)
        forge.wsgi = through(forge.wsgi)
        stack.enter_context(forge)
        port = int(forge.url.rpartition(":")[2])
        names = {"model_url": "http://127.0.0.1:1", "sandbox": everyday()}
        instance = Instance(load(write_config(place, forge_port=port, web_port=1, **names)))
        stack.callback(instance.close)
        yield forge, instance
