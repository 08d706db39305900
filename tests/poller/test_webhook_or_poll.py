"""Two doors, one truth: however webhooks come, a sweep makes up for it."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from forge.embedded import EmbeddedForge
from forge.gitea.writer import GiteaForge
from forge.webhook import Delivery
from hive.app.polls import pollers
from hive.app.work import worker_deps
from hive.config import load
from hive.demo.setup import FORGE
from hive.instance.instance import Instance
from hive.ledger import compress
from hive.worker.label_sync import LabelSync
from hive.worker.worker import Worker
from tests.hive.conftest import APP, CONFIG, HiveEnv, make_env
from tests.person import Person

Sent = tuple[str, bytes]
EXAMPLES = 5 if int(os.environ.get("HIVE_WALKS", "2")) <= 4 else 40
BOTS = "bots: [bots.triage, bots.lane]\n"


@dataclass(frozen=True)
class Past:
    """A day on a forge that no hive has looked at, and the deliveries that it tried."""

    place: Path
    port: int
    deliveries: Sequence[Sent]


def live(hive_env: HiveEnv) -> None:
    """What a day holds: filing, assigning, labels, closing, reopening, words of a stranger, a pull request that moves."""
    mara = hive_env.mara
    raw: Any = mara._client
    titles = ("The page", "A file", "The script", "Honey")
    one, two, three, four = (mara.open_issue(APP, title, f"{title}.", marker=title).ref for title in titles)
    mara.assign(two, ["iris"])
    mara.label(one, add=["type/question"])
    mara.close(three)
    mara.close(four)
    raw.patch(f"/repos/{APP.path}/issues/{four.number}", state="open", title="Honey again")
    mara.label(four, add=["needs-operator"])
    raw.post(f"/repos/{CONFIG.path}/branches", new_branch_name="side", old_ref_name="main")
    with stranger(hive_env) as core:
        core.comment(one, "as it was", marker="as it was")
        core.put_file(CONFIG, "notes", b"x", message="x", branch="side")
        pull = core.open_pull(CONFIG, head="side", base="main", title="Notes", body="").ref
        core.put_file(CONFIG, "notes", b"y", message="y", branch="side")
    raw.patch(f"/repos/{CONFIG.path}/pulls/{pull.number}", title="Notes of a day")
    mara.close(pull)


def stranger(hive_env: HiveEnv) -> GiteaForge:
    """Somebody whose word moves no run."""
    return GiteaForge(name=FORGE, url=hive_env.forge.url, token=hive_env.instance.secret_store.token(FORGE, "core"))


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """The day, once for all tests; its port stays ours between two mornings, or any client on this machine could get it."""
    place = tmp_path_factory.mktemp("past")
    with make_env(place) as hive_env:
        since = hive_env.forge.site.state.value("SELECT coalesce(max(id), 0) FROM deliveries")
        live(hive_env)
        hive_env.instance.secret_store.marker_secret()  # made once: all mornings mark their comments alike
        rows = hive_env.forge.site.state.rows("SELECT kind, body FROM deliveries WHERE id > ? ORDER BY id", since)
        port = int(hive_env.forge.url.rpartition(":")[2])
    config = place / "hive.yaml"
    config.write_text(BOTS + config.read_text())
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", port))
        yield Past(place, port, [(str(row["kind"]), str(row["body"]).encode()) for row in rows])


@dataclass
class Morning:
    """The day after, for a hive of its own on a copy of the forge."""

    instance: Instance
    worker: Worker

    def deliver(self, delivery: Sent, uuid: str) -> None:
        """A delivery arrives."""
        kind, body = delivery
        assert self.instance.ledger.deliveries.receive(Delivery(FORGE, uuid, kind, body), compress(body))
        self.worker.dispatch()

    def drain(self) -> None:
        """Do all that is owed."""
        ledger, labels = self.instance.ledger, LabelSync(self.instance.ledger, "core", self.instance.teams)
        labels.sync()
        while (jobs := ledger.jobs.due()) + (effects := ledger.effects.due()):
            for job in jobs:
                self.worker.run_job(job)
            for effect in effects:
                self.worker.apply(effect)
            labels.sync()

    def sweep(self) -> None:
        """Sweep until there is nothing to find: what bots do on the forge is found as well."""
        ours = pollers(self.instance)
        self.drain()
        while any(sweeper.sweep().jobs for sweeper in ours):
            self.drain()

    def state(self) -> dict[str, object]:
        """How things stand on the forge, and which runs there are."""
        token = self.instance.secret_store.token(FORGE, "core")
        with Person(name=FORGE, url=self.instance.url(FORGE), token=token) as reader:
            found: dict[str, object] = dict(stands(reader))
        for ref in list(found):
            run = self.instance.ledger.runs.find(ref)
            found[f"run of {ref}"] = run and (run.agent, run.state)
        return found


def stands(reader: Person) -> Iterator[tuple[str, object]]:
    """Each subject as people see it."""
    long_ago = datetime.now(UTC) - timedelta(days=1)
    for repo in (APP, CONFIG):
        for issue in reader.changed_since(repo, long_ago):
            said = sorted((comment.author.login, settled(comment.body)) for comment in reader.comments(issue.ref))
            who = sorted(user.login for user in issue.assignees)
            yield str(issue.ref), (issue.title, issue.is_open, sorted(issue.labels), who, said)


def settled(body: str) -> str:
    """A comment without what depends on when, and in which order, things came: the number of a run, its mark, and times."""
    if not body.startswith("🐝"):
        return body
    return re.sub(r"\brun \d+|since [-0-9]+ [:0-9]+ UTC|<!-- hive:\w+ -->", "…", body)


@contextmanager
def morning(past: Past) -> Iterator[Morning]:
    """A copy of the past, and a hive that was asleep."""
    with TemporaryDirectory(prefix="morning-") as directory:
        place = Path(directory) / "hive"
        shutil.copytree(past.place, place)
        with EmbeddedForge(place / "forge", port=past.port):
            instance = Instance(load(place / "hive.yaml"))
            try:
                yield Morning(instance, Worker(worker_deps(instance)))
            finally:
                instance.close()


@pytest.fixture(scope="module")
def perfect(past: Past) -> dict[str, object]:
    """How things stand when each delivery came once, in order, and was looked at before the next one."""
    with morning(past) as hive:
        for number, delivery in enumerate(past.deliveries):
            hive.deliver(delivery, f"u{number}")
            hive.drain()
        hive.sweep()
        return hive.state()


def test_a_day_makes_work(past: Past, perfect: dict[str, object]) -> None:
    """The day is one that bots answer: else the laws below would hold for nothing."""
    assert len(past.deliveries) > 15
    assert [key for key, value in perfect.items() if key.startswith("run") and value]
    assert "triage" in str(perfect)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=(Phase.explicit, Phase.generate),  # each example is a hive of its own: shrinking takes minutes
)
@given(data=st.data())
def test_any_deliveries_and_one_sweep(past: Past, perfect: dict[str, object], data: st.DataObject) -> None:
    """Any subset, order and repetition of deliveries, followed by a sweep, ends as perfect delivery does."""
    count = len(past.deliveries)
    order = data.draw(st.lists(st.integers(0, count - 1), max_size=2 * count))
    pauses = data.draw(st.sets(st.integers(0, 2 * count), max_size=4))
    with morning(past) as hive:
        for place, number in enumerate(order):
            hive.deliver(past.deliveries[number], f"u{place}")
            if place in pauses:
                hive.drain()
        hive.sweep()
        assert hive.state() == perfect


def test_no_delivery_at_all(past: Past, perfect: dict[str, object]) -> None:
    """A hive that heard nothing of a whole day catches up."""
    with morning(past) as hive:
        hive.sweep()
        assert hive.state() == perfect
