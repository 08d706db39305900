"""A storm: very many deliveries about few issues, against a whole hive with a forge; how often is each issue looked at?

Labels that were set come without an id of what happened: they ask for a look, and one look serves
all that came before it. Comments come with one, and each may be a command: they are looked at one by one.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.deliveries import NAME, OWNER, Letters, commented, labels_changed
from bench.load import THREADS, prepare, room, send_all
from bench.process import free_port, peak, resident, until
from bench.row import Row, Unmeasured, at_most, at_most_times
from bench.stand import FORGE, Stand, stand
from bench.stopwatch import bot
from forge.gitea.admin import GiteaAdmin
from forge.gitea.writer import GiteaForge
from forge.models import Repo
from hive.app.set_up import ADMIN
from hive.app.up import begin_forge
from hive.demo.setup import copy_project, sample
from hive.poller import REFRESH
from hive.provision import Provisioner

STORM = int(os.environ.get("HIVE_BENCH_STORM", "100000"))
"""Deliveries."""

SUBJECTS = max(1, STORM // 100)
COMMENTS = max(1, STORM // 20)
CONNECTIONS = 16
MOST_SECONDS = 600
APP = Repo(FORGE, OWNER, NAME)


@dataclass(frozen=True, slots=True)
class About(Letters):
    """Deliveries that are about few subjects, in turn."""

    def request(self, series: str, number: int, about: int = 0) -> bytes:
        """The request of a delivery."""
        return Letters.request(self, series, number, about or 1 + number % SUBJECTS)


def storm() -> Iterator[Row]:
    """One that finds the worker away, then one while it works."""
    with stand(forge_port=free_port()) as here:
        settle(here)
        letters = _about(labels_changed(here.secret))
        missed = Sent(here, letters, "missed", STORM)
        here.begin("work")
        work = here.tree.pid("work")
        before = resident(work)
        yield from missed.looks("hive work away")
        yield from Sent(here, letters, "heard", STORM).looks("hive work at work")
        yield from comments(here)
        yield Row("storms: most memory of hive work", peak(work), "MB", "at its start", before, at_most_times(2))


def settle(here: Stand) -> None:
    """A forge with the issues of the storm, made ready for the hive, and its receiver."""
    instance, state = here.instance, here.instance.settings.state
    begin_forge(instance, FORGE, here.tree, lambda _: None)
    copy_project(instance, sample(state))
    password = instance.secret_store.password(FORGE, ADMIN)
    Provisioner.run(instance, FORGE, ADMIN, password, lambda _: None)
    here.begin("web")
    with GiteaAdmin(name=FORGE, url=instance.url(FORGE), login=ADMIN, password=password) as admin:
        token = admin.make_token("mara", "bench", ("write:repository", "write:issue", "read:user"))
    with GiteaForge(name=FORGE, url=instance.url(FORGE), token=token) as mara:
        for number in range(SUBJECTS):
            mara.open_issue(APP, f"Hive {number} shows 0", f"Bees of hive {number}.", marker=f"hive {number}.")


class Sent:
    """A storm that was received."""

    def __init__(self, here: Stand, letters: Letters, series: str, count: int) -> None:
        """Send so many deliveries; raises Unmeasured if any was not taken."""
        self._here = here
        self._count = count
        with here.instance.ledger.transaction(durable=False) as db:
            self._newest = int(db.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()[0])
        self._begun = time.monotonic()
        with room() as directory:
            prepared = prepare(directory, letters, series, count // THREADS)
            self._begun = time.monotonic()
            send_all(here.port, prepared, connections=CONNECTIONS, seconds=MOST_SECONDS)
        self._received = time.monotonic() - self._begun

    def looked(self, who: str) -> list[int]:
        """How often each issue was looked at, once all is done."""
        if not until(self._here.is_idle, seconds=MOST_SECONDS, step=0.5):
            raise Unmeasured("the storm does not end")
        with self._here.instance.ledger.transaction(durable=False) as db:
            rows = db.execute(
                "SELECT count(*) FROM jobs WHERE id > ? AND bot = ? AND state = 'done' GROUP BY ref",
                (self._newest, who),
            )
            seen = [int(row[0]) for row in rows]
        if len(seen) != SUBJECTS:
            raise Unmeasured(f"{len(seen)} of {SUBJECTS} issues were looked at")
        return seen

    def looks(self, when: str) -> Iterator[Row]:
        """The rows of a storm of labels."""
        seen, each = self.looked(REFRESH), self._count / SUBJECTS
        where, beside = f"storm of {self._count:,} labels, {when}", "deliveries about it"
        yield Row(f"{where}: looks at an issue, least", min(seen), "", beside, each)
        yield Row(f"{where}: looks at an issue, median", statistics.median(seen), "", beside, each, at_most(2))
        yield Row(f"{where}: looks at an issue, most", max(seen), "", beside, each, at_most(2))
        yield Row(f"{where}: all is done after", time.monotonic() - self._begun, "s", "all is received", self._received)


def comments(here: Stand) -> Iterator[Row]:
    """Comments, of which none may stand for another."""
    seen = Sent(here, _about(commented(here.secret)), "said", COMMENTS).looked(bot.name)
    where = f"storm of {COMMENTS:,} comments: looks at an issue, median"
    yield Row(where, statistics.median(seen), "", "comments on it", COMMENTS / SUBJECTS)


def _about(letters: Letters) -> Letters:
    return About(letters.kind, letters.coarse, letters.body, letters.secret)
