"""`python -m bench.triage.similar`: what finding issues that say the same costs with many known ones, as one JSON object."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

from bench.triage.issues import MANY, made, many
from bots.triage.cleaning import clean
from bots.triage.terms import terms_of
from hive.classify.classifier import guess_by
from hive.ledger import Ledger

REPO = "forgejo:acme/app"
DECISIONS = 50
LENGTH = 6_000
VOCABULARY = 30_000
"""Different words; how often each is used falls with its rank, as in prose."""


def texts(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Titles and bodies of the given length, of words that are as common as those of prose."""
    dice = Random(seed)
    words = [f"w{number:x}" for number in range(VOCABULARY)]
    ranks = list(accumulate(1 / (rank + 3) for rank in range(VOCABULARY)))
    for issue in many(list(made(200, seed)), count):
        said = " ".join(dice.choices(words, cum_weights=ranks, k=LENGTH // 6))
        yield (
            f"{issue.title} {' '.join(dice.choices(words, cum_weights=ranks, k=4))}",
            f"{issue.body}\n\n{said}"[:LENGTH],
        )


def main() -> dict[str, float]:
    """Index, then decide: the terms, the search and the kind."""
    with TemporaryDirectory(prefix="hive-bench-") as place:
        ledger = Ledger(Path(place) / "ledger.db")
        start = time.process_time()
        with ledger.transaction(durable=False):
            for number, (title, body) in enumerate(texts(MANY, seed=1), 1):
                terms = terms_of(clean(title, body))
                ledger.issue_index.put(REPO, number, terms.title, terms.body)
        indexing = time.process_time() - start
        taken = []
        for title, body in texts(DECISIONS, seed=2):
            start = time.process_time()
            terms = terms_of(clean(title, body))
            ledger.issue_index.similar(REPO, 0, terms.title, terms.body)
            guess_by(None, title, body)
            taken.append(time.process_time() - start)
        size = (Path(place) / "ledger.db").stat().st_size
        ledger.close()
    return {
        "decision_ms": 1000 * median(taken),
        "slowest_ms": 1000 * max(taken),
        "index_ms": 1000 * indexing / MANY,
        "mb": size / (1 << 20),
    }


if __name__ == "__main__":
    print(json.dumps(main()))
