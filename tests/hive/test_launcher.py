"""The launcher changes over from one version to another, and back; killed at any point it leaves one that runs."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from hive.app.launcher import BEFORE, LEDGER, Launcher, launched_state
from hive.instance.instance import StartupError
from hive.ledger import Ledger, copies
from hive.supervisor.generations import DIRECTORY, GENERATION, INSTALLED, Generations, VersionChange, VersionOutcome

OLD, NEW = "a" * 40, "b" * 40
SECONDS = 60.0
VERSION = """\
#!{python}
import json, os, signal, sqlite3, sys, time
from pathlib import Path
words, state, sha = sys.argv[1:], Path({state!r}), {sha!r}
ledger = state / "ledger.db"
def migrate(path):
    db = sqlite3.connect(path)
    if db.execute("PRAGMA user_version").fetchone()[0] < {version}:
        db.executescript("BEGIN; CREATE TABLE later (id INTEGER); PRAGMA user_version = {version}; COMMIT;")
    return db
if "-c" in words:
    migrate(words[-1]).close()
    sys.exit(0)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with (state / "started").open("a") as log:
    log.write(sha[:1] + os.environ["HIVE_GENERATION"][:1] + "\\n")
db = migrate(ledger)
{does}
(state / "generations" / "up.json").write_text(json.dumps({{"sha": sha}}))
lifeline = int(os.environ["HIVE_LIFELINE"])
os.set_blocking(lifeline, False)
while True:
    try:
        if not os.read(lifeline, 1):
            sys.exit(0)
    except BlockingIOError:
        time.sleep(0.02)
"""
DIES = 'sys.exit("hive: this version has lost its way")'
HANGS = "time.sleep(600)"
WRITES = """db.execute("INSERT INTO audit (at, team, actor, action, ref, url, detail) VALUES (0, '', '', '', '', '', '{}')"); db.commit()"""


@dataclass
class Machine:
    """A state directory with a ledger and two versions, and a launcher for it."""

    state: Path
    generations: Generations = field(init=False)
    said: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.generations = Generations(self.state / DIRECTORY)
        self.generations.root.mkdir()
        Ledger(self.state / LEDGER).close()
        self.make(OLD)
        self.generations.point(OLD)

    def make(self, sha: str, does: str = "", *, more: int = 0) -> None:
        """A version that is built; its ledger is so much newer."""
        place = self.generations.python(sha)
        place.parent.mkdir(parents=True)
        known = copies.version(self.state / LEDGER)
        facts = {"python": sys.executable, "state": str(self.state), "sha": sha, "does": does, "version": known + more}
        place.write_text(VERSION.format(**facts))
        place.chmod(0o755)
        self.generations.mark_built(sha)

    def launch(self) -> None:
        """Start a launcher."""
        launcher = Launcher(self.state / "hive.yaml", self.state, self.said.append, self.stop)
        self.threads.append(threading.Thread(target=launcher.run))
        self.threads[-1].start()

    def want(self, seconds: float = SECONDS) -> None:
        """Ask for the other version."""
        self.generations.request(VersionChange(NEW, self.generations.current(), 7, seconds))

    def until(self, is_so: Callable[[], object], what: str) -> None:
        """Wait for something that has to come."""
        end = time.monotonic() + SECONDS
        while not is_so():
            assert time.monotonic() < end, f"{what} did not come: {self.said}, {self.started()}"
            time.sleep(0.02)

    def outcome(self) -> VersionOutcome:
        """What became of the change, when something has."""
        self.until(self.generations.outcome, "the outcome")
        found = self.generations.outcome()
        assert found is not None
        return found

    def started(self) -> str:
        """The versions that were started, in order; each was told which one it is."""
        path = self.state / "started"
        lines = path.read_text().splitlines() if path.exists() else []
        assert all(line[0] == line[1] for line in lines)
        return "".join(line[0] for line in lines)

    def end(self) -> None:
        """Stop it."""
        self.stop.set()
        for thread in self.threads:
            thread.join(SECONDS)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine on which the older version is pointed at."""
    made = Machine(tmp_path)
    yield made
    made.end()


def test_a_change_that_succeeds(machine: Machine) -> None:
    """The old one has ended when the new one starts, and word is left for it."""
    machine.make(NEW)
    machine.launch()
    machine.until(lambda: machine.generations.is_up(OLD), "the old version")
    machine.want()
    assert machine.outcome() == VersionOutcome(NEW, 7, runs=True)
    assert machine.generations.current() == NEW
    machine.until(lambda: machine.generations.trial() is None, "the end of the trial")
    assert machine.generations.wanted() is None
    assert machine.started() == "ab"


@pytest.mark.parametrize(
    ("does", "seconds", "why"), [(DIES, SECONDS, "lost its way"), (HANGS, 2.0, "not up after 2 s")]
)
def test_a_change_that_fails(machine: Machine, does: str, seconds: float, why: str) -> None:
    """One that ends, or that does not come up in time, is ended; the old one comes back, with the reason."""
    machine.make(NEW, does)
    machine.launch()
    machine.want(seconds)
    found = machine.outcome()
    assert (found.runs, found.deployment) == (False, 7)
    assert why in found.why
    machine.until(lambda: machine.generations.is_up(OLD), "the old version")
    assert machine.generations.current() == OLD
    assert machine.started()[-2:] == "ba"


def test_a_migration_is_taken_back(machine: Machine) -> None:
    """A version that brought the ledger to its own form and nothing more leaves it as it was; the old one can read it."""
    before = copies.digest(machine.state / LEDGER)
    machine.make(NEW, DIES, more=1)
    machine.launch()
    machine.want()
    assert not machine.outcome().runs
    machine.until(lambda: machine.generations.is_up(OLD), "the old version")
    machine.end()
    assert copies.digest(machine.state / LEDGER) == before
    Ledger(machine.state / LEDGER).close()


def test_what_was_written_is_never_taken_back(machine: Machine) -> None:
    """A version that has migrated and written stays, and is started again and again: that it wrote is not undone."""
    machine.make(NEW, f"{WRITES}\n{DIES}", more=1)
    machine.launch()
    machine.want()
    machine.until(lambda: machine.started().count("b") >= 4, "a start after the third has written")
    assert machine.generations.outcome() is None
    assert machine.generations.current() == NEW
    assert any("has written to the ledger" in line and BEFORE in line for line in machine.said)
    machine.end()
    with closing(sqlite3.connect(machine.state / LEDGER)) as db:
        assert db.execute("SELECT count(*) FROM audit WHERE at = 0").fetchone()[0] >= 3


def test_without_a_migration_the_old_one_reads_what_was_written(machine: Machine) -> None:
    """Where both speak of the same ledger nothing is put back, and nothing is lost."""
    machine.make(NEW, f"{WRITES}\n{DIES}")
    machine.launch()
    machine.want()
    assert not machine.outcome().runs
    machine.end()
    with closing(sqlite3.connect(machine.state / LEDGER)) as db:
        assert db.execute("SELECT count(*) FROM audit WHERE at = 0").fetchone() == (1,)


POINTS = ("wanted", "tried", "pointed", "failed", "put back", "settled")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("fails", [False, True])
def test_killed_at_any_point(machine: Machine, point: str, fails: bool) -> None:
    """Whatever files a launcher that was killed left behind, the next one comes to the same end."""
    machine.make(NEW, DIES if fails else "", more=1)
    generations, ledger, before = machine.generations, machine.state / LEDGER, machine.generations.root / BEFORE
    at = POINTS.index(point)
    failed = fails and at >= POINTS.index("failed")
    machine.want()
    if at >= POINTS.index("tried"):
        copies.copy(ledger, before)
        generations.begin()
    if at >= POINTS.index("pointed"):
        generations.point(NEW)
        subprocess.run([generations.python(NEW), "-c", "", str(ledger)], check=True)
    if failed:
        change = generations.trial()
        assert change is not None
        generations.note(replace(change, failed="it ended"))
        if at >= POINTS.index("put back"):
            copies.put_back(before, ledger)
        if at >= POINTS.index("settled"):
            generations.point(OLD)
    machine.launch()
    found = machine.outcome()
    assert found.runs is not fails
    machine.until(lambda: generations.is_up(OLD if fails else NEW), "the version that counts")
    assert generations.current() == (OLD if fails else NEW)
    machine.end()
    assert generations.trial() is None
    assert copies.version(ledger) == copies.version(before) + (0 if fails else 1)


def test_a_killed_launcher(machine: Machine) -> None:
    """What it had started ends, and only then does the next one start its own."""
    code = (
        "import sys, threading; from pathlib import Path; from hive.app.launcher import Launcher;"
        " Launcher(Path(sys.argv[1], 'hive.yaml'), Path(sys.argv[1]), print, threading.Event()).run()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(machine.state)], stdout=subprocess.DEVNULL)
    machine.until(lambda: machine.generations.is_up(OLD), "the old version")
    with pytest.raises(StartupError, match="another `hive up` runs"):
        Launcher(machine.state / "hive.yaml", machine.state, print, threading.Event()).run()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    machine.generations.forget_up()
    machine.launch()
    machine.until(lambda: machine.generations.is_up(OLD), "the old version")
    assert machine.started() == "aa"


def test_a_hive_that_ends_by_itself_ends_the_launcher(machine: Machine) -> None:
    """Without a change under way its end is the end, with the same status: a service manager starts it again."""
    machine.make(NEW, "sys.exit(3)")
    machine.generations.point(NEW)
    assert Launcher(machine.state / "hive.yaml", machine.state, print, machine.stop).run() == 3


@pytest.mark.parametrize(
    ("text", "launches"),
    [
        ("state: s\nupgrade: {repository: acme/hive, of_tomorrow: 1}\nof_tomorrow: 2\n", True),
        ("state: s\nupgrade: {repository: ''}\n", False),
        ("state: s\nupgrade: 7\n", False),
        ("state: s\n", False),
        ("- 1\n", False),
        ("{", False),
    ],
)
def test_when_there_is_a_launcher(tmp_path: Path, text: str, launches: bool) -> None:
    """A hive that names its own source has one, also with keys that only a later version knows."""
    config = tmp_path / "hive.yaml"
    assert launched_state(config) is None
    config.write_text(text)
    assert launched_state(config) == (tmp_path / "s" if launches else None)


def test_within_a_launcher_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a launcher has started is the hive itself."""
    config = tmp_path / "hive.yaml"
    config.write_text("upgrade: {repository: acme/hive}\n")
    monkeypatch.setenv(GENERATION, INSTALLED)
    assert launched_state(config) is None
