"""`python -m bench.triage [TRAIN.jsonl TEST.jsonl]`: learned triage beside scikit-learn's linear model, in one run.

In each line `{"title", "body", "kind"}`. Without files the issues are made of sayings, which says nothing of real ones: F1 has
no goal then. Both learn in processes of their own, one after the other, and no text leaves the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import peer
from bench.row import Gap, Goal, Row, Unmeasured, at_most, at_most_times, report
from bench.triage.issues import MANY, made, many, read, write

PEER = "scikit-learn: TF-IDF of words and pairs, logistic regression"
LONGEST_SECONDS = 1_800


def measure(train: Path, test: Path, *, real: bool) -> Iterator[Row | Gap]:
    """F1 of both on the same issues, ours at its threshold, that of the prior; then time and memory for many issues."""
    ours, general = _run(_own(train, test)), _run(_own(None, test))
    theirs = _peer(train, test)
    yield Row("learned: macro-F1", ours["f1"], "", *_beside(theirs, "f1"), _least(0.79) if real else None)
    yield Row("learned: precision where it speaks", ours["precision"], "", goal=_least(0.9) if real else None)
    yield Row("learned: coverage", ours["coverage"], "")
    yield Row("prior: macro-F1", general["f1"], "", goal=_least(0.65) if real else None)
    yield Row("prior: precision where it speaks", general["precision"], "", goal=_least(0.9) if real else None)
    yield Row("prior: coverage", general["coverage"], "")
    with TemporaryDirectory(prefix="hive-bench-") as place:
        big = Path(place) / "many.jsonl"
        write(big, many(read(train), MANY))
        ours = _run(_own(big, test))
        theirs = _peer(big, test)
    name = f"{MANY:,} issues"
    yield Row(f"learning {name}", ours["train_seconds"], "s", *_beside(theirs, "train_seconds"), at_most_times(1.5))
    yield Row(f"memory for {name}", ours["peak_mb"], "MB", *_beside(theirs, "peak_mb"), at_most_times(0.5))
    yield Row("one decision, 6 kB", ours["decision_ms"], "ms", *_beside(theirs, "decision_ms"), at_most(20))
    known = _run([sys.executable, "-m", "bench.triage.similar"])
    among = f"a decision with what is like it, among {MANY:,} issues of 6 kB"
    yield Row(f"{among}: median", known["decision_ms"], "ms", goal=at_most(20))
    yield Row(f"{among}: slowest of 50", known["slowest_ms"], "ms")
    yield Row("indexing an issue", known["index_ms"], "ms")
    yield Row(f"the index of {MANY:,} issues", known["mb"], "MB")
    if theirs is None:
        yield Gap(PEER, "not installed; run: scripts/peers")


def _least(bound: float) -> Goal:
    return Goal(bound, at_least=True)


def _beside(theirs: dict[str, float] | None, what: str) -> tuple[str, float]:
    return ("", 0.0) if theirs is None else ("scikit-learn", theirs[what])


def _own(train: Path | None, test: Path) -> list[str]:
    return [sys.executable, "-m", "bench.triage.own", str(test), *([str(train)] if train else [])]


def _peer(train: Path, test: Path) -> dict[str, float] | None:
    try:
        return _run(peer.python("classify_sklearn.py", str(test), str(train)))
    except Unmeasured:
        return None


def _run(words: list[str]) -> dict[str, float]:
    done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST_SECONDS)
    if done.returncode:
        raise Unmeasured(done.stderr.strip().rpartition("\n")[2][:200])
    said: dict[str, float] = json.loads(done.stdout)
    return said


def main(words: list[str]) -> None:
    """Measure with the files that are named, or with issues that are made."""
    if words not in ([], words[:2]):
        raise SystemExit(__doc__)
    with TemporaryDirectory(prefix="hive-bench-") as place:
        train, test = (Path(place) / name for name in ("train.jsonl", "test.jsonl"))
        if words:
            train, test = map(Path, words)
        else:
            write(train, made(1_500, seed=1))
            write(test, made(500, seed=2))
        report(measure(train, test, real=bool(words)))


if __name__ == "__main__":
    main(sys.argv[1:])
