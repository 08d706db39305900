"""Learns the labels of each repository once a day: reads them here, learns in a process of its own at the lowest priority."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from bots.triage.cleaning import clean
from bots.triage.terms import terms_of
from forge.models import Issue, Repo
from forge.protocol import ForgeError
from hive.app.triage import labelled, learn_labels, newest, reader_of
from hive.classify.classifier import MODELS, ModelStore
from hive.classify.examples import read_examples
from hive.classify.training import LabelledIssue
from hive.instance.instance import Instance
from hive.secret_store import NoSecret
from hive.supervisor.heartbeat import Heartbeat, Loops

log = logging.getLogger("hive.app.learning")

DAY = 86_400.0
LOOK_SECONDS = 600.0
LEAST_LABELLED = 100
"""Of fewer labelled issues nothing is learned: the prior is as good."""

LONGEST_SECONDS = 1_800.0
INDEX_PAUSE_SECONDS = 0.01
"""Between two issues that are indexed, so that other threads of the worker go on."""

BEAT_SECONDS = 1.0


class DailyLearning:
    """Learns each repository's labels once a day, independent of restarts; the first time a day after it was first seen."""

    def __init__(self, instance: Instance, stop: threading.Event) -> None:
        self._instance = instance
        self._stop = stop

    def go(self, heartbeat: Heartbeat) -> float:
        """One check of all repositories; returns after how many seconds to check again."""
        ledger = self._instance.ledger
        for repo in sorted(repo for team in self._instance.teams.values() for repo in team.repos):
            cursor = f"learn:{repo}"
            last, now = float(ledger.deliveries.cursor(cursor) or 0), ledger.clock()
            if self._stop.is_set() or (last and now - last < DAY):
                continue
            if last:
                self._learn(repo, heartbeat)
            ledger.deliveries.move_cursor(cursor, f"{now:.0f}")
            heartbeat.beat()
        heartbeat.beat()
        return LOOK_SECONDS

    def _learn(self, repo: Repo, heartbeat: Heartbeat) -> None:
        try:
            issues = newest(reader_of(self._instance, repo), repo)
        except (ForgeError, NoSecret) as error:
            log.warning("labels_unread repo=%s error=%r", repo, str(error)[:200])
            return
        self.index(repo, issues, heartbeat)
        known = list(labelled(issues))
        if len(known) >= LEAST_LABELLED:
            log.info("learned said=%r", self.apart(repo, known, heartbeat)[:300])

    def index(self, repo: Repo, issues: Sequence[Issue], heartbeat: Heartbeat) -> int:
        """Index those that are not known yet, so that what is like them is found; returns how many these were."""
        index = self._instance.ledger.issue_index
        known = index.numbers(str(repo))
        new = [issue for issue in issues if not issue.is_pull and issue.ref.number not in known]
        for done, issue in enumerate(new):
            if self._stop.wait(INDEX_PAUSE_SECONDS):
                return done
            terms = terms_of(clean(issue.title, issue.body))
            index.put(str(repo), issue.ref.number, terms.title, terms.body)
            heartbeat.beat()
        return len(new)

    def apart(self, repo: Repo, known: Sequence[LabelledIssue], heartbeat: Heartbeat) -> str:
        """Learn in a process of its own, which ends with this one's `stop` or after half an hour; returns what it said."""
        directory = self._instance.settings.state / MODELS
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile("w", dir=directory, suffix=".jsonl") as file:
            for each in known:
                file.write(json.dumps({"title": each.title, "body": each.body, "kind": each.kind}) + "\n")
            file.flush()
            words = [sys.executable, "-m", __name__, str(directory), str(repo), file.name]
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            until = time.monotonic() + LONGEST_SECONDS
            while process.poll() is None and not self._stop.wait(BEAT_SECONDS):
                heartbeat.beat()
                if time.monotonic() > until:
                    break
            process.kill()
            return process.communicate()[0].strip()


def learning(instance: Instance, loops: Loops) -> None:
    """Learn until the process stops."""
    daily = DailyLearning(instance, loops.stop)
    loops.run("learn", daily.go, every=LOOK_SECONDS)


def main(directory: Path, repo: Repo, examples: Path) -> str:
    """Learn a file of labelled issues at the lowest priority."""
    os.nice(19)
    return learn_labels(ModelStore(directory), repo, list(read_examples(examples)))


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1]), Repo.parse(sys.argv[2]), Path(sys.argv[3])))
