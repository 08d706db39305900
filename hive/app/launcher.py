"""Starts `hive up` in the version that counts, and changes over to another one that was asked for.

This process is of the version that the operator installed, and does as little as it can: it is never upgraded while it
runs. Killed at any point, its next start goes on from the files of `hive.supervisor.generations`.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from hive.backoff import PROCESSES
from hive.config.hive_yaml import Settings
from hive.config.yaml_locations import BadYaml, Document
from hive.instance.instance import StartupError
from hive.ledger import copies
from hive.supervisor.generations import (
    CONFIG,
    DIRECTORY,
    GENERATION,
    INSTALLED,
    Generations,
    VersionChange,
    VersionOutcome,
)
from hive.supervisor.processes import LIFELINE

POLL_SECONDS = 0.1
STOP_SECONDS = 90.0
PREVIOUS_SECONDS = 120.0
"""For how long the processes of a launcher that was killed may end."""

LAST_LINES = 20
LEDGER, BEFORE = "ledger.db", "before.db"
UP = "the hive runs {sha}"
CHANGES = "changing over to {sha}"
BACK = "{sha} does not run; {old} is started again"
STUCK = (
    "{sha} does not run and has written to the ledger, which {old} cannot read: it is started again. To go back without"
    " what was written since, stop this, put {before} in the place of {ledger}, and delete {link}"
)
NO_ANSWER = "it was not up after {seconds:g} s"
ENDED = "it ended with status {status}"

Say = Callable[[str], None]


@dataclass
class LaunchedHive:
    """`hive up` as a child of the launcher, and the end of what it wrote to its error stream."""

    process: subprocess.Popen[bytes]
    lifeline: int
    said: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    reader: threading.Thread | None = None

    def end(self) -> None:
        """End it and all of its processes, in order."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        self.process.kill()
        self.close()

    def close(self) -> int:
        """What to do when it has ended; returns its status."""
        status = self.process.wait()
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1
        if self.reader is not None:
            self.reader.join()
        return status

    def why(self, what: str) -> str:
        """What is wrong, with its last words."""
        return "\n".join([what, *self.said])


@dataclass
class Launcher:
    """Keeps one `hive up` running until `stop` is set; `state` is the state directory of the configuration."""

    config: Path
    state: Path
    say: Say
    stop: threading.Event
    generations: Generations = field(init=False)

    def __post_init__(self) -> None:
        self.generations = Generations(self.state / DIRECTORY)

    def run(self) -> int:
        """Run until stopped or until the hive ends by itself; returns its exit status. Raises StartupError, OSError."""
        failures = 0
        with self._alone():
            while not self.stop.is_set():
                trial = self._settled()
                running = self._start()
                if trial is not None:
                    why = self._probe(running, trial)
                    if self.stop.is_set():
                        break
                    if why:
                        running.end()
                        failures += 1
                        self.generations.note(replace(trial, failed=why))
                        self.stop.wait(PROCESSES.delay(failures))
                        continue
                    self.generations.settle(VersionOutcome(trial.sha, trial.deployment, runs=True))
                    self.say(UP.format(sha=trial.sha[:12]))
                failures = 0
                status = self._watch(running)
                if status is not None:
                    return status
            else:
                return 0
            running.end()
        return 0

    def _settled(self) -> VersionChange | None:
        """Bring the files to where the next start has to find them; returns the change that it is a trial of."""
        trial = self.generations.trial()
        if trial is not None and trial.failed and self._undo(trial):
            return None
        if trial is None and (wanted := self.generations.wanted()) is not None:
            self.say(CHANGES.format(sha=wanted.sha[:12]))
            if (self.state / LEDGER).exists():
                copies.copy(self.state / LEDGER, self.generations.root / BEFORE)
            self.generations.begin()
            trial = wanted
        if trial is not None:
            self.generations.point(trial.sha)
        return trial

    def _undo(self, trial: VersionChange) -> bool:
        """Let the version of before be the one to start, if it can read the ledger; returns whether it is."""
        ledger, before, old = self.state / LEDGER, self.generations.root / BEFORE, named(trial.previous)
        if before.exists() and copies.version(ledger) > copies.version(before):
            if not self._is_only_migrated(trial.sha, before, ledger):
                link = self.generations.root / "current"
                facts = {"before": before, "ledger": ledger, "link": link}
                self.say(STUCK.format(sha=trial.sha[:12], old=old, **facts))
                return False
            copies.put_back(before, ledger)
        self.generations.point(trial.previous)
        self.generations.settle(VersionOutcome(trial.sha, trial.deployment, runs=False, why=trial.failed))
        self.say(BACK.format(sha=trial.sha[:12], old=old))
        return True

    def _is_only_migrated(self, sha: str, before: Path, ledger: Path) -> bool:
        """Whether a version did nothing to the ledger but bring it to its own form: it does that to a copy once more."""
        scratch = self.generations.root / "compared.db"
        copies.copy(before, scratch)
        code = "import sys; from pathlib import Path; from hive.ledger import Ledger; Ledger(Path(sys.argv[1])).close()"
        words = [str(self.generations.python(sha)), "-P", "-c", code, str(scratch)]
        try:
            done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=PREVIOUS_SECONDS)
            return done.returncode == 0 and copies.is_same(scratch, ledger)
        except subprocess.TimeoutExpired:
            return False
        finally:
            copies.drop(scratch)

    def _probe(self, running: LaunchedHive, trial: VersionChange) -> str:
        """Wait until all of a new version is up; why it is not, empty if it is, or if the launcher is stopped."""
        until = time.monotonic() + trial.seconds
        while not self.stop.wait(POLL_SECONDS):
            if running.process.poll() is not None:
                return running.why(ENDED.format(status=running.close()))
            if self.generations.is_up(trial.sha):
                return ""
            if time.monotonic() > until:
                return running.why(NO_ANSWER.format(seconds=trial.seconds))
        return ""

    def _watch(self, running: LaunchedHive) -> int | None:
        """Wait for the end; None if another version is to be started in its place."""
        while not self.stop.wait(POLL_SECONDS):
            if running.process.poll() is not None:
                return running.close()
            if self.generations.wanted() is not None:
                running.end()
                return None
        running.end()
        return 0

    def _start(self) -> LaunchedHive:
        self.generations.forget_up()
        sha = self.generations.current()
        python = sys.executable if sha == INSTALLED else str(self.generations.python(sha))
        env = {**os.environ, GENERATION: sha, CONFIG: str(self.config)}
        if sha != INSTALLED:
            env.pop("PYTHONPATH", None)
        reading, lifeline = os.pipe()
        with self._tree() as lock:
            process = subprocess.Popen(
                [python, "-P", "-m", "hive", "up", str(self.config)],
                env={**env, LIFELINE: str(reading)},
                pass_fds=[reading, lock],
                stderr=subprocess.PIPE,
            )
        os.close(reading)
        running = LaunchedHive(process, lifeline)
        assert process.stderr is not None
        running.reader = threading.Thread(target=_pass_on, args=(process.stderr, running.said), daemon=True)
        running.reader.start()
        return running

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.generations.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.generations.root / "launcher.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StartupError(f"another `hive up` runs in {self.state}") from error
            yield

    @contextmanager
    def _tree(self) -> Iterator[int]:
        """A lock that the child holds as long as it lives: one of a launcher that was killed ends by itself first."""
        until = time.monotonic() + PREVIOUS_SECONDS
        with (self.generations.root / "tree.lock").open("ab") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if time.monotonic() > until or self.stop.is_set():
                        raise StartupError(f"a hive that was started before still runs in {self.state}") from error
                    time.sleep(POLL_SECONDS)
            yield lock.fileno()


def launched_state(config: Path) -> Path | None:
    """The state directory of a hive that upgrades itself; None if it does not, or is started by a launcher already.

    Reads no more than that: a newer version may know keys that this one does not.
    """
    if GENERATION in os.environ or not config.is_file():
        return None
    try:
        data = Document(str(config), config.read_text("utf-8", "replace")).data
    except BadYaml:
        return None
    upgrade = data.get("upgrade") if isinstance(data, dict) else None
    if not isinstance(upgrade, dict) or not upgrade.get("repository"):
        return None
    state = data.get("state", Settings.__dataclass_fields__["state"].default)
    return (config.parent.resolve() / str(state)).resolve()


def named(sha: str) -> str:
    """What a version is called."""
    return sha[:12] if sha != INSTALLED else "what was installed"


def _pass_on(stream: IO[bytes], said: deque[str]) -> None:
    with stream:
        for line in stream:
            sys.stderr.write(text := line.decode("utf-8", "replace"))
            sys.stderr.flush()
            said.append("".join(each for each in text.rstrip() if each.isprintable())[:400])
