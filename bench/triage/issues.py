"""Issues for the bench of learned triage: those of a file, many made of them, or made of sayings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random

from hive.classify.examples import read_examples
from hive.classify.training import LabelledIssue

MANY = 10_000
SAYINGS = {
    "bug": ("{} crashes with an error", "{} fails since the upgrade", "{} is broken", "wrong output of {}"),
    "feature": ("add support for {}", "it would be nice to have {}", "allow users to change {}", "an option for {}"),
    "question": ("how can i use {}?", "what is {} for?", "is there a way to read {}?", "i want to understand {}"),
}
WORDS = tuple(
    f"{first}{last}" for first in ("ba", "do", "ki", "lu", "me", "ra", "so", "tu") for last in ("n", "ler", "x", "mo")
)


def read(path: Path) -> list[LabelledIssue]:
    """All issues of a file."""
    return list(read_examples(path))


def write(path: Path, issues: Iterable[LabelledIssue]) -> None:
    """Write issues as lines of JSON."""
    with path.open("w") as file:
        for each in issues:
            file.write(json.dumps({"title": each.title, "body": each.body, "kind": each.kind}) + "\n")


def made(count: int, seed: int) -> Iterator[LabelledIssue]:
    """Issues made of sayings, a tenth of them labelled by chance."""
    dice = Random(seed)
    for _ in range(count):
        kind = dice.choice(list(SAYINGS))
        said = [dice.choice(SAYINGS[kind]).format(" ".join(dice.choices(WORDS, k=3))) for _ in range(4)]
        noise = [" ".join(dice.choices(WORDS, k=12)) for _ in range(12)]
        label = dice.choice(list(SAYINGS)) if dice.random() < 0.1 else kind
        yield LabelledIssue(said[0], "\n\n".join([*said[1:], *noise]), label)


def many(issues: Sequence[LabelledIssue], count: int) -> Iterator[LabelledIssue]:
    """So many issues made of those: title and paragraphs of two of a kind, mixed."""
    dice = Random(3)
    of_kind: dict[str, list[LabelledIssue]] = {}
    for each in issues:
        of_kind.setdefault(each.kind, []).append(each)

    def endless() -> Iterator[LabelledIssue]:
        while True:
            for each in issues:
                other = dice.choice(of_kind[each.kind])
                parts = each.body.split("\n\n") + other.body.split("\n\n")
                dice.shuffle(parts)
                title = f"{each.title} {' '.join(dice.sample(other.title.split(), k=min(2, len(other.title.split()))))}"
                yield LabelledIssue(title, "\n\n".join(parts[: len(parts) // 2 + 1]), each.kind)

    return islice(endless(), count)
