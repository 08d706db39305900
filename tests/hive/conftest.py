"""A forge that was made ready, and the house around it, in one process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from forge.embedded import FLAVOURS, FORGEJO_17, GITEA_127, EmbeddedForge, Flavour
from forge.gitea.admin import GiteaAdmin
from forge.gitea.write import GiteaForge
from forge.types import Repo
from hive.app.house import House
from hive.app.up import ADMIN
from hive.app.work import workshop
from hive.demo.stage import FORGE, OPERATOR, TEAM, write_config
from hive.provision import Provision
from hive.settings import load
from hive.work import Worker

APP = Repo(FORGE, TEAM, "app")
CONFIG = Repo(FORGE, "agent-configs", "iris")
KNOWN = FLAVOURS | {GITEA_127.name: GITEA_127}


@dataclass
class Village:
    """A house whose forge is ready; `made` is what provisioning said it made."""

    forge: EmbeddedForge
    house: House
    mara: GiteaForge
    made: list[str]

    def provision(self) -> list[str]:
        """Make the forge ready again; returns what was made."""
        said: list[str] = []
        Provision.run(self.house, FORGE, ADMIN, self.house.vault.password(FORGE, ADMIN), said.append)
        return said

    def house_core(self) -> GiteaForge:
        """The hands of the hive's own account."""
        return GiteaForge(name=FORGE, url=self.forge.url, token=self.house.vault.token(FORGE, "core"))

    def worker(self) -> Worker:
        """A worker of the house."""
        return Worker(workshop(self.house))


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    """A forge of its own for each test, made ready for one team."""
    with settle(tmp_path) as made:
        yield made


@contextmanager
def settle(tmp_path: Path, flavour: Flavour = FORGEJO_17) -> Iterator[Village]:
    """A forge below a directory, made ready for one team, and the house around it: a copy of the first one."""
    first = founded(flavour.name)
    shutil.copytree(first.place.name, tmp_path, dirs_exist_ok=True)
    with (
        lived_in(tmp_path, flavour) as (forge, house),
        GiteaForge(name=FORGE, url=forge.url, token=first.token) as mara,
    ):
        yield Village(forge, house, mara, list(first.made))


@dataclass(frozen=True)
class Founded:
    """A village as it was when it had been made ready; nobody lives in it."""

    place: TemporaryDirectory[str]
    token: str
    made: tuple[str, ...]


@cache
def founded(flavour: str) -> Founded:
    """Make a village ready, once in a process: that takes seconds, and a copy of it almost none."""
    place = TemporaryDirectory(prefix="hive-village-")
    with lived_in(Path(place.name), KNOWN[flavour]) as (forge, house):
        password = house.vault.password(FORGE, ADMIN)
        forge.create_admin(ADMIN, password)
        with GiteaAdmin(name=FORGE, url=forge.url, login=ADMIN, password=password) as admin:
            admin.ensure_user(OPERATOR, password=house.vault.password(FORGE, OPERATOR), email="mara@forge.invalid")
            admin.ensure_org(TEAM)
            admin._client.post(f"/orgs/{TEAM}/repos", name=APP.name, auto_init=True, default_branch="main")
            token = admin.make_token(OPERATOR, "tests", ("write:repository", "write:issue", "read:user"))
        with GiteaForge(name=FORGE, url=forge.url, token=token) as mara:
            made = Village(forge, house, mara, []).provision()
    return Founded(place, token, tuple(made))


@contextmanager
def lived_in(place: Path, flavour: Flavour) -> Iterator[tuple[EmbeddedForge, House]]:
    """The forge and the house below a directory, on whatever port is free."""
    with ExitStack() as stack:
        forge = stack.enter_context(EmbeddedForge(place / "forge", flavour=flavour))
        port = int(forge.url.rpartition(":")[2])
        house = House(load(write_config(place, forge_port=port, web_port=1, model_url="http://127.0.0.1:1")))
        stack.callback(house.close)
        yield forge, house
