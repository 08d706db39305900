"""A running forge with a small env on it: an organisation, its teams, a repository, a receiver of hooks."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import requests

from forge.embedded import FORGEJO_17, EmbeddedForge, Flavour
from forge.embedded.services import orgs, people, repos

ALL = ["write:repository", "write:issue", "write:user", "write:organization", "write:notification"]
EVERYTHING = {"repo.code": "write", "repo.issues": "write", "repo.pulls": "write", "repo.releases": "write"}
TRIAGE = {"repo.code": "read", "repo.issues": "write", "repo.pulls": "write"}
LOOKING = {"repo.code": "read", "repo.issues": "read", "repo.pulls": "read"}
SECRET = "a hook's secret"
PEOPLE = ("root", "mara", "core", "triage", "iris", "eve", "nobody")
LOGINS = {"root": "root0", "nobody": ""}


def until(true: Callable[[], Any], seconds: float = 10) -> Any:
    """Wait until something is true, and answer it."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
    return value


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Person:
    """Somebody who calls the forge, over HTTP and with git."""

    forge: EmbeddedForge
    login: str
    authorization: str
    repo: str = "acme/app"

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """One call; `~` is the repository."""
        place = path.replace("~", f"/repos/{self.repo}", 1)
        headers = {"Authorization": self.authorization, "Connection": "close"} | more.pop("headers", {})
        url = f"{self.forge.url}/api/v1{place}"
        return requests.request(method, url, json=body, headers=headers, timeout=30, allow_redirects=False, **more)

    def get(self, path: str, **query: Any) -> Any:
        """What is there."""
        return _good(self.call("GET", path, params=query))

    def post(self, path: str, body: Any = None) -> Any:
        """What was made."""
        return _good(self.call("POST", path, body))

    def put(self, path: str, body: Any = None) -> Any:
        """What was set."""
        return _good(self.call("PUT", path, body))

    def patch(self, path: str, body: Any) -> Any:
        """What was changed."""
        return _good(self.call("PATCH", path, body))

    def delete(self, path: str, body: Any = None) -> Any:
        """What is gone."""
        return _good(self.call("DELETE", path, body))

    def says(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and message of a refusal."""
        answer = self.call(method, path, body)
        return answer.status_code, answer.json()["message"] if answer.content else None

    def git(self, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """One git command with this person's credentials."""
        env = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
        env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader"}
        kind, _, word = self.authorization.partition(" ")
        basic = word if kind == "Basic" else b64(f"{self.login}:{word}")
        env |= {"GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}" if word else "X-Nobody: 1"}
        for part in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{part}_NAME": self.login, f"GIT_{part}_EMAIL": f"{self.login}@env.example"}
        return subprocess.run(["git", *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=60)

    def clone(self, into: Path, repo: str = "") -> Path:
        """A clone of the repository."""
        done = self.git("clone", "-q", f"{self.forge.url}/{repo or self.repo}.git", str(into), cwd=into.parent)
        assert done.returncode == 0, done.stderr
        return into

    def commit(self, work: Path, message: str, **files: str) -> str:
        """Commit files in a clone; a name's `__` is a dot."""
        for name, text in files.items():
            (work / name.replace("__", ".")).write_text(text)
        assert self.git("add", "-A", cwd=work).returncode == 0
        assert self.git("commit", "-q", "-m", message, cwd=work).returncode == 0
        return self.git("rev-parse", "HEAD", cwd=work).stdout.strip()

    def branch(self, name: str, files: dict[str, str], *, base: str = "main", message: str = "") -> str:
        """A new branch with new files through the API; answers its tip."""
        rows = [{"operation": "create", "path": path, "content": b64(text)} for path, text in files.items()]
        body = {"branch": base, "new_branch": name, "message": message or f"change {name}", "files": rows}
        return str(self.post("~/contents", body)["commit"]["sha"])

    def pull(self, name: str, files: dict[str, str] | None = None, *, base: str = "main", body: str = "") -> Any:
        """An open pull request from a new branch."""
        self.branch(name, files or {f"{name}.txt": f"{name}\n"})
        return self.post("~/pulls", {"title": name, "head": name, "base": base, "body": body})


def _good(answer: requests.Response) -> Any:
    assert answer.status_code < 300, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text


@dataclass
class Arrival:
    """One delivery as it came in."""

    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        return self.headers["X-Gitea-Event-Type"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def name(self) -> str:
        """The kind with its action, if it has one."""
        action = self.json.get("action")
        return f"{self.kind}.{action}" if action else self.kind


@dataclass
class Receiver:
    """Hears what hooks are told; answers with `answer`."""

    url: str = ""
    arrivals: list[Arrival] = field(default_factory=list)
    answer: int = 200
    open: threading.Event = field(default_factory=threading.Event)
    """Answers wait for it."""

    def listens_to_bots(self, *names: str) -> list[Arrival]:
        """Wait for exactly these deliveries in this order, and forget them."""
        until(lambda: len(self.arrivals) >= len(names))
        heard, self.arrivals[:] = list(self.arrivals), []
        assert [arrival.name for arrival in heard] == list(names)
        return heard


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of hooks on loopback."""
    heard = Receiver()
    heard.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.arrivals.append(Arrival(dict(self.headers.items()), body))
            heard.open.wait()
            self.send_response(heard.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield heard
        heard.open.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def flavour() -> Flavour:
    """What the forge behaves as; a test names others by its parameters."""
    return FORGEJO_17


@pytest.fixture
def forge(tmp_path: Path, flavour: Flavour) -> Iterator[EmbeddedForge]:
    """An empty forge that runs."""
    with EmbeddedForge(tmp_path / "forge", flavour=flavour) as running:
        yield running


@dataclass(frozen=True)
class ApiEnv:
    """An organisation `acme` with a repository `app`, and those who have to do with it."""

    forge: EmbeddedForge
    root: Person
    """Site admin, and owner of the organisation; by password."""
    mara: Person
    """Operator: admin by her team."""
    core: Person
    """Writes code, issues and pull requests."""
    triage: Person
    """Writes issues and pull requests, reads code."""
    iris: Person
    """Reads."""
    eve: Person
    """In no team."""
    nobody: Person

    def hook(self, receiver: Receiver, *events: str, **more: Any) -> Any:
        """A hook of the organisation."""
        config = {"url": receiver.url, "content_type": "json", "secret": SECRET}
        kind = self.forge.site.flavour.hook_types[0]
        body = {"type": kind, "active": True, "events": list(events), "config": config}
        return self.root.post("/orgs/acme/hooks", body | more)

    def protect(self, **settings: Any) -> Any:
        """Protect main."""
        return self.mara.post("~/branch_protections", {"rule_name": "main", **settings})


@dataclass(frozen=True)
class Snapshot:
    """The state of a forge with a env on it, and how its people sign in: copying it is faster than founding it."""

    place: TemporaryDirectory[str]
    authorizations: dict[str, str]


_SNAPSHOTS: dict[str, Snapshot] = {}


def snapshot(flavour: Flavour) -> Snapshot:
    """The env of a flavour, founded once in a process."""
    if flavour.name not in _SNAPSHOTS:
        place = TemporaryDirectory(prefix="embedded-env-")
        with EmbeddedForge(Path(place.name) / "forge", flavour=flavour) as forge:
            made = make_env(forge)
        words = {name: str(getattr(made, name).authorization) for name in PEOPLE}
        _SNAPSHOTS[flavour.name] = Snapshot(place, words)
    return _SNAPSHOTS[flavour.name]


@pytest.fixture
def env(tmp_path: Path, flavour: Flavour) -> Iterator[ApiEnv]:
    """A env on a forge of its own."""
    first = snapshot(flavour)
    shutil.copytree(Path(first.place.name) / "forge", tmp_path / "forge")
    with EmbeddedForge(tmp_path / "forge", flavour=flavour) as forge:
        found = {name: Person(forge, LOGINS.get(name, name), word) for name, word in first.authorizations.items()}
        yield ApiEnv(forge, **found)


def make_env(forge: EmbeddedForge) -> ApiEnv:
    """Found a env."""
    site = forge.site
    root = forge.create_admin("root0", "a password", email="root0@env.example")
    acme = orgs.create(site, root, "acme")
    found = {"root": Person(forge, "root0", f"Basic {b64('root0:a password')}"), "nobody": Person(forge, "", "")}
    teams = {
        "mara": ("admin", {}),
        "core": ("write", EVERYTHING),
        "triage": ("write", TRIAGE),
        "iris": ("read", LOOKING),
    }
    for login in ("mara", "core", "triage", "iris", "eve"):
        user = people.create(site, login, "a password", email=f"{login}@env.example")
        found[login] = Person(forge, login, f"token {people.make_token(site, user, 'env', ALL)[1]}")
        if login in teams:
            permission, units = teams[login]
            team = orgs.create_team(site, acme, f"team-{login}", permission=permission, units=units, all_repos=True)
            orgs.join(site, team, user)
    repos.create(site, root, acme, "app", auto_init=True)
    return ApiEnv(forge, **found)
