"""A forge with two operators and nothing else, a house for two teams on it, and the command line before them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bots.models import Level
from forge.embedded import EmbeddedForge
from forge.embedded.flavours import FLAVOURS, GITEA_127
from forge.gitea.client import Client, route
from forge.gitea.writer import GiteaForge
from forge.models import Repo
from hive.app.web import serve
from hive.config import load
from hive.instance.instance import Instance
from hive.provision import CheckResult, Doctor, Key, Provisioner, Rotation
from tests.commands import hive
from tests.nightly import by_night

ADMIN, PASSWORD = "root", "root-password"
CONFIG = """\
state: state
web: {{host: 127.0.0.1, port: {web}}}
forges: {{work: {{kind: {kind}, url: "{url}"}}}}
model: {{url: "http://127.0.0.1:1"}}
teams:
  acme:
    forge: work
    operators: [mara]
    repos: [app]
    agents: [iris]
    lanes: {{app: {{agent: iris}}}}
    kinds: {{type/bug: [bug]}}
  birch:
    forge: work
    operators: [mara, noor]
    repos: [site]
    agents: [bo]
    lanes: {{site: {{agent: bo}}}}
"""
KNOWN = FLAVOURS | {GITEA_127.name: GITEA_127}
EVERY = pytest.mark.parametrize("flavour", ["forgejo-17", *by_night("gitea-1.26", "forgejo-10")])
"""A test of the whole way is played on one forge at each push, and on all of them each night."""

RIGHTS = pytest.mark.parametrize("flavour", ["forgejo-17", "gitea-1.26", *by_night("forgejo-10")])
"""What accounts may do differs most between forges, and is tried on two of them at each push."""
ALL = ("write:repository", "write:issue", "write:user", "write:organization", "write:admin")


@dataclass
class ProvisionEnv:
    """A forge and a house; `raw` is the site admin, for what the hive never does."""

    forge: EmbeddedForge
    config: Path
    instance: Instance
    raw: Client

    def init(self) -> list[str]:
        """Make the forge ready; gives what was said."""
        said: list[str] = []
        Provisioner.run(self.instance, "work", ADMIN, PASSWORD, said.append, create_missing=True)
        return said

    def plan(self) -> list[str]:
        """What init would do."""
        return [
            step.planned() for step in Provisioner.plan(self.instance, "work", ADMIN, PASSWORD, create_missing=True)
        ]

    def doctor(self, *, admin: bool = True) -> list[CheckResult]:
        """What the doctor finds on the forge; containers are not tried each time."""
        key = Key(ADMIN, PASSWORD) if admin else None
        return list(Doctor(self.instance, "hive.yaml", retry=20).look({"work": key}))

    def ills(self, *, admin: bool = True) -> list[str]:
        """What the doctor finds wrong, the receiver that does not run and projects without a commit left out."""
        return [
            str(sign)
            for sign in self.doctor(admin=admin)
            if sign.level is not Level.GREEN
            and not any(
                word in str(sign)
                for word in (
                    "receiver",
                    "bubblewrap",
                    "not contained",
                    "is empty: ",
                    "runs as root",
                    "a limit of containers",
                )
            )
        ]

    def rotation(self) -> Rotation:
        """The replacing of secrets."""
        return Rotation(self.instance, "work", lambda _: None)

    def by(self, login: str) -> GiteaForge:
        """The hands of one of the hive's accounts."""
        return GiteaForge(name="work", url=self.forge.url, token=self.instance.secret_store.token("work", login))

    def person(self, login: str) -> Client:
        """Somebody with a password."""
        return Client(self.forge.url, login=login, password=f"{login}-password")

    def team(self, org: str, name: str) -> int:
        """The id of a team."""
        rows = self.raw.rows(route("orgs", org, "teams"))
        return next(row["id"].number() for row in rows if row["name"].text() == name)

    def hooks(self, org: str) -> list[int]:
        """The ids of an organisation's hooks."""
        return [row["id"].number() for row in self.raw.rows(route("orgs", org, "hooks"))]

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that the forge keeps in its database."""
        state = self.forge.site.state
        tables = [row["name"] for row in state.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: [dict(row) for row in state.rows(f"SELECT * FROM {table}")] for table in tables}  # noqa: S608

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """While the receiver runs."""
        over = threading.Event()
        receiver = threading.Thread(target=serve, args=(self.instance, over), name="receiver")
        receiver.start()
        try:
            yield
        finally:
            over.set()
            receiver.join()

    def hive(self, *words: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
        """The command line, with the configuration as its first argument."""
        command, *more = words
        return hive(command, str(self.config), *more, env={"HIVE_ADMIN_PASSWORD": password, "COLUMNS": "80"})


APP, SITE = Repo("work", "acme", "app"), Repo("work", "birch", "site")
IRIS, BO = Repo("work", "agent-configs", "iris"), Repo("work", "agent-configs", "bo")
Build = Callable[[str], ProvisionEnv]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def standing(root: Path, flavour: str, web: int) -> Iterator[ProvisionEnv]:
    """An estate below a directory, on a forge that runs as long as this."""
    with ExitStack() as stack:
        forge = stack.enter_context(EmbeddedForge(root / "forge", flavour=KNOWN[flavour]))
        forge.create_admin(ADMIN, PASSWORD)
        raw = Client(forge.url, login=ADMIN, password=PASSWORD)
        stack.callback(raw.close)
        config = root / "hive.yaml"
        kind = "gitea" if flavour.startswith("gitea") else "forgejo"
        config.write_text(CONFIG.format(url=forge.url, web=web, kind=kind))
        instance = Instance(replace(load(config), sandbox="none"))
        stack.callback(instance.close)
        yield ProvisionEnv(forge, config, instance, raw)


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Makes an estate on a fresh forge of some flavour, with accounts of the operators only."""
    with ExitStack() as stack:

        def make(flavour: str) -> ProvisionEnv:
            provision_env = stack.enter_context(standing(tmp_path, flavour, free_port()))
            people(provision_env)
            return provision_env

        yield make


def people(provision_env: ProvisionEnv) -> None:
    """The accounts of the operators."""
    for login in ("mara", "noor"):
        said = {"username": login, "email": f"{login}@x.example", "password": f"{login}-password"}
        provision_env.raw.post("/admin/users", **said, must_change_password=False)


@pytest.fixture
def fresh(build: Build) -> ProvisionEnv:
    """A forge that the hive has not been to."""
    return build("forgejo-17")


@dataclass(frozen=True)
class Ready:
    """What an estate that was made ready left on the disk, to be copied; hooks know the receiver's port."""

    root: Path
    web: int


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    """A forge that was made ready, and stopped."""
    made = Ready(tmp_path_factory.mktemp("ready"), free_port())
    with standing(made.root, "forgejo-17", made.web) as provision_env:
        people(provision_env)
        provision_env.init()
    return made


@pytest.fixture
def provision_env(ready: Ready, tmp_path: Path) -> Iterator[ProvisionEnv]:
    """A forge that was made ready."""
    shutil.copytree(ready.root, tmp_path, dirs_exist_ok=True)
    with standing(tmp_path, "forgejo-17", ready.web) as provision_env:
        yield provision_env
