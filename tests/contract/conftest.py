"""A forge that was made ready: the embedded one in each flavour, or the one that HIVE_TEST_FORGE names.

On a forge of somebody's everything is made under names of its own and taken away again. A real
forge must be allowed to deliver to loopback (`[webhook] ALLOWED_HOST_LIST = loopback`).
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
import requests

from forge.embedded import FLAVOURS, FORGEJO_10, EmbeddedForge
from forge.events import Event
from forge.gitea.admin import GiteaAdmin
from forge.gitea.client import Client, route
from forge.gitea.connection import ForgeConnection
from forge.gitea.decode_deliveries import decode
from forge.gitea.operator import GiteaOperator
from forge.gitea.writer import GiteaForge
from forge.models import Ref, Repo
from forge.protocol import Conflict, NotFound
from forge.webhook import verify_any_case
from tests.contract import cases, gate, table
from tests.contract.ear import Ear, listening
from tests.contract.gate import Gate
from tests.contract.proof import PROOF, Proof, pytest_terminal_summary
from tests.contract.stories import people
from tests.contract.story import Story, basic
from tests.nightly import IS_NIGHT

__all__ = ["pytest_terminal_summary"]

T = TypeVar("T")
HERE = os.environ.get("HIVE_TEST_HERE", "127.0.0.1")
"""How the forge finds this machine, if it does not run here as well."""
SECRET = b"battery staple"
SCOPES = ("write:repository", "write:issue", "write:notification", "read:user", "read:organization")
WRITES = {"repo.code": "write", "repo.issues": "write", "repo.pulls": "write"}
MARK = "<!-- hive:1 -->"
PEOPLE = ("ops", "iris", "eve")
URL = os.environ.get("HIVE_TEST_FORGE", "").rstrip("/")

Face = TypeVar("Face", bound=ForgeConnection)


@dataclass(frozen=True)
class Site:
    """Where a forge is, and who may do everything there."""

    url: str
    login: str
    password: str
    retry: float
    """Seconds that it may take for what it does in its own time."""


@dataclass
class Receiver:
    """Where a hook delivers to: verifies, decodes, and keeps the events."""

    url: str = ""
    events: list[Event] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """Keep what a delivery says."""
        found = decode(verify_any_case("work", headers, body, [SECRET]))
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
class ContractForge:
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
def standing(place: Path, flavour: str) -> Iterator[Site]:
    """The forge that HIVE_TEST_FORGE names, or an embedded one."""
    if URL:
        login, _, password = os.environ.get("HIVE_TEST_FORGE_ADMIN", "").partition(":")
        if not password:
            pytest.fail("HIVE_TEST_FORGE needs HIVE_TEST_FORGE_ADMIN=user:password, a site admin", pytrace=False)
        yield Site(URL, login, password, 30.0)
        return
    with EmbeddedForge(place, flavour=FLAVOURS[flavour]) as forge:
        forge.create_admin("root", "correct horse")
        yield Site(forge.url, "root", "correct horse", 5.0)


@cache
def server(flavour: str) -> str:
    """What stands for a flavour."""
    return f"real {version(URL)}" if URL else f"embedded {flavour}"


@cache
def flavours() -> list[str]:
    """The flavours that are tested: those of the embedded forge, the oldest of them each night, or the nearest to the real one."""
    if not URL:
        played = [name for name in FLAVOURS if IS_NIGHT or name != FORGEJO_10.name]
        return [name for name in table.flavours() if name in played]
    return [nearest(version(URL))]


def version(url: str) -> str:
    """What a forge says that it is."""
    return str(requests.get(f"{url}/api/v1/version", timeout=30).json()["version"])


def nearest(named: str) -> str:
    """The flavour of which there are recordings that a version is nearest to."""
    kind, number = ("forgejo" if "+gitea-" in named else "gitea"), re.findall(r"\d+", named)
    like = [name for name in table.flavours() if name.startswith(kind)]
    place = 0 if kind == "forgejo" else 1
    return min(like, key=lambda name: abs(int(re.findall(r"\d+", name)[place]) - int(number[place])))


def pytest_configure(config: pytest.Config) -> None:
    """Begin to note what is proved."""
    config.stash[PROOF] = Proof()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each recorded case of each flavour; of a difference that is known, one that has to fail."""
    kind = {"answered": table.ANSWERS, "delivered": table.DELIVERIES}
    known = [name for name in kind if name in metafunc.fixturenames]
    if not known and "flavour" in metafunc.fixturenames:
        metafunc.parametrize("flavour", flavours(), indirect=True, scope="session")
    for name in known:
        rows = [
            pytest.param(flavour, case, id=f"{flavour}-{case}", marks=_marks(f"{server(flavour)} {case}"))
            for flavour in flavours()
            for case in table.load(flavour, kind[name])
            if not cases.why(cases.LEFT, case)
        ]
        metafunc.parametrize(("flavour", name), rows, indirect=["flavour"], scope="session")


def _marks(case: str) -> list[pytest.MarkDecorator]:
    reason = cases.why(cases.KNOWN, case)
    return [pytest.mark.xfail(reason=reason, strict=True)] if reason else []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What counts comes last, on each forge; the story of a real one takes minutes."""
    for item in items:
        if "story" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(3600))
    order = list(dict.fromkeys(map(_flavour, items)))
    items.sort(key=lambda item: (order.index(_flavour(item)), item.path.name == "test_whole.py"))


def _flavour(item: pytest.Item) -> str:
    spec = getattr(item, "callspec", None)
    return str(spec.params.get("flavour", "")) if spec else ""


@pytest.fixture(scope="session")
def flavour(request: pytest.FixtureRequest) -> str:
    """Which recordings the forge is held against."""
    return str(request.param)


@pytest.fixture(scope="session")
def proof(request: pytest.FixtureRequest) -> Proof:
    """What is proved."""
    return request.config.stash[PROOF]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, flavour: str, proof: Proof) -> Iterator[Site]:
    """A forge."""
    with standing(tmp_path_factory.mktemp("forge"), flavour) as site:
        proof.servers[flavour] = f"{'real' if URL else 'embedded, as'} {version(site.url)}"
        if not URL:
            assert version(site.url) == table.version(flavour)
        yield site


@pytest.fixture(scope="session")
def same_version(site: Site, flavour: str) -> bool:
    """Whether the forge is of the version that was recorded."""
    return version(site.url) == table.version(flavour)


@pytest.fixture(scope="session")
def front(site: Site) -> Iterator[Gate]:
    """Where the adapter goes through to the forge."""
    with gate.before(site.url) as front:
        yield front


@pytest.fixture(scope="session")
def ear() -> Iterator[Ear]:
    """Where the hooks of the story deliver to."""
    with listening(HERE) as ear:
        yield ear


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, site: Site, flavour: str, ear: Ear) -> Iterator[Story]:
    """All recorded situations, made again."""
    auth = {"admin": basic(site.login, site.password), "none": ""}
    story = Story(site.url, flavour, site.login, ear, tmp_path_factory.mktemp("story"), auth, site.retry)
    with closing(story.http):
        try:
            cases.play(story)
            yield story
        finally:
            people.clear(story)


@pytest.fixture(scope="session")
def contract_forge(site: Site, front: Gate, flavour: str, proof: Proof, receiver: Receiver) -> Iterator[ContractForge]:
    """A town for all tests; each makes a repository of its own."""
    with ExitStack() as stack:

        def face(made: Face) -> Face:
            stack.enter_context(made)
            return proof.watched(flavour, made)

        admin = face(GiteaAdmin(name="work", url=front.url, login=site.login, password=site.password))
        raw = stack.enter_context(closing(Client(site.url, login=site.login, password=site.password)))
        contract_forge = ContractForge(front.url, secrets.token_hex(3), admin, raw)
        stack.callback(contract_forge.clear)
        for name in PEOPLE:
            contract_forge.tokens[name] = admin.make_token(contract_forge.user_named(name), "hive", SCOPES)
        org = contract_forge.org_named("acme")
        admin.ensure_team(org, "operators", permission="admin", units={}, members=[contract_forge.login("ops")])
        admin.ensure_team(org, "agents", permission="write", units=WRITES, members=[contract_forge.login("iris")])
        admin.ensure_hook(org, receiver.url, SECRET.decode(), ["issues", "pull_request"])
        contract_forge.ops, contract_forge.iris, contract_forge.eve = (
            face(GiteaForge(name="work", url=front.url, token=contract_forge.tokens[name])) for name in PEOPLE
        )
        contract_forge.operator = face(GiteaOperator(name="work", url=front.url, token=contract_forge.tokens["ops"]))
        yield contract_forge
