"""What a review takes beyond its analysers: beside the same ones, run bare and side by side by xargs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from shlex import join

from bench.row import Gap, Row, Unmeasured, at_most, at_most_times
from bots.model_review import Claim, Confidence, ReviewTask
from bots.models import Category, Level
from bots.review_admission import admit
from bots.review_prompt import MAX_CLAIMS, review_prompt
from bots.review_sources import SourceFile
from forge.diff import added_lines, parse
from hive.git_mirror.commits import Commits
from hive.git_mirror.git_process import GitProcess
from hive.inspect.pull_scanner import SCANNED, scan_commits
from hive.inspect.review_context import collect
from hive.scan.analysis import absent
from hive.scan.engines import ENGINES
from hive.scan.sandbox_runner import bench
from hive.scan.sources import Before, OldFile, gather

LINES, MANY_LINES = 300, 20_000
RUNS, WORKERS = 5, 2
SHELL = '#!/bin/sh\nset -eu\nfor each in "$@"; do\n    printf \'%s\\n\' "$each"\ndone\n'
SCRIPT = "export function add(one, other) {\n  return one + other;\n}\n"
YAML = "name: x\nvalues:\n  one: 1\n  two: 2\n"


def reviewing() -> Iterator[Row | Gap]:
    """Our own time at 300 changed lines, all of it beside the bare analysers, and the memory at 20,000."""
    if missing := absent():
        yield Gap("review", f"{', '.join(missing)} are not installed")
        return
    with tempfile.TemporaryDirectory(prefix="hive-bench-") as name:
        commits = _repository(Path(name), LINES)
        old, new = commits.commit("HEAD~1"), commits.commit("HEAD")
        own, whole = min(_review(commits, old, new) for _ in range(RUNS))
        yield Row(f"review of {LINES} lines, our own time", own, "s CPU", goal=at_most(0.15))
        asked = min(_asked(commits, old, new) for _ in range(RUNS))
        yield Row(f"review of {LINES} lines, what a model is shown", asked, "s CPU", goal=at_most(0.15))
        bare = min(_bare(commits, old, new, Path(name)) for _ in range(RUNS))
        yield Row(f"review of {LINES} lines, all of it", whole, "s", "xargs -P", bare, at_most_times(1.1))
    with tempfile.TemporaryDirectory(prefix="hive-bench-") as name:
        _repository(Path(name), MANY_LINES)
        yield Row(f"review of {MANY_LINES} lines, memory", _memory(Path(name)), "MiB", goal=at_most(130))


def _repository(root: Path, lines: int) -> Commits:
    """A repository whose last commit adds so many lines of Python to files that were there, and a little of all else."""
    git = ("git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org")
    library = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    texts = [
        path.read_text("utf-8", "replace").split("\n") for path in library if 20_000 < path.stat().st_size < 60_000
    ]
    share = min(lines // 3, 700)
    subprocess.run([*git, "init", "--quiet", "."], check=True)
    for number, text in enumerate(texts[: lines // share]):
        (root / f"m{number}.py").write_text("\n".join(text[share:]))
    for step, message in enumerate(("before", "after")):
        if step:
            for number, text in enumerate(texts[: lines // share]):
                (root / f"m{number}.py").write_text("\n".join(text))
            for path, content in (("a.sh", SHELL), ("b.js", SCRIPT), ("c.yml", YAML)):
                (root / path).write_text(content)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", f"--message={message}"], check=True)
    return Commits(GitProcess(root / ".git"))


def _review(commits: Commits, old: str, new: str) -> tuple[float, float]:
    """Processor time of this process, and time on the clock, of one review."""
    used, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    if scan_commits(commits, old, new, workers=WORKERS).failed:
        raise Unmeasured("an analyser failed")
    now, ended = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    return now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, ended - began


def _asked(commits: Commits, old: str, new: str) -> float:
    """Processor time of this process to collect what a model is shown, to put it into words and to admit what it may claim."""
    task = ReviewTask("Title", "Text", "iris", "of the hive", "main", old)
    used = resource.getrusage(resource.RUSAGE_SELF)
    context = collect(commits, task, new, room=55_000)
    review_prompt(task, context.files, definitions=context.definitions, unread=context.unread)
    claims = (_claim(source, number) for source in context.sources.values() for number in sorted(source.touched))
    admit(list(islice(claims, MAX_CLAIMS)), context.sources, ())
    now = resource.getrusage(resource.RUSAGE_SELF)
    return now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def _claim(source: SourceFile, number: int) -> Claim:
    """A claim about a line, which it quotes with another number."""
    facts = (Level.YELLOW, Category.BUG, Confidence.HIGH)
    return Claim(source.path, 0, source.lines[number - 1] or "x", *facts, "A title", "Some words.")


def _bare(commits: Commits, old: str, new: str, root: Path) -> float:
    """Time on the clock of the same command lines over the same files, without anybody who reads what they say."""
    files = [file for file in parse(commits.diff(old, new)) if file.path is not None]
    with tempfile.TemporaryDirectory(dir=root) as name:
        head, base, folder = (Path(name, part) for part in ("head", "base", "copies"))
        for path in (head, base, folder):
            path.mkdir()
        changed = added_lines(files)
        commits.write_out(new, head, frozenset(changed), bounds=SCANNED)
        was = {file.path: OldFile(file.old_path, file.removed) for file in files if file.path and file.old_path}
        commits.write_out(old, base, frozenset(each.path for each in was.values()), bounds=SCANNED)
        lines = _lines(head, changed, folder, Before(base, was))
        began = time.monotonic()
        words = ["xargs", "-0", "-P", str(WORKERS), "-n", "1", "sh", "-c", 'eval "$0" >/dev/null 2>&1 || true']
        subprocess.run(
            words, input="\0".join(lines), text=True, cwd=folder, check=True, env={**os.environ, "HOME": name}
        )
        return time.monotonic() - began


def _lines(head: Path, changed: Mapping[str, frozenset[int]], folder: Path, before: Before) -> list[str]:
    sources, _ = gather(head, changed, folder, before)
    here, found = bench(), []
    for engine in sorted(ENGINES, key=lambda engine: not engine.is_slow):
        known = [source for source in sources if engine.handles(source)]
        olds = [source.base for source in known if source.base] if engine.compares else []
        if known and (program := here.find(engine.program)):
            found.append(join([program, *engine.words([*known, *olds])]))
    return found


def _memory(root: Path) -> float:
    """The most memory that any process of a review had, in MiB."""
    words = [sys.executable, "-m", "hive", "review", "--repo", str(root), "--range", "HEAD~1..HEAD", "--json"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return used.ru_maxrss / 1024
