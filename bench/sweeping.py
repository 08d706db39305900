"""What a sweep costs: an idle one of many repositories, and catching up on what was missed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from bench.row import Row
from forge.embedded import EmbeddedForge
from forge.gitea.admin import GiteaAdmin
from forge.gitea.poll_reader import GiteaPollReader
from forge.models import Repo
from hive.ledger import Ledger, Origin
from hive.poller import Poller, PollerDeps

ORG = "acme"
SCOPES = ("write:repository", "write:issue", "read:user", "read:organization")
SIZES = (1, 100, 1000)
MISSED = int(os.environ.get("HIVE_BENCH_MISSED", "10000"))
"""Changes to catch up on; most of the minutes go into making them."""


@dataclass
class Field:
    """A forge with an organisation, and a sweeper that looks after all of it."""

    url: str
    admin: GiteaAdmin
    token: str
    sweeper: Poller

    def grow(self, size: int) -> None:
        """Have so many repositories."""
        for number in range(size):
            self.admin.ensure_repo(Repo("forgejo", ORG, f"r{number}"), private=False)

    def ask(self, session: requests.Session, path: str) -> requests.Response:
        """One bare question."""
        answer = session.get(f"{self.url}/api/v1/{path}", headers={"Authorization": f"token {self.token}"}, timeout=60)
        answer.raise_for_status()
        return answer


def sweeping() -> Iterator[Row]:
    """Requests of an idle sweep beside one for each repository, then the time to catch up."""
    for size in SIZES:
        with ExitStack() as stack:
            field = _field(stack)
            field.grow(size)
            field.sweeper.sweep()
            time.sleep(6)  # what is younger than the overlap is looked at twice
            idle = field.sweeper.sweep()
            yield Row(f"requests, idle sweep of {size} repositories", idle.requests, "", "one for each", size)
            if size == 1:
                yield catching_up(field)


def catching_up(field: Field) -> Row:
    """Seconds until every one of many issues that were filed unheard is known, beside asking for each timeline."""
    with requests.Session() as session:
        for number in range(MISSED):
            session.post(
                f"{field.url}/api/v1/repos/{ORG}/r0/issues",
                json={"title": f"missed {number}"},
                headers={"Authorization": f"token {field.token}"},
                timeout=60,
            ).raise_for_status()
        begun = time.perf_counter()
        found = 0
        while (swept := field.sweeper.sweep()).more or swept.changes:
            found += swept.changes
        took = time.perf_counter() - begun
        if found < MISSED:
            raise SystemExit(f"bench: {found} of {MISSED} changes were found")
        begun = time.perf_counter()
        for number in range(1, MISSED + 1):
            field.ask(session, f"repos/{ORG}/r0/issues/{number}/timeline")
        return Row(f"catching up on {MISSED} changes", took, "s", "their timelines, bare", time.perf_counter() - begun)


def _field(stack: ExitStack) -> Field:
    state = Path(stack.enter_context(TemporaryDirectory(prefix="hive-bench-")))
    forge = stack.enter_context(EmbeddedForge(state / "forge"))
    forge.create_admin("root", "correct horse")
    admin = stack.enter_context(GiteaAdmin(name="forgejo", url=forge.url, login="root", password="correct horse"))  # noqa: S106  of a forge of a minute
    admin.ensure_org(ORG)
    token = admin.make_token("root", "bench", SCOPES)
    watcher = stack.enter_context(GiteaPollReader(name="forgejo", url=forge.url, token=token))
    ledger = Ledger(state / "ledger.db")
    stack.callback(ledger.close)
    deps = PollerDeps(ledger, lambda repo: ORG, lambda *_: [], lambda *_: Origin(), lambda event: "")
    return Field(forge.url, admin, token, Poller(watcher, deps, "forgejo", ORG))
