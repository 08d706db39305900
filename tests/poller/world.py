"""A small world on a forge: people who do things to it, and the truth about what they did."""

from __future__ import annotations

import base64
import os
import random
import secrets
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forge.gitea.admin import GiteaAdmin
from forge.gitea.client import Client, route
from forge.gitea.poll_reader import GiteaPollReader
from forge.models import Repo
from forge.poll_changes import SILENT, SOMEBODY, Change, ChangeKind
from forge.protocol import NotFound
from hive.ledger import Ledger, Origin
from hive.poller import Poller, PollerDeps, PollResult

SCOPES = ("write:repository", "write:issue", "write:organization", "write:user")
UNITS = {"repo.code": "read", "repo.issues": "read", "repo.pulls": "read", "repo.releases": "read"}
LABELS = {"bug": False, "docs": False, "prio/high": True, "prio/low": True}
FEED = frozenset(
    {
        ChangeKind.REF_CREATED,
        ChangeKind.REF_MOVED,
        ChangeKind.REF_DELETED,
        ChangeKind.REPO_CREATED,
        ChangeKind.REPO_RENAMED,
    }
)
"""Kinds whose actor stands in the feed, which lags behind: it may be missing."""

LOCKS = frozenset({ChangeKind.LOCKED, ChangeKind.UNLOCKED})
"""Kinds that Gitea books on the owner of the repository, whoever did it."""

Fact = tuple[ChangeKind, int, str, str, str]
"""Kind, repository's id, place, what, login of the actor."""


class NothingToDoItTo(Exception):
    """A deed that makes no sense in the world as it is."""


@dataclass
class Pull:
    """What the truth knows of a pull request."""

    head: str
    base: str
    is_open: bool = True
    merged: bool = False


@dataclass
class Standing:
    """What a sweep can only compare: the world as it stood at some moment."""

    repos: dict[int, tuple[str, bool]] = field(default_factory=dict)
    subjects: dict[tuple[int, int], str] = field(default_factory=dict)
    """The text of each issue and pull request."""
    comments: dict[tuple[int, int, int], str] = field(default_factory=dict)
    refs: dict[int, dict[str, str]] = field(default_factory=dict)
    releases: dict[tuple[int, int], str] = field(default_factory=dict)
    heads: dict[tuple[int, int], tuple[str, bool]] = field(default_factory=dict)
    """The head of each pull request, and whether it is open."""

    def copy(self) -> Standing:
        """The same, for later."""
        refs = {key: dict(value) for key, value in self.refs.items()}
        return Standing(
            dict(self.repos), dict(self.subjects), dict(self.comments), refs, dict(self.releases), dict(self.heads)
        )


@dataclass
class World:
    """Three writers in one organisation; whatever they do is in `done`, or in how the world stands `now`."""

    url: str
    org: str
    driver: Client
    hands: dict[str, Client]
    tokens: dict[str, str]
    rng: random.Random
    place: Path
    lag: float
    """Seconds after which the forge has written down what was done."""
    done: list[Fact] = field(default_factory=list)
    now: Standing = field(default_factory=Standing)
    last: Standing = field(default_factory=Standing)
    movers: dict[tuple[int, str], str] = field(default_factory=dict)
    pulls: dict[tuple[int, int], Pull] = field(default_factory=dict)
    labels: dict[int, dict[str, int]] = field(default_factory=dict)
    milestones: dict[int, dict[str, int]] = field(default_factory=dict)
    rewritten: set[tuple[int, str]] = field(default_factory=set)
    """Pull requests that were pushed to with force or aimed elsewhere: Gitea 1.26 takes away rows of pushes then."""
    statuses: list[tuple[Fact, int]] = field(default_factory=list)
    """Statuses that no sweep has had to find yet, each with its pull request's number."""
    found_until: list[Fact] = field(default_factory=list)
    """What was done before the last thorough sweep."""
    forgotten: list[Fact] = field(default_factory=list)
    """What was gone again before a thorough sweep; another one may have seen it."""
    actions: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    texts: Iterator[str] = field(default_factory=lambda: (f"text {secrets.token_hex(4)}" for _ in iter(int, 1)))

    @property
    def people(self) -> list[str]:
        """Those who do things."""
        return list(self.hands)

    def say(self) -> str:
        """Words that nobody has said."""
        return next(self.texts)

    def tell(self, kind: ChangeKind, repo: int, place: object = "", what: object = "", who: str = "") -> None:
        """Something happened, and the forge keeps a record of it."""
        login = SOMEBODY.login if kind in SILENT else "" if kind in LOCKS else who
        self.done.append((kind, repo, str(place), str(what), login))

    def path(self, repo: int, *parts: object) -> str:
        """The address of something in a repository."""
        owner, _, name = self.now.repos[repo][0].partition("/")
        return route("repos", owner, name, *map(str, parts))

    def ask(self, repo: int, *parts: object, **query: str | int) -> Any:
        """What the forge says, as plain data."""
        return self.driver.get(self.path(repo, *parts), **query).value

    def make_repo(self, who: str) -> int:
        """A repository with labels, milestones and a first commit."""
        name, more = f"r{secrets.token_hex(4)}", {"auto_init": True, "default_branch": "main", "private": True}
        made: Any = self.hands[who].post(route("orgs", self.org, "repos"), name=name, **more).value
        repo = int(made["id"])
        self.now.repos[repo] = (f"{self.org}/{name}", False)
        self.now.refs[repo] = {}
        self.labels[repo], self.milestones[repo] = {}, {}
        for label, exclusive in LABELS.items():
            about = {"name": label, "color": "#00aabb", "exclusive": exclusive}
            self.labels[repo][label] = int(self.driver.post(self.path(repo, "labels"), **about)["id"].number())
        for title in ("m1", "m2"):
            row = self.driver.post(self.path(repo, "milestones"), title=title)
            self.milestones[repo][title] = int(row["id"].number())
        self.saw_refs(repo, who)
        self.tell(ChangeKind.REPO_CREATED, repo, "", f"{self.org}/{name}", who)
        return repo

    def saw_refs(self, repo: int, who: str) -> None:
        """Somebody moved refs: what they point to now, and that it was him."""
        rows = self.ask(repo, "git", "refs")
        refs = {
            row["ref"]: row["object"]["sha"] for row in rows if row["ref"].startswith(("refs/heads/", "refs/tags/"))
        }
        old = self.now.refs[repo]
        for ref in {*refs, *old}:
            if refs.get(ref) != old.get(ref):
                self.movers[repo, ref] = who
        self.now.refs[repo] = refs

    def moved(self, repo: int, branch: str, who: str) -> None:
        """Somebody moved a branch: open pull requests out of it follow."""
        self.saw_refs(repo, who)
        for (where, number), pull in self.pulls.items():
            if where == repo and pull.is_open and pull.head == branch:
                self.tell(ChangeKind.PUSHED, repo, number, "", who)
                self.now.heads[repo, number] = (self.now.refs[repo][f"refs/heads/{branch}"], True)

    def force(self, repo: int, branch: str, who: str) -> None:
        """Make a branch one new commit on top of main, with git."""
        url, git = f"{self.url}/{self.now.repos[repo][0]}.git", self.place / "force.git"
        login = base64.b64encode(f"{who}:{self.tokens[who]}".encode()).decode()
        names = {f"GIT_{role}_{key}": who for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        env = {**os.environ, **names, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": "1"}
        env |= {"GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}"}

        def run(*words: str, given: str = "") -> str:
            done = subprocess.run(["git", *words], cwd=git, env=env, input=given, capture_output=True, text=True)
            assert not done.returncode, done.stderr
            return done.stdout.strip()

        git.mkdir(exist_ok=True)
        run("init", "-q", "--bare")
        run("fetch", "-q", url, "+refs/heads/main:refs/heads/main")
        blob = run("hash-object", "-w", "--stdin", given=self.say())
        tree = run("mktree", given=f"100644 blob {blob}\tforced\n")
        run("push", "-q", "--force", url, f"{run('commit-tree', tree, '-p', 'main', '-m', 'anew')}:refs/heads/{branch}")

    def renamed(self, repo: int, name: str, who: str) -> None:
        """Somebody gave a repository another name; of several names only the last one is found."""
        self.now.repos[repo] = (f"{self.org}/{name}", self.now.repos[repo][1])
        self.movers[repo, ""] = who
        # One that no sweep has seen is created under the name that it has now.
        at = len(self.found_until)
        for place, told in enumerate(self.done[at:], start=at):
            if told[:2] == (ChangeKind.REPO_CREATED, repo):
                self.done[place] = (*told[:3], f"{self.org}/{name}", told[4])

    def unsay(self, start: tuple[ChangeKind, int, str, str]) -> None:
        """What nobody can learn of any more."""
        gone = [fact for fact in self.done if fact[:4] == start]
        self.done = [fact for fact in self.done if fact[:4] != start]
        self.forgotten += gone

    def forget(self, repo: int, number: int | None = None) -> None:
        """An issue or a repository is gone: nobody can learn any more what no sweep has found."""
        swept = len(self.found_until)

        def stays(fact: Fact) -> bool:
            return fact[1] != repo or (number is not None and fact[2] != str(number))

        self.forgotten += [fact for fact in self.done[swept:] if not stays(fact)]
        self.done = self.done[:swept] + [fact for fact in self.done[swept:] if stays(fact)]
        for held in (self.now.subjects, self.now.comments, self.now.heads, self.pulls):
            for key in [key for key in held if key[0] == repo and number in {None, key[1]}]:
                del held[key]  # type: ignore[arg-type]
        self.statuses = [(fact, of) for fact, of in self.statuses if stays((*fact[:2], str(of), "", ""))]
        if number is None:
            for key in [key for key in self.now.releases if key[0] == repo]:
                del self.now.releases[key]
            del self.now.repos[repo], self.now.refs[repo]

    def expect(self) -> None:
        """A thorough sweep was made: what it could only compare becomes part of the truth."""
        now, last, tell = self.now, self.last, self.tell
        for key, text in now.subjects.items():
            if key in last.subjects and last.subjects[key] != text:
                tell(ChangeKind.EDITED, *key)
        for key in last.subjects.keys() - now.subjects.keys():
            if key[0] in now.repos:
                tell(ChangeKind.DELETED, *key)
        for (repo, number, comment), text in now.comments.items():
            if last.comments.get((repo, number, comment), text) != text:
                tell(ChangeKind.COMMENT_EDITED, repo, number, comment)
        for repo, number, comment in last.comments.keys() - now.comments.keys():
            if (repo, number) in now.subjects:
                tell(ChangeKind.COMMENT_DELETED, repo, number, comment)
        self._expect_places()
        self._expect_statuses()
        self.last = now.copy()
        self.found_until = list(self.done)

    def _expect_places(self) -> None:
        now, last = self.now, self.last
        for repo, (path, archived) in now.repos.items():
            if repo in last.repos and last.repos[repo][1] != archived:
                self.tell(ChangeKind.REPO_ARCHIVED if archived else ChangeKind.REPO_UNARCHIVED, repo)
            old, refs = last.refs.get(repo, {}), now.refs[repo]
            for ref in {*old, *refs}:
                if old.get(ref) != refs.get(ref):
                    both = ref in old and ref in refs
                    kind = (
                        ChangeKind.REF_MOVED
                        if both
                        else ChangeKind.REF_CREATED
                        if ref in refs
                        else ChangeKind.REF_DELETED
                    )
                    self.tell(kind, repo, ref, "", self.movers[repo, ref])
            if repo in last.repos and last.repos[repo][0] != path:
                self.tell(ChangeKind.REPO_RENAMED, repo, "", path, self.movers[repo, ""])
        for repo in last.repos.keys() - now.repos.keys():
            self.tell(ChangeKind.REPO_DELETED, repo, "", last.repos[repo][0])
        for (repo, number), text in now.releases.items():
            if last.releases.get((repo, number), text) != text:
                self.tell(ChangeKind.RELEASE_EDITED, repo)
        for repo, _ in last.releases.keys() - now.releases.keys():
            if repo in now.repos:
                self.tell(ChangeKind.RELEASE_DELETED, repo)

    def _expect_statuses(self) -> None:
        """A status is found on a head that a sweep knew or knows, of a pull request that it had a reason to look at."""
        for fact, number in self.statuses:
            key = (fact[1], number)
            heads = [standing.heads[key] for standing in (self.last, self.now) if key in standing.heads]
            looked = key not in self.last.heads or any(is_open for _, is_open in heads)
            shown = self.ask(fact[1], "pulls", number)["head"]["sha"]  # that of a closed one follows its branch
            if looked and fact[2] in {shown, *(sha for sha, _ in heads[:-1])}:
                self.done.append(fact)
        self.statuses.clear()


@dataclass
class Watch:
    """A hive that sweeps the world, with a ledger of its own."""

    world: World
    ledger: Ledger
    sweeper: Poller
    passes: list[PollResult] = field(default_factory=list)

    def sweep(self, *, thorough: bool) -> PollResult:
        """One pass, when the forge has written down what was done; a thorough one has to find it all."""
        time.sleep(self.world.lag)
        swept = self.sweeper.sweep(thorough=thorough)
        while swept.more:
            swept = self.sweeper.sweep(thorough=thorough)
        assert not swept.failed, swept.failed
        self.passes.append(swept)
        if thorough:
            self.world.expect()
        return swept

    def found(self) -> list[Fact]:
        """All changes that the ledger holds, as facts."""
        facts, last = [], 0
        while rows := self.ledger.snapshots.changes_after(last):
            facts += [fact(change) for _, change in rows if change.kind is not ChangeKind.REFERRED]
            last = rows[-1][0]
        return facts


def fact(change: Change) -> Fact:
    """A change as the truth tells it: shas and ids of releases are not what people do."""
    bare = change.kind in {ChangeKind.REF_CREATED, ChangeKind.REF_MOVED, ChangeKind.REF_DELETED, ChangeKind.RELEASED}
    unplaced = change.kind in {ChangeKind.RELEASE_EDITED, ChangeKind.RELEASE_DELETED}
    what = "" if bare or unplaced else change.what
    return (
        change.kind,
        change.repo_id,
        "" if unplaced else change.place,
        what,
        "" if change.kind in LOCKS else change.actor.login,
    )


def compare(done: list[Fact], found: list[Fact]) -> tuple[list[Fact], list[Fact]]:
    """What was done and not found, and what was found and not done; an actor that the feed does not tell is no lie."""
    missing, extra = Counter(done), Counter(found)
    both = missing & extra
    missing, extra = missing - both, extra - both
    for one in list(extra.elements()):
        twin = next((other for other in missing.elements() if other[:4] == one[:4] and one[0] in FEED), None)
        if twin is not None and one[4] == SOMEBODY.login:
            missing[twin] -= 1
            extra[one] -= 1
    return sorted(missing.elements(), key=str), sorted(extra.elements(), key=str)


@contextmanager
def world(url: str, admin: tuple[str, str], seed: int, place: Path, *, lag: float = 0.0) -> Iterator[World]:
    """A new world, which is taken away again."""
    tag = secrets.token_hex(3)
    with ExitStack() as stack:
        boss = stack.enter_context(GiteaAdmin(name="work", url=url, login=admin[0], password=admin[1]))
        driver = stack.enter_context(closing(Client(url, login=admin[0], password=admin[1])))
        org, hands, tokens = f"walk-{tag}", dict[str, Client](), dict[str, str]()
        for name in ("ann", "bob", "cid", "eye"):
            login = f"{name}-{tag}"
            boss.ensure_user(login, password=secrets.token_hex(12), email=f"{login}@forge.example")
            stack.callback(_gone, driver, route("admin", "users", login))
            tokens[login] = boss.make_token(login, "walk", SCOPES)
            hands[login] = stack.enter_context(closing(Client(url, token=tokens[login])))
        boss.ensure_org(org)
        stack.callback(_clear, driver, org)
        eye = f"eye-{tag}"
        del hands[eye]
        owners = next(row for row in driver.rows(route("orgs", org, "teams")) if row["name"].text() == "Owners")
        for login in hands:
            driver.put(route("teams", owners["id"].number(), "members", login))
        boss.ensure_team(org, "eyes", permission="read", units=UNITS, members=[eye])
        made = World(url, org, driver, hands, tokens, random.Random(seed), place, lag)
        yield made


@contextmanager
def watch(made: World) -> Iterator[Watch]:
    """A hive that begins now: what the world holds already is no work."""
    eye = next(login for login in made.tokens if login.startswith("eye"))
    with (
        closing(Ledger(made.place / "ledger.db")) as ledger,
        GiteaPollReader(name="work", url=made.url, token=made.tokens[eye]) as watcher,
    ):

        def team_of(repo: Repo) -> str | None:
            return "walkers" if repo.owner == made.org else None

        deps = PollerDeps(ledger, team_of, lambda *_: ["walker"], lambda *_: Origin(), lambda _: "")
        watch = Watch(made, ledger, Poller(watcher, deps, "work", made.org))
        time.sleep(made.lag)
        assert watch.sweeper.sweep().jobs == ()
        made.done = watch.found()
        made.last, made.found_until = made.now.copy(), list(made.done)
        yield watch


def _gone(driver: Client, path: str) -> None:
    try:
        driver.delete(path)
    except NotFound:
        return


def _clear(driver: Client, org: str) -> None:
    for row in list(driver.rows(route("orgs", org, "repos"))):
        driver.delete(route("repos", org, row["name"].text()))
    driver.delete(route("orgs", org))
