"""`make mutants`: puts small faults into decisive modules, one at a time, and shows those that no test notices.

Each mutant is served by an import hook in a process of its own, with a time limit; no file is written.
Processes that a test starts by itself see the original. The usual tools do not fit: mutmut 3.8 leaves
decorated functions out, which all handlers of bots are, and cosmic-ray 8.7 removes no statement.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.machinery
import importlib.util
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

import pytest

from bench.mutate import Mutant, mutants

ROOT = Path(__file__).parent.parent
OWN = ("bench", "bots", "forge", "hive", "tests")
SURVIVED, KILLED, TIMED_OUT = "survived", "killed", "timed out"


@dataclass(frozen=True, slots=True)
class Subject:
    """A file, and the tests that have to notice its mutants."""

    path: str
    tests: tuple[str, ...]

    @property
    def module(self) -> str:
        """The name by which it is imported."""
        return self.path.removesuffix(".py").replace("/", ".")


SUBJECTS = {
    "verify": Subject("hive/reconcile/verify.py", ("tests/reconcile/test_verify.py",)),
    "evidence": Subject("hive/reconcile/evidence.py", ("tests/reconcile/test_evidence.py",)),
    "lane": Subject("bots/lane.py", ("tests/bots/test_lane_authority.py", "tests/bots/test_lane.py")),
    "gatekeeper": Subject("bots/gatekeeper.py", ("tests/bots/test_gatekeeper.py",)),
    "loop_guard": Subject("hive/worker/loop_guard.py", ("tests/hive/test_breaker.py",)),
    "limits": Subject("hive/web/limits.py", ("tests/hive/test_receiver_limits.py", "tests/hive/test_receiver.py")),
    "receiver": Subject("hive/web/http_loop.py", ("tests/hive/test_receiver_limits.py", "tests/hive/test_receiver.py")),
}


class Served(importlib.machinery.SourceFileLoader):
    """Loads one module from a source that is in no file."""

    def __init__(self, subject: Subject, source: str) -> None:
        super().__init__(subject.module, str(ROOT / subject.path))
        self._source = source.encode()

    def get_data(self, path: str) -> bytes:
        """The mutant; nothing is cached."""
        return self._source

    def path_stats(self, path: str) -> dict[str, object]:
        """Not known, so that no compiled file is read or written."""
        raise OSError(path)


class Finder(MetaPathFinder):
    """Finds the mutant before anybody finds the original."""

    def __init__(self, loader: Served) -> None:
        self._loader = loader

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's spec, for its name only."""
        if name != self._loader.name:
            return None
        return importlib.util.spec_from_file_location(name, self._loader.path, loader=self._loader)


def trial(subject: Subject, source: str, scratch: Path) -> int:
    """Start the tests of a subject with another source; returns the process id, whose exit status is pytest's."""
    pid = os.fork()
    if pid:
        return pid
    status = 3
    try:
        os.setsid()
        scratch.mkdir(exist_ok=True)
        said = os.open(scratch / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(scratch / "hypothesis")
        sys.meta_path.insert(0, Finder(Served(subject, source)))
        options = ["-q", "-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        status = int(pytest.main([*options, f"--basetemp={scratch / 'tmp'}", *subject.tests]))
        outside = [name for name in sys.modules if name.partition(".")[0] not in OWN]
        (scratch / "modules").write_text("\n".join(outside))
    finally:
        os._exit(status)
    raise AssertionError


@dataclass(slots=True)
class Running:
    """A mutant that is on trial until a deadline, in a scratch directory."""

    mutant: Mutant
    deadline: float
    scratch: Path


def verdicts(subject: Subject, scratch: Path, limit: float, jobs: int) -> Iterator[tuple[Mutant, str]]:
    """What became of each mutant, as soon as it is known; so many at once."""
    waiting = mutants((ROOT / subject.path).read_text())
    free = [scratch / str(number) for number in range(jobs)]
    running: dict[int, Running] = {}
    while True:
        while free and (mutant := next(waiting, None)):
            place = free.pop()
            running[trial(subject, mutant.source, place)] = Running(mutant, time.monotonic() + limit, place)
        if not running:
            return
        for pid, one in list(running.items()):
            if time.monotonic() > one.deadline:
                os.killpg(pid, signal.SIGKILL)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del running[pid]
                free.append(one.scratch)
                yield one.mutant, _verdict(status)
        time.sleep(0.01)


def _verdict(status: int) -> str:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return TIMED_OUT
    return SURVIVED if status == 0 else KILLED


def prepare(subject: Subject, scratch: Path) -> float:
    """Run the tests with the original and with nothing at all; returns a time limit in seconds for a mutant.

    Exits where the original fails or where nothing passes, since then a mutant's fate says nothing.
    """
    begun = time.monotonic()
    for source, passes in (((ROOT / subject.path).read_text(), True), ("", False)):
        _, status = os.waitpid(trial(subject, source, scratch), 0)
        if (status == 0) != passes:
            what = "fail as it is" if passes else "pass without it"
            raise SystemExit(f"mutants: tests of {subject.path} {what}\n{(scratch / 'output').read_text()}")
        if passes:
            for name in (scratch / "modules").read_text().splitlines():
                with contextlib.suppress(ImportError):  # what outside libraries are is imported once for all mutants
                    importlib.import_module(name)
    return 20 + 10 * (time.monotonic() - begun)


def report(names: list[str], jobs: int) -> int:
    """Try the mutants of subjects, print survivors; returns how many there are."""
    survivors = 0
    for name in names:
        subject = SUBJECTS[name]
        counts = {KILLED: 0, TIMED_OUT: 0, SURVIVED: 0}
        with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as scratch:
            limit = prepare(subject, Path(scratch))
            for mutant, verdict in verdicts(subject, Path(scratch), limit, jobs):
                counts[verdict] += 1
                if verdict != KILLED:
                    print(f"{subject.path}:{mutant.line} {verdict}: {mutant.change}", flush=True)
        print(f"{name}: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}", flush=True)
        survivors += counts[SURVIVED]
    return survivors


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.mutants", description="Show faults that no test notices.")
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(SUBJECTS)}; all by default")
    parser.add_argument(
        "--jobs", type=int, default=len(os.sched_getaffinity(0)), help="mutants at once; one a processor"
    )
    given = parser.parse_args()
    wanted = given.subjects or list(SUBJECTS)
    if unknown := [name for name in wanted if name not in SUBJECTS]:
        parser.error(f"no subject named {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")
    os.chdir(ROOT)
    raise SystemExit(report(wanted, given.jobs) and 1)
