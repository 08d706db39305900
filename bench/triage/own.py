"""`python -m bench.triage.own TEST [TRAIN]`: what our learner makes of issues, as one JSON object. A process of its own."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from hive.classify.classifier import guess_by
from hive.classify.examples import read_examples
from hive.classify.measures import Confusion
from hive.classify.prior import prior
from hive.classify.training import learn

DECISIONS = 50
TEXT = "When I open the page of a hive it shows an error, and nothing else happens. "


def main(test: Path, train: Path | None) -> dict[str, float]:
    """Learn, decide, measure."""
    start = time.process_time()
    mine = None if train is None else learn(read_examples(train), prior())
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = [(each.kind, guess_by(mine, each.title, each.body)) for each in read_examples(test)]
    start = time.process_time()
    for number in range(DECISIONS):
        guess_by(mine, f"The page of hive {number} is wrong", TEXT * (6_000 // len(TEXT)))
    spoken = Confusion.of((kind, guess.kind if guess.speaks else "") for kind, guess in told)
    return {
        "f1": Confusion.of((kind, guess.kind) for kind, guess in told).macro_f1,
        "precision": spoken.precision,
        "coverage": spoken.coverage,
        "train_seconds": seconds,
        "peak_mb": peak,
        "decision_ms": (time.process_time() - start) * 1000 / DECISIONS,
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)))
