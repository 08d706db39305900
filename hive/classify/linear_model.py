"""Logistic regression on sparse features in plain Python, one class against the rest. Performs no I/O.

Trained by coordinate descent on the dual problem: each step solves for one example exactly, so that there is no step size
to choose and the same examples give the same model.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from operator import mul
from random import Random

from hive.classify.features import Features

ROUNDS = 12
SEED = 20
NEAR = 1e-3


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Weights of features by class; `weights[name]` holds one number for each of `kinds`."""

    kinds: tuple[str, ...]
    bias: tuple[float, ...]
    weights: Mapping[str, tuple[float, ...]]

    def scores(self, found: Features) -> list[float]:
        """The evidence for each class, in the order of `kinds`; above 0 speaks for it."""
        total = list(self.bias)
        for name, value in found.items():
            if (weights := self.weights.get(name)) is not None:
                for place, weight in enumerate(weights):
                    total[place] += weight * value
        return total

    def reasons(self, found: Features, kind: str, most: int = 5) -> list[str]:
        """The features that speak most for a class rather than for the others."""
        place = self.kinds.index(kind)
        told = []
        for name, value in found.items():
            if (weights := self.weights.get(name)) is not None:
                others = [weight for other, weight in enumerate(weights) if other != place]
                told.append((value * (weights[place] - max(others, default=0.0)), name))
        return [name for gain, name in sorted(told, reverse=True)[:most] if gain > 0]


class Examples:
    """Examples as arrays of numbers: what training keeps of a text is a few kilobytes."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []
        self.rows: list[tuple[array[int], array[float]]] = []
        self.kinds: list[str] = []

    def add(self, found: Features, kind: str) -> None:
        """One more example."""
        numbers, names = self.numbers, self.names
        ids = array("i")
        for name in found:
            number = numbers.get(name)
            if number is None:
                number = numbers[name] = len(names)
                names.append(name)
            ids.append(number)
        self.rows.append((ids, array("f", found.values())))
        self.kinds.append(kind)

    def part(self, rows: Sequence[int]) -> Examples:
        """Some of the examples, under the same numbers."""
        some = Examples()
        some.numbers, some.names = self.numbers, self.names
        some.rows = [self.rows[row] for row in rows]
        some.kinds = [self.kinds[row] for row in rows]
        return some

    def features(self, row: int) -> Features:
        """The features of an example."""
        ids, values = self.rows[row]
        return {self.names[number]: value for number, value in zip(ids, values, strict=True)}

    def counts(self) -> array[int]:
        """In how many examples each feature is."""
        counts = array("i", bytes(4 * len(self.names)))
        for ids, _ in self.rows:
            for number in ids:
                counts[number] += 1
        return counts


def train(examples: Examples, *, strength: float = 2.0, least: int = 2, rounds: int = ROUNDS) -> LinearModel:
    """Learn from examples; features of fewer than `least` of them do not count, `strength` is the inverse of regularisation."""
    counts = examples.counts()
    place = array("i", [-1]) * len(counts)
    kept = 1  # 0 is the bias
    for number, count in enumerate(counts):
        if count >= least:
            place[number], kept = kept, kept + 1
    rows = [_row(ids, values, place) for ids, values in examples.rows]
    kinds = tuple(sorted(set(examples.kinds)))
    learned = [_descend(rows, [kind == mine for mine in examples.kinds], kept, strength, rounds) for kind in kinds]
    names = ((name, place[number]) for number, name in enumerate(examples.names))
    weights = {name: tuple(one[at] for one in learned) for name, at in names if at > 0}
    return LinearModel(kinds, tuple(one[0] for one in learned), weights)


def _row(ids: array[int], values: array[float], place: array[int]) -> tuple[array[int], array[float]]:
    """An example without the features that do not count, its bias first."""
    pairs = [(place[number], value) for number, value in zip(ids, values, strict=True) if place[number] > 0]
    return array("i", [0, *(number for number, _ in pairs)]), array("d", [1.0, *(value for _, value in pairs)])


def _descend(
    rows: Sequence[tuple[array[int], array[float]]], mine: Sequence[bool], size: int, strength: float, rounds: int
) -> array[float]:
    """The weights of one class against the rest."""
    weights = array("d", bytes(8 * size))
    lengths = [sum(map(mul, values, values)) for _, values in rows]
    dual = [strength * 1e-3] * len(rows)
    for (ids, values), is_mine in zip(rows, mine, strict=True):
        step = strength * 1e-3 if is_mine else -strength * 1e-3
        for number, value in zip(ids, values, strict=True):
            weights[number] += step * value
    order, shuffle = list(range(len(rows))), Random(SEED).shuffle
    at = weights.__getitem__
    for _ in range(rounds):
        shuffle(order)
        moved = 0.0
        for row in order:
            ids, values = rows[row]
            sign = 1.0 if mine[row] else -1.0
            margin = sign * sum(map(mul, map(at, ids), values))
            change = _solve(dual[row], margin, lengths[row], strength)
            if -NEAR * strength < change < NEAR * strength:
                continue
            moved = max(moved, abs(change))
            dual[row] += change
            step = sign * change
            for number, value in zip(ids, values, strict=True):
                weights[number] += step * value
        if moved < 0.02 * strength:
            break
    return weights


def _solve(dual: float, margin: float, length: float, strength: float) -> float:
    """The change of a dual variable after which it fits its own margin: `dual = strength / (1 + e^margin)`."""
    low, high = -dual, strength - dual
    change = 0.0
    for _ in range(8):
        here = margin + change * length
        part = 1.0 / (1.0 + exp(here)) if here < 30.0 else exp(-here)
        gap = dual + change - strength * part
        if gap > 0:
            high = change
        else:
            low = change
        if -1e-4 * strength < gap < 1e-4 * strength:
            break
        following = change - gap / (1.0 + strength * part * (1.0 - part) * length)
        change = following if low < following < high else (low + high) / 2
    return change


def softmax(scores: Iterable[float], warmth: float = 1.0) -> list[float]:
    """Scores as probabilities; a greater warmth is less sure of itself."""
    told = [score / warmth for score in scores]
    most = max(told)
    parts = [exp(score - most) for score in told]
    total = sum(parts)
    return [part / total for part in parts]


def surprise(probability: float) -> float:
    """How much an outcome of that probability surprises, in nats."""
    return -log(max(probability, 1e-12))
