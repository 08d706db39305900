"""The whole hive, up: from an event to a label, and what each process holds in memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import before
from bench.process import free_port, innermost, pss
from bench.row import Gap, Goal, Row, Unmeasured, at_most_times
from forge.gitea.admin import GiteaAdmin
from forge.gitea.writer import GiteaForge
from forge.models import Repo
from hive.app.set_up import ADMIN
from hive.app.up import PRELOADED, begin
from hive.config import load
from hive.demo.model import ModelServer
from hive.demo.scripted_replies import script
from hive.demo.setup import FORGE, OPERATOR, TEAM, copy_project, sample, write_config
from hive.instance.instance import Instance
from hive.supervisor.processes import Supervisor

ISSUES = 15
APP = Repo(FORGE, TEAM, "app")


def whole() -> Iterator[Row | Gap]:
    """Latency and memory of one hive."""
    with raised("write:repository", "write:issue", "read:user") as hive:
        yield from labels(hive.mara)
        yield from memory(hive.tree)


@dataclass(frozen=True, slots=True)
class RaisedHive:
    """A whole hive that is up; `mara` is its operator, `token` is hers."""

    instance: Instance
    tree: Supervisor
    mara: GiteaForge
    token: str


@contextmanager
def raised(*scopes: str) -> Iterator[RaisedHive]:
    """A hive on its own forge, with the sample project; an operator's token has these scopes."""
    place = TemporaryDirectory(prefix="hive-bench-", ignore_cleanup_errors=True)
    with place as directory, ExitStack() as stack:
        state = Path(directory)
        model = stack.enter_context(ModelServer(script()))
        config = write_config(state, forge_port=free_port(), web_port=free_port(), model_url=model.url)
        config.write_text(f"{config.read_text()}limits: {{open_runs: 0}}\n")  # each issue is given out at once
        instance = Instance(load(config))
        stack.callback(instance.close)
        tree = Supervisor(state / "logs", lambda name, status: None, preload=PRELOADED)
        stack.callback(tree.stop)
        begin(config, instance, tree, lambda _: None, seed=lambda: copy_project(instance, sample(state)))
        url, password = instance.url(FORGE), instance.secret_store.password(FORGE, ADMIN)
        with GiteaAdmin(name=FORGE, url=url, login=ADMIN, password=password) as admin:
            token = admin.make_token(OPERATOR, "bench", scopes)
        mara = stack.enter_context(GiteaForge(name=FORGE, url=url, token=token))
        yield RaisedHive(instance, tree, mara, token)


def labels(mara: GiteaForge) -> Iterator[Row | Gap]:
    """From filing an issue to its label, beside setting a label oneself; without agents at work."""
    by_hive, by_hand = [], []
    for number in range(ISSUES):
        ref = mara.open_issue(APP, f"Does it {number}", "why", marker="why").ref
        begun = time.perf_counter()
        while not mara.issue(ref).labels:
            time.sleep(0.005)
        by_hive.append((time.perf_counter() - begun) * 1000)
        begun = time.perf_counter()
        mara.label(ref, add=["needs-operator"])
        by_hand.append((time.perf_counter() - begun) * 1000)
        mara.close(ref)
        time.sleep(0.3)  # the agent that was assigned puts it down again
    hand = statistics.median(by_hand)
    middle = statistics.median(by_hive)
    yield Row("event → label, median", middle, "ms", "one label call", hand, at_most_times(1.5))
    yield from beside("event → label, median", middle, "ms", before.label)
    yield Row("event → label, worst", max(by_hive), "ms", "one label call", hand)


def memory(tree: Supervisor) -> Iterator[Row | Gap]:
    """What each process holds for itself (PSS), beside an interpreter that does nothing."""
    bare = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    time.sleep(0.3)
    peer = pss(bare.pid)
    bare.kill()
    bare.wait()
    for name in tree.names():
        yield Row(f"memory of {name}", pss(tree.pid(name)), "MB", "bare Python", peer)
    both = sum(pss(tree.pid(name)) for name in ("work", "host"))
    yield from beside("memory of work and host", both, "MB", partial(before.memory, "work", "host"), at_most_times(0.6))
    harness = innermost(tree.pid("host"))
    if harness != tree.pid("host"):
        yield Row("memory of a harness", pss(harness), "MB", "bare Python", peer)


def beside(
    name: str, value: float, unit: str, theirs: Callable[[], float], goal: Goal | None = None
) -> Iterator[Row | Gap]:
    """A value beside that of the older build."""
    try:
        yield Row(name, value, unit, before.NAME, theirs(), goal)
    except Unmeasured as error:
        yield Gap(f"{name}, beside {before.NAME}", str(error))


def start() -> Iterator[Row]:
    """How long the command line takes to say its help, beside an interpreter that does nothing."""
    hive = _median([sys.executable, "-m", "hive", "--help"])
    bare = _median([sys.executable, "-c", "pass"])
    yield Row("hive --help", hive, "ms", "python -c pass", bare)


def _median(words: list[str]) -> float:
    took = []
    for _ in range(11):
        begun = time.perf_counter()
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took[1:])
