"""A change of an agent's configuration: from its push to its plan, and from its merge to the container that runs it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from bench.containers import measured
from bench.row import Gap, Row, Unmeasured, at_most
from bench.whole import raised
from bots.review import CONTEXT as REVIEW
from forge.gitea.operator import GiteaOperator
from forge.gitea.writer import GiteaForge
from forge.models import FileEdit, Ref, Repo, State
from forge.protocol import Conflict, Refused
from hive.demo.setup import AGENT, FORGE
from hive.instance.instance import Instance
from hive.ledger import DeploymentState
from hive.reconcile.backends import look_for

CHANGES = 7
SECONDS = 60.0
LOOK_SECONDS = 0.005
CONFIG = Repo(FORGE, "agent-configs", AGENT)
FILE = "agent.yaml"
PLAN = "Plan for"
SCOPES = ("write:repository", "write:issue", "read:user")


def deploying() -> Iterator[Row | Gap]:
    """The rows."""
    backend, why = look_for("bubblewrap")
    if backend is None:
        raise Unmeasured(why)
    bare, _ = measured(backend)
    with ExitStack() as stack:
        hive = stack.enter_context(raised(*SCOPES))
        url = hive.instance.url(FORGE)
        operator = stack.enter_context(GiteaOperator(name=FORGE, url=url, token=hive.token))
        planned, ran = zip(
            *(change(hive.instance, hive.mara, operator, 2 + number) for number in range(CHANGES)), strict=True
        )
    yield Row("pushed → plan", statistics.median(planned), "ms", goal=at_most(1500))
    label = "merged → running by bubblewrap, beyond the start of its container"
    yield Row(label, statistics.median(ran) - bare, "ms", "container: start → first call", bare, at_most(300))


def change(instance: Instance, mara: GiteaForge, operator: GiteaOperator, minutes: int) -> tuple[float, float]:
    """Propose other minutes and merge them: milliseconds until the plan is there, and until the container has answered."""
    text = mara.file(CONFIG, FILE, "main").decode()
    kept = [line for line in text.splitlines() if not line.startswith("minutes:")]
    edit = FileEdit(FILE, "\n".join([*kept, f"minutes: {minutes}", ""]).encode())
    branch = f"minutes-{minutes}"
    mara.commit(CONFIG, [edit], message=branch, branch=branch, start="main")
    pull = mara.open_pull(CONFIG, head=branch, base="main", title=branch, body="").ref
    begun = time.perf_counter()
    until(lambda: any(PLAN in comment.body for comment in mara.comments(pull)), f"the plan of {pull}")
    planned = time.perf_counter() - begun
    head = mara.pull(pull).head_sha
    until(lambda: is_reviewed(mara, head), f"the review of {pull}")
    until(lambda: _merge(operator, pull, head), f"the merge of {pull}")
    begun = time.perf_counter()
    newest = instance.ledger.deployments.newest

    def runs() -> bool:
        last = newest(AGENT)
        return last is not None and pull.number in last.pulls and last.state is DeploymentState.DEPLOYED

    until(runs, f"what {pull} makes")
    return planned * 1000, (time.perf_counter() - begun) * 1000


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait; raises Unmeasured for what does not come."""
    end = time.monotonic() + SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise Unmeasured(f"{what} did not come")
        time.sleep(LOOK_SECONDS)


def is_reviewed(mara: GiteaForge, head: str) -> bool:
    """Whether nothing that looks at a head is still at work, which would share the processors."""
    now = {status.context: status.state for status in reversed(mara.statuses(CONFIG, head))}
    return REVIEW in now and State.PENDING not in now.values()


def _merge(operator: GiteaOperator, pull: Ref, head: str) -> bool:
    try:
        operator.merge(pull, head_sha=head)
    except (Conflict, Refused):
        return False
    return True
