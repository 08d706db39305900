"""A deployment that fails fails alone, is rolled back, and is said: the host goes on."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from forge.models import Branch, Repo, Repository
from hive.config import Limits
from hive.ledger import Ledger
from hive.ledger.errors import is_transient
from hive.reconcile.backends import Bubblewrap
from hive.reconcile.containers import Containers
from hive.reconcile.reconciler import ManagedAgent, Reconciler, in_words
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Policy
from tests.reconcile.conftest import Origin

REPO = Repo("forgejo", "agent-configs", "iris")
GOOD = {"agent.yaml": "lane: app\n"}
SLEEPS = '#!/bin/sh\nprintf "%s\\n" "$@" >"$0.words"\nexec sleep 600\n'


@dataclass
class Site:
    """One agent, its configuration, and a host whose containers are a script in the place of bwrap."""

    origin: Origin
    ledger: Ledger
    containers: Containers
    reconciler: Reconciler
    target: ManagedAgent

    def deploy(self, sha: str) -> None:
        """An operator's merge of pull request 7 was verified."""
        baseline = self.ledger.deployments.baseline("iris")
        assert baseline is not None
        self.ledger.deployments.start(baseline, sha, (7,), baseline.cursor + 1)

    def until(self, is_so: Callable[[], object], *, answers: str = "") -> None:
        """Keep the agent until something is so; the container of `answers` gives signs of life."""
        end = time.monotonic() + 120
        while not is_so():
            assert time.monotonic() < end, "it did not come"
            self.reconciler.keep(self.target)
            if answers and self.containers.running("iris") == answers:
                self.containers.heard("iris", answers)
            time.sleep(0.02)

    def state(self) -> tuple[str, str]:
        """How the newest deployment ended, and why; empty while it is open."""
        (row,) = self.ledger._db.rows("SELECT * FROM deployments ORDER BY id DESC LIMIT 1")
        return (row["state"], row["reason"]) if row["ended_at"] else ("", "")

    def pending(self) -> dict[str, str]:
        """What is owed to the forge: kind, and the words of it."""
        return {row["kind"]: row["payload"] for row in self.ledger._db.rows("SELECT * FROM effects")}

    def said(self) -> list[str]:
        """What the audit log has of the host."""
        return [row.action for row in self.ledger.audit.after(0)]


@pytest.fixture
def site(origin: Origin, tmp_path: Path) -> Iterator[Site]:
    """A host whose agent runs what was merged first."""
    program = tmp_path / "bwrap"
    program.write_text(SLEEPS)
    program.chmod(0o755)
    ledger = Ledger(tmp_path / "ledger.db")
    first = origin.commit(GOOD)
    seen = Repository(5, REPO, "main", archived=False, mirror=False, empty=False, private=True)
    ledger.deployments.register("iris", team="acme", seen=seen, branch=Branch("main", first, protected=True), cursor=1)
    containers = Containers(Bubblewrap(str(program)), tmp_path / "agents")
    reconciler = Reconciler(ledger, containers, Limits(), probe_seconds=8.0)
    reader = cast("Any", None)  # no test looks at the forge: what is deployed was verified
    reporter = Reporter(ledger, "core", Repo("forgejo", "hive", "meta"))
    target = ManagedAgent(
        "iris", REPO, Policy(5, frozenset({1}), "main"), reader, lambda: origin.mirror, reporter, lambda _: True
    )
    made = Site(origin, ledger, containers, reconciler, target)
    reconciler.watch(target).next_look = time.monotonic() + 3600
    try:
        made.until(lambda: containers.answered("iris") == first, answers=first)
        reconciler.keep(target)
        yield made
    finally:
        containers.stop_all()
        ledger.close()


def test_no_sign_of_life_is_rolled_back_and_said(site: Site) -> None:
    """A container that does not answer gives way to the one before it, and tag, status and comment say so."""
    first = site.containers.running("iris")
    second = site.origin.commit({"agent.yaml": "lane: app\nminutes: 5\n"})
    site.deploy(second)
    site.until(lambda: site.containers.running("iris") == second)
    site.until(lambda: site.state()[0], answers=first)
    assert site.state() == ("rolled_back", "no heartbeat within 8 s\n")
    assert site.containers.running("iris") == first
    pending = site.pending()
    assert '"failed/7"' in pending["create_tag"]
    assert "does not run" in pending["post_comment"]
    assert "no heartbeat within 8 s" in pending["post_comment"]
    assert '"failure"' in pending["set_status"]
    baseline = site.ledger.deployments.baseline("iris")
    assert baseline is not None
    assert (baseline.running_sha, baseline.rejected_sha, baseline.sha) == (first, second, second)


def test_a_crash_between_two_looks_is_written_down(site: Site) -> None:
    """A container that died after the host looked for dead ones is not replaced before it has looked again."""
    first = site.containers.running("iris")
    pid = site.containers.pid("iris")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    site.until(lambda: not site.containers.running("iris"))
    for _ in range(3):
        site.reconciler.keep(site.target)
    assert not site.containers.running("iris")
    assert [ended.agent for ended in site.containers.reap()] == ["iris"]
    site.until(lambda: site.containers.answered("iris") == first, answers=first)


def test_what_fails_its_own_health_check_is_rolled_back_at_once(site: Site) -> None:
    """A new container says what is wrong with it, and that is the reason; what runs again is not asked for its health."""
    first = site.containers.running("iris")
    second = site.origin.commit({"agent.yaml": "lane: app\nhealth: pytest --version\n"})
    site.deploy(second)
    site.until(lambda: site.containers.running("iris") == second)
    site.until(lambda: started_as(site, new=True))
    site.containers.heard("iris", second, "its health check failed: pytest --version\nsh: pytest: not found")
    assert site.containers.answered("iris") == ""
    site.until(lambda: site.state()[0], answers=first)
    assert site.state() == ("rolled_back", "its health check failed: pytest --version\nsh: pytest: not found")
    assert site.containers.running("iris") == first
    site.until(lambda: started_as(site, new=False), answers=first)
    assert site.containers.trouble("iris", second) == ""


def started_as(site: Site, *, new: bool) -> bool:
    """Whether the container that runs was told that its configuration starts for the first time, or was not; False before it has begun."""
    words = site.origin.path.with_name("bwrap.words").read_text()
    return bool(words) and ("HIVE_NEW\n1\n" in words) is new


def test_a_value_that_no_program_takes_is_that_deployments_failure(site: Site) -> None:
    """A container that cannot even be started is rolled back like one that does not answer; the host goes on."""
    first = site.containers.running("iris")
    second = site.origin.commit({"agent.yaml": "lane: app\nminutes: 5\n"})
    artifact = site.containers.dirs("iris").gens / second
    shutil.copytree(artifact.with_name(first), artifact, symlinks=True)
    spec = artifact / "agent.json"
    spec.write_text(spec.read_text().replace('"env": {}', r'"env": {"X": "a\u0000b"}'))
    site.deploy(second)
    site.until(lambda: site.state()[0], answers=first)
    state, reason = site.state()
    assert (state, "null byte" in reason) == ("rolled_back", True), reason
    assert site.containers.running("iris") == first
    assert '"failed/7"' in site.pending()["create_tag"]


def test_what_does_not_build_leaves_what_runs_alone(site: Site) -> None:
    """A declaration that this host cannot build fails before anything is touched."""
    first = site.containers.running("iris")
    epoch = site.containers.epoch("iris")
    site.deploy(site.origin.commit({"agent.yaml": "lane: app\npackages: [no-such-thing]\n"}))
    site.until(lambda: site.state()[0])
    state, reason = site.state()
    assert (state, "this host has no 'no-such-thing' in /usr/local/bin" in reason) == ("failed", True), reason
    assert (site.containers.running("iris"), site.containers.epoch("iris")) == (first, epoch)


def test_neither_comes_back(site: Site) -> None:
    """When what ran before does not come back either, both reasons are said, and it is tried on."""
    first = site.containers.running("iris")
    site.deploy(site.origin.commit({"agent.yaml": "lane: app\nminutes: 5\n"}))
    site.until(lambda: site.state()[0])
    state, reason = site.state()
    assert state == "rolled_back"
    assert reason.count("no heartbeat within 8 s") == 2
    assert "and what ran before does not come back: " in reason
    site.until(lambda: site.containers.answered("iris") == first, answers=first)


def test_what_was_never_probed_gets_its_time(site: Site) -> None:
    """A container that had not answered yet when it was replaced is probed anew when it comes back."""
    first = site.containers.running("iris")
    site.containers.stop("iris")
    site.until(lambda: site.containers.running("iris") == first)
    second = site.origin.commit({"agent.yaml": "lane: app\nminutes: 5\n"})
    site.deploy(second)
    site.until(lambda: site.state()[0], answers=first)
    assert site.state() == ("rolled_back", "no heartbeat within 8 s\n")


def test_a_new_deployment_after_a_failed_one(site: Site) -> None:
    """A failure blocks its own commit only: the next merge is deployed."""
    site.deploy(site.origin.commit({"agent.yaml": "lane: app\npackages: [no-such-thing]\n"}))
    site.until(lambda: site.state()[0] == "failed")
    good = site.origin.commit({"agent.yaml": "lane: app\nminutes: 6\n"})
    site.deploy(good)
    site.until(lambda: site.state()[0] == "deployed", answers=good)
    assert site.containers.running("iris") == good


def test_the_old_declaration_need_not_be_readable(site: Site) -> None:
    """What ran before may break rules that are newer than it: a good change of it is deployed all the same."""
    old = site.origin.commit({"agent.yaml": "lane: app\nenv: {HTTP_PROXY: x}\n"})
    with site.ledger.transaction() as db:
        db.execute("UPDATE baselines SET running_sha = ?", (old,))
    good = site.origin.commit({"agent.yaml": "lane: app\n"})
    site.deploy(good)
    site.until(lambda: site.state()[0], answers=good)
    assert site.state()[0] == "deployed"


def test_a_damaged_artifact_is_built_anew(site: Site) -> None:
    """Half a file that a power cut left holds an agent up for a moment, not for ever; it is said once."""
    first = site.containers.running("iris")
    dirs = site.containers.dirs("iris")
    (dirs.gens / first / "agent.json").write_text("{")
    site.containers.stop("iris")
    site.until(lambda: site.containers.answered("iris") == first, answers=first)
    assert site.said().count("reconcile_failed") == 1
    assert (dirs.gens / first / "agent.json").read_text() != "{"


def test_what_cannot_come_back_is_said_once(site: Site) -> None:
    """A container that this host cannot build any more is said once, tried again, and fetched by the next merge."""
    lost = site.origin.commit({"agent.yaml": "lane: app\npackages: [no-such-thing]\n"})
    site.containers.stop("iris")
    with site.ledger.transaction() as db:
        db.execute("UPDATE baselines SET running_sha = ?", (lost,))
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        site.reconciler.keep(site.target)
    assert site.said().count("reconcile_failed") == 1
    good = site.origin.commit({"agent.yaml": "lane: app\nminutes: 7\n"})
    site.deploy(good)
    site.until(lambda: site.state()[0], answers=good)
    assert site.state()[0] == "deployed"


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), True),
        (OSError(errno.EMFILE, "Too many open files"), True),
        (OSError(errno.E2BIG, "Argument list too long"), False),
        (OSError(errno.ENOENT, "No such file or directory", "/x"), False),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), False),
        (ValueError("embedded null byte"), False),
        (KeyError("env"), False),
    ],
)
def test_what_time_can_heal_is_tried_again(error: Exception, again: bool) -> None:
    """A full disk is waited for; a value that no program takes is not."""
    assert is_transient(error) is again
    assert in_words(error)
