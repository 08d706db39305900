"""What a learned model sees of an issue. Performs no I/O.

Each feature is a word with the place where it was found: `t:` title, `b:` prose, `h:` heading, `k:` field of a form, `s:` marks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import log, sqrt

from bots.triage.cleaning import CleanText
from hive.classify.lexicon import groups

WORDS = 250
"""So many words of the prose count."""

PAIRS = 120
"""So many words of it count as pairs with their neighbours."""

BEGINNING = 30
"""So many words are where it begins."""

LONGEST_WORD = 30
MOST_MARKS = 20
_WORD = re.compile(r"[a-z]+(?:['’][a-z]+)?|[?!]")
_TAG = re.compile(r"\s*[\[(]([a-zA-Z /-]{2,25})[\])]|\s*([a-zA-Z]{2,12})(?:\([\w-]{1,20}\))?:")
_STEPS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 1000)

Features = dict[str, float]


def features(text: CleanText) -> Features:
    """The features of an issue and their weights; title and prose have length 1 each."""
    title, prose = words(text.title), words(text.prose)
    found: Features = {}
    _add(found, _title(title), 1.0)
    _add(found, _prose(prose), 1.0)
    found.update((f"h:{heading}", 0.5) for heading in text.headings[:MOST_MARKS])
    for name, value in text.fields[:MOST_MARKS]:
        found[f"k:{name}"] = 0.3
        found[f"k:{name}={value}"] = 0.4
    found.update((f"s:{mark}", 0.3) for mark in _marks(text, title, prose))
    found.update(_groups(title, prose))
    return found


def words(text: str) -> list[str]:
    """The words of a text in small letters without apostrophes, and its question and exclamation marks."""
    found = _WORD.findall(text.lower().replace("’", "'"))
    return [word.replace("'", "") for word in found if len(word) <= LONGEST_WORD]


def _title(title: list[str]) -> dict[str, int]:
    ends = ["^", *title, "$"]
    found = dict.fromkeys((f"t:{word}" for word in title), 1)
    found.update((f"t:{first} {then}", 1) for first, then in pairwise(ends))
    return found


def _prose(prose: list[str]) -> Counter[str]:
    found = Counter(f"b:{word}" for word in prose[:WORDS])
    found.update(f"b:{first} {then}" for first, then in pairwise(prose[: PAIRS + 1]))
    return found


def _add(found: Features, counts: dict[str, int] | Counter[str], length: float) -> None:
    weights = {word: 1 + log(count) for word, count in counts.items()}
    scale = length / (sqrt(sum(weight * weight for weight in weights.values())) or 1.0)
    for word, weight in weights.items():
        found[word] = weight * scale


def _groups(title: list[str], prose: list[str]) -> Iterator[tuple[str, float]]:
    """How much of an issue is about faults, wishes, questions: in its title, where it begins, and in all of it."""
    for place, part, weight in (("t", title, 0.5), ("f", prose[:BEGINNING], 0.3), ("b", prose[:WORDS], 0.3)):
        found = groups(part)
        total = sum(found.values())
        for group, count in found.items():
            yield f"g:{place} {group}", weight
            yield f"g:{place} {group} share", weight * count / total
        if found:
            yield f"g:{place} most {max(found, key=lambda group: found[group])}", weight


def _marks(text: CleanText, title: list[str], prose: list[str]) -> Iterator[str]:
    yield from text.marks
    yield f"questions {min(prose.count('?'), 3)}"
    yield f"words {_step(len(prose))}"
    yield f"title words {_step(len(title))}"
    if text.title.endswith("?"):
        yield "title asks"
    if tag := _TAG.match(text.title):
        yield f"tag {(tag[1] or tag[2]).lower().strip()}"
    for first in range(1, 4):
        if len(prose) >= first:
            yield f"starts {' '.join(prose[:first])}"


def _step(count: int) -> int:
    return next((step for step, most in enumerate(_STEPS) if count <= most), len(_STEPS))
