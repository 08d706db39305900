"""A hive to be measured: configured, its processes as `hive up` starts them, its one bot a stopwatch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.deliveries import NAME, OWNER
from bench.process import free_port, responds, until
from bench.row import Unmeasured
from bench.stopwatch import NAP, STARTS
from forge.models import User
from hive.app.web import listen
from hive.config import load
from hive.instance.instance import Instance
from hive.supervisor.processes import Supervisor

FORGE = "forgejo"
PEOPLE = ("mara", "iris", "core")
NOWHERE = 1
"""A port on which no forge listens."""

CONFIG = """\
state: .
web: {{host: 127.0.0.1, port: {port}}}
forges:
  forgejo: {{kind: embedded, url: "http://127.0.0.1:{forge_port}"}}
bots: [bench.stopwatch]
accounts: {{core: core}}
teams:
  {owner}:
    forge: forgejo
    operators: [mara]
    repos: [{name}]
    agents: [iris]
    lanes: {{{name}: {{agent: iris}}}}
"""


@dataclass(frozen=True, slots=True)
class Stand:
    """A hive under way. `starts` is where the stopwatch writes."""

    instance: Instance
    tree: Supervisor
    port: int
    starts: Path

    @property
    def secret(self) -> bytes:
        """What deliveries are signed with."""
        return self.instance.secret_store.hook_secret(FORGE)

    @property
    def ledger_bytes(self) -> int:
        """How large the ledger is, its log brought into its file."""
        self.instance.ledger.checkpoint(worth=0)
        return (self.instance.settings.state / "ledger.db").stat().st_size

    def kept(self) -> int:
        """How many deliveries are in the ledger."""
        return self.instance.ledger.deliveries.count()

    def is_idle(self) -> bool:
        """Whether nothing waits to be read or looked at, and no look is under way."""
        with self.instance.ledger.transaction(durable=False) as db:
            read = db.execute("SELECT 1 FROM deliveries WHERE state = 'pending' LIMIT 1").fetchone() is None
            done = db.execute("SELECT 1 FROM jobs WHERE state IN ('pending', 'running') LIMIT 1").fetchone() is None
        return read and done

    def begin(self, part: str, *, nap: float = 0.0) -> None:
        """Start one process, and wait until it works; raises Unmeasured. `nap` is how long the stopwatch looks."""
        state = self.instance.settings.state
        sock = listen(self.instance) if part == "web" else None
        env = {STARTS: str(self.starts), NAP: str(nap)}
        self.tree.add(part, part, str(state / "hive.yaml"), env=env, sock=sock)
        is_up = self._responds if part == "web" else (state / f"{part}.wakeup").exists
        if not until(is_up, seconds=30):
            log = (state / "logs" / f"{part}.log").read_text().splitlines()
            raise Unmeasured(f"hive {part} does not start: {(log or ['it says nothing'])[-1][:200]}")

    def _responds(self) -> bool:
        return responds(f"http://127.0.0.1:{self.port}/livez")


@contextmanager
def stand(*, forge_port: int = NOWHERE, longest_delay: float = 10.0) -> Iterator[Stand]:
    """A hive in a directory of its own, of which nothing runs yet."""
    with TemporaryDirectory(prefix="hive-bench-") as directory, ExitStack() as stack:
        state, port = Path(directory), free_port()
        config = state / "hive.yaml"
        config.write_text(CONFIG.format(port=port, forge_port=forge_port, owner=OWNER, name=NAME))
        instance = Instance(load(config))
        stack.callback(instance.close)
        tree = Supervisor(state / "logs", lambda name, status: None, longest_delay=longest_delay)
        stack.callback(tree.stop)
        yield Stand(instance, tree, port, state / "starts")


@contextmanager
def alone(*parts: str, nap: float = 0.0, longest_delay: float = 10.0) -> Iterator[Stand]:
    """A hive whose forge is away and whose people are known all the same; only the named processes run."""
    with stand(longest_delay=longest_delay) as here:
        for number, login in enumerate(PEOPLE, start=1):
            here.instance.ledger.pin(FORGE, User(number, login))
            here.instance.secret_store.keep_token(FORGE, login, "of-no-forge")
        here.instance.secret_store.hook_secret(FORGE)
        for part in parts:
            here.begin(part, nap=nap)
        yield here
