"""Makes `hive/classify/prior.json` from labelled issues: `scripts/triage_prior.py LEARN.jsonl CHECK.jsonl`.

In a line `{"title", "body", "kind"}` with a kind of bug, feature or question. Weights are learned from the first file, and the
confidence from which on it speaks from both: the second holds issues of other repositories. No text gets into the model: only
words that at least LEAST issues share have a weight. The same files make the same weights; the bounds of confidence move with the
code that learns, so those that are part of the package are of the code of their day.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bots.triage.cleaning import clean
from hive.classify.examples import read_examples
from hive.classify.features import features
from hive.classify.linear_model import Examples, train
from hive.classify.model_file import dumps, loads
from hive.classify.prior import FILE, with_docs
from hive.classify.training import Learned, calibrated, held_out

KINDS = ("bug", "feature", "question")
LEAST = 20
STRENGTH = 1.5
PLACE = Path(__file__).parent.parent / "hive" / "classify" / FILE


def examples_of(path: Path) -> Examples:
    """The examples in a file."""
    found = Examples()
    for issue in read_examples(path):
        if issue.kind in KINDS:
            found.add(features(clean(issue.title, issue.body)), issue.kind)
    return found


def main(learn: Path, check: Path) -> Iterator[str]:
    """Learn, calibrate, write."""
    mine, others = examples_of(learn), examples_of(check)
    model = train(mine, strength=STRENGTH, least=LEAST)
    held = held_out(mine, range(len(mine.kinds)), least=LEAST, strength=STRENGTH)
    abroad = [(kind, model.scores(others.features(row))) for row, kind in enumerate(others.kinds)]
    learned = calibrated(Learned(model, examples=len(mine.kinds)), [*held, *abroad])
    told = calibrated(learned, abroad)
    text = dumps(with_docs(replace(learned, macro_f1=told.macro_f1)))
    loads(text)
    PLACE.write_text(text)
    yield f"{PLACE.name}: {len(text) / 1000:.0f} kB, {len(model.weights)} features of {len(mine.kinds)} issues"
    yield f"held out: macro-F1 {calibrated(learned, held).macro_f1:.3f}; other repositories: {told.macro_f1:.3f}"
    yield f"at its thresholds: precision {learned.precision:.3f}, coverage {learned.coverage:.3f}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    for line in main(Path(sys.argv[1]), Path(sys.argv[2])):
        sys.stdout.write(f"{line}\n")
