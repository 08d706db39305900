"""A forge that was made ready: the embedded one, or the one that HIVE_TEST_FORGE names.

On a forge of somebody's everything is made under names of its own and taken away again. A real
forge must be allowed to deliver to loopback (`[webhook] ALLOWED_HOST_LIST = loopback`).
"""

from __future__ import annotations

import os
import secrets
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest

from forge.embedded import EmbeddedForge
from forge.events import Event
from forge.gitea.admin import GiteaAdmin
from forge.gitea.client import Client, route
from forge.gitea.decode import decode
from forge.gitea.operator import GiteaOperator
from forge.gitea.write import GiteaForge
from forge.protocol import Conflict, NotFound
from forge.types import Ref, Repo
from forge.webhook import verify

T = TypeVar("T")
HERE = os.environ.get("HIVE_TEST_HERE", "127.0.0.1")
"""How the forge finds this machine, if it does not run here as well."""
SECRET = b"battery staple"
SCOPES = ("write:repository", "write:issue", "write:notification", "read:user", "read:organization")
WRITES = {"repo.code": "write", "repo.issues": "write", "repo.pulls": "write"}
MARK = "<!-- hive:1 -->"
PEOPLE = ("ops", "iris", "eve")


@dataclass(frozen=True)
class Site:
    """Where a forge is, and who may do everything there."""

    url: str
    login: str
    password: str


@dataclass
class Receiver:
    """Where a hook delivers to: verifies, decodes, and keeps the events."""

    url: str = ""
    events: list[Event] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """Keep what a delivery says."""
        found = decode(verify("work", headers, body, [SECRET]))
        with self.came:
            self.events += found
            self.came.notify_all()

    def until(self, *kinds: type[Event], ref: Ref) -> list[Event]:
        """Wait until there is an event of each kind about `ref`, and give all that are about it."""

        def here() -> list[Event]:
            return [event for event in self.events if event.ref == ref]

        with self.came:
            assert self.came.wait_for(lambda: {type(event) for event in here()}.issuperset(kinds), timeout=30), here()
            return here()


@dataclass
class Town:
    """A forge that was made ready: ops is an operator, iris an agent, eve a stranger."""

    url: str
    tag: str
    admin: GiteaAdmin
    raw: Client
    """For what the hive never does."""
    tokens: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)
    orgs: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    ops: GiteaForge = field(init=False)
    iris: GiteaForge = field(init=False)
    eve: GiteaForge = field(init=False)
    operator: GiteaOperator = field(init=False)

    @property
    def org(self) -> str:
        """The organisation of most repositories."""
        return self.orgs[0]

    def login(self, name: str) -> str:
        """What somebody is called on this forge."""
        return f"{name}-{self.tag}"

    def user_named(self, name: str) -> str:
        """A new account; gives its login."""
        login = self.login(name)
        self.admin.ensure_user(login, password=secrets.token_hex(12), email=f"{login}@forge.example")
        self.users.append(login)
        return login

    def org_named(self, name: str) -> str:
        """A new organisation; gives its name."""
        org = self.login(name)
        assert self.admin.ensure_org(org)
        self.orgs.append(org)
        return org

    def repo(self) -> Repo:
        """A repository of its own for a test, with a file on main."""
        repo = Repo("work", self.org, f"app{next(self.numbers)}")
        assert self.admin.ensure_repo(repo, private=True)
        self.iris.put_file(repo, "a.py", b"one\ntwo\nthree\n", message="begin", branch="main")
        return repo

    def repo_for(self, reader: str) -> Repo:
        """A repository that somebody from outside may read."""
        repo = self.repo()
        self.admin.ensure_collaborator(repo, self.login(reader), "read")
        return repo

    def change(self, repo: Repo, branch: str = "agent/iris/1") -> str:
        """A branch that changes the second line; gives its head."""
        self.raw.post(route("repos", *repo.path.split("/"), "branches"), new_branch_name=branch)
        self.iris.put_file(repo, "a.py", b"one\n2\nthree\n", message="change", branch=branch)
        return self.iris.branch(repo, branch).sha

    def pull(self, repo: Repo) -> Ref:
        """An open pull request of iris."""
        self.change(repo)
        return self.iris.open_pull(repo, head="agent/iris/1", base="main", title="two is 2", body="").ref

    def merge(self, ref: Ref) -> None:
        """Merge as it stands; a forge that still looks for conflicts says Conflict for up to 22 s."""
        self.until(lambda: self.operator.merge(ref, head_sha=self.ops.pull(ref).head_sha))

    def until(self, ask: Callable[[], T]) -> T:
        """The answer, once it is no Conflict and holds what it asserts: much is done in queues."""
        over = time.monotonic() + 45
        while True:
            try:
                return ask()
            except (Conflict, AssertionError):
                if time.monotonic() > over:
                    raise
                time.sleep(0.2)

    def git(self, who: str, place: Path, *words: str) -> str:
        """Run git as somebody and give what it says; raises CalledProcessError."""
        env = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
        env |= {f"GIT_{role}_{key}": who for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_TERMINAL_PROMPT": "0"}
        basic = b64encode(f"{self.login(who)}:{self.tokens[who]}".encode()).decode()
        env["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {basic}"
        command = ["git", *words]
        done = subprocess.run(command, cwd=place, env=env, check=True, capture_output=True, text=True)
        return done.stdout

    def clear(self) -> None:
        """Take away all that was made."""
        for org in self.orgs:
            for row in list(self.raw.rows(route("orgs", org, "repos"))):
                self.raw.delete(route("repos", org, row["name"].text()))
            self.raw.delete(route("orgs", org))
        for login in self.users:
            with suppress(NotFound):
                self.raw.delete(route("admin", "users", login))


def some(answer: T) -> T:
    """An answer that is not empty: for `Town.until`."""
    assert answer
    return answer


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """Where the organisation's hook delivers to."""
    heard = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.take(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HERE, 0), Handler) as server:
        heard.url = f"http://{HERE}:{server.server_port}/hook/work"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield heard
        server.shutdown()
        thread.join()


@contextmanager
def standing(place: Path) -> Iterator[Site]:
    """The forge that HIVE_TEST_FORGE names, or an embedded one."""
    url = os.environ.get("HIVE_TEST_FORGE")
    if url:
        login, _, password = os.environ.get("HIVE_TEST_FORGE_ADMIN", "").partition(":")
        if not password:
            pytest.fail("HIVE_TEST_FORGE needs HIVE_TEST_FORGE_ADMIN=user:password, a site admin", pytrace=False)
        yield Site(url.rstrip("/"), login, password)
        return
    with EmbeddedForge(place) as forge:
        forge.create_admin("root", "correct horse")
        yield Site(forge.url, "root", "correct horse")


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Town]:
    """A town for all tests; each makes a repository of its own."""
    with ExitStack() as stack:
        site = stack.enter_context(standing(tmp_path_factory.mktemp("forge")))
        admin = stack.enter_context(GiteaAdmin(name="work", url=site.url, login=site.login, password=site.password))
        raw = stack.enter_context(closing(Client(site.url, login=site.login, password=site.password)))
        town = Town(site.url, secrets.token_hex(3), admin, raw)
        stack.callback(town.clear)
        for name in PEOPLE:
            town.tokens[name] = admin.make_token(town.user_named(name), "hive", SCOPES)
        org = town.org_named("acme")
        admin.ensure_team(org, "operators", permission="admin", units={}, members=[town.login("ops")])
        admin.ensure_team(org, "agents", permission="write", units=WRITES, members=[town.login("iris")])
        admin.ensure_hook(org, receiver.url, SECRET.decode(), ["issues", "pull_request"])
        town.ops, town.iris, town.eve = (
            stack.enter_context(GiteaForge(name="work", url=site.url, token=town.tokens[name])) for name in PEOPLE
        )
        town.operator = stack.enter_context(GiteaOperator(name="work", url=site.url, token=town.tokens["ops"]))
        yield town
