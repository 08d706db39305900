"""What it costs a host to see that nothing was merged: a pass over the branches of a hundred agents."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

from bench.looking import Counter
from bench.row import Gap, Row, at_most
from forge.embedded import EmbeddedForge
from forge.gitea.client import Client
from forge.gitea.poll_reader import GiteaPollReader
from forge.models import Repo
from hive.git_mirror.mirror import Login, Mirror
from hive.ledger import Ledger
from hive.reconcile.branch_watch import BranchSource, BranchWatch
from hive.reconcile.quiet_repositories import QuietRepositories
from hive.reconcile.verify import Policy

AGENTS = 100
PASSES = 5
OWNER = "agent-configs"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class Watched:
    """A forge with a configuration for each agent, and what looks at them."""

    root: Path
    forge: EmbeddedForge
    asked: Counter
    reader: GiteaPollReader
    ledger: Ledger
    watches: dict[str, BranchWatch] = field(default_factory=dict)

    def add(self, admin: Client, name: str, token: str, quiet: QuietRepositories) -> None:
        """An agent whose configuration was accepted as it is."""
        admin.post(f"/orgs/{OWNER}/repos", name=name, auto_init=True, default_branch="main")
        repo = Repo("work", OWNER, name)
        seen, branch = self.reader.repository(repo), self.reader.branch(repo, "main")
        self.ledger.deployments.register(name, team="acme", seen=seen, branch=branch, cursor=0)
        mirror = Mirror(self.root / f"{name}.git", f"{self.forge.url}/{repo.path}.git", Login("root", token))
        policy = Policy(seen.id, frozenset({1}), "main")
        source = BranchSource(repo, policy, self.reader, lambda: mirror, lambda _: True, quiet)
        self.watches[name] = BranchWatch(self.ledger, source)

    def look(self) -> tuple[float, int, int]:
        """One pass over all: seconds, requests, and how many of them were writes."""
        before, begun = len(self.asked.asked), time.perf_counter()
        for name, watch in self.watches.items():
            watch.next_look = 0.0
            baseline = self.ledger.deployments.baseline(name)
            assert baseline is not None
            assert watch.look(baseline) is None, f"{name} moved"
        taken, asked = time.perf_counter() - begun, self.asked.asked[before:]
        return taken, len(asked), sum(each.startswith(WRITES) and "upload-pack" not in each for each in asked)


def watching() -> Iterator[Row | Gap]:
    """The rows."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory(prefix="hive-bench-", ignore_cleanup_errors=True)))
        forge = EmbeddedForge(root / "forge")
        password = token_hex(8)
        forge.create_admin("root", password)
        counter = Counter(forge.wsgi)
        forge.wsgi = counter
        stack.enter_context(forge)
        admin = Client(forge.url, login="root", password=password)
        stack.callback(admin.close)
        token = admin.post("/users/root/tokens", name="bench", scopes=["all"])["sha1"].text()
        admin.post("/orgs", username=OWNER)
        reader = stack.enter_context(GiteaPollReader(name="work", url=forge.url, token=token))
        ledger = Ledger(root / "ledger.db")
        stack.callback(ledger.close)
        quiet = QuietRepositories(reader, OWNER)
        made = Watched(root, forge, counter, reader, ledger)
        for number in range(AGENTS):
            made.add(admin, f"a{number}", token, quiet)
        forge.site.state.run("UPDATE repos SET updated = updated - 3600")
        made.look()
        alone, by_each, _ = _without_lists(made)
        taken = []
        for _ in range(PASSES):
            quiet.listed_at = 0.0
            seconds, requests, writes = made.look()
            taken.append(seconds)
    name = f"nothing merged, {AGENTS} agents"
    yield Row(f"{name}: a pass", statistics.median(taken), "s", "a look at each", alone, at_most(0.5))
    yield Row(f"{name}: requests", requests, "", "a look at each", by_each, at_most(4))
    yield Row(f"{name}: writes", writes, "", goal=at_most(0))


def _without_lists(made: Watched) -> tuple[float, int, int]:
    """A pass as it is without a list."""
    watches = dict(made.watches)
    for name, watch in watches.items():
        made.watches[name] = BranchWatch(made.ledger, replace(watch.source, quiet=None))
    found = made.look()
    made.watches.update(watches)
    return found
