"""Learns from labelled issues: weights, how far they can be trusted, and from which confidence on to speak. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bots.triage.cleaning import clean
from hive.classify.features import Features, features
from hive.classify.linear_model import Examples, LinearModel, softmax, surprise, train
from hive.classify.measures import NOTHING, Confusion, threshold

PRECISION = 0.935
"""What the threshold is chosen for on held-out examples: a little more than is promised."""

FOLDS = 5
TENTH = 10
LARGE = 2_000
"""From so many examples on a tenth is held out for good; of fewer each is held out once, and learned from at last."""

LEAST_PER_KIND = 10
"""A kind of which there are fewer examples is not learned."""

STRENGTH = 2.0
WARMTHS = tuple(step / 10 for step in range(4, 31))
PRIOR = 0.1
"""The weight of what the prior says among the features."""


@dataclass(frozen=True, slots=True)
class LabelledIssue:
    """An issue and what it is; `kind` is a word such as `bug`."""

    title: str
    body: str
    kind: str


@dataclass(frozen=True, slots=True)
class Learned:
    """A model with the confidence from which on it speaks, and what it was measured to be on held-out issues.

    `warmth` divides its scores before they become probabilities; `thresholds` has one for each kind. `macro_f1`, `precision`
    and `coverage` are of issues that it had not learned from, the latter two at the thresholds; `examples` is the number of
    those that it has learned from.
    """

    model: LinearModel
    warmth: float = 1.0
    thresholds: tuple[float, ...] = ()
    examples: int = 0
    macro_f1: float = 0.0
    precision: float = 0.0
    coverage: float = 0.0

    def probabilities(self, found: Features) -> dict[str, float]:
        """How likely each kind is."""
        return dict(zip(self.model.kinds, softmax(self.model.scores(found), self.warmth), strict=True))

    def best(self, found: Features) -> tuple[str, float]:
        """The likeliest kind, and how likely it is."""
        told = self.probabilities(found)
        kind = max(told, key=lambda name: told[name])
        return kind, told[kind]

    def speaks(self, kind: str, confidence: float) -> bool:
        """Whether it is sure enough to say so."""
        return confidence >= dict(zip(self.model.kinds, self.thresholds, strict=False)).get(kind, 1.0)


class TooFewExamples(ValueError):
    """There is not enough to learn from; the message says what is there."""


def with_prior(found: Features, prior: Learned | None) -> Features:
    """Features, and what the prior makes of them."""
    if prior is None:
        return found
    scores = prior.model.scores(found)
    mean = sum(scores) / len(scores)
    said = {f"p:{kind}": PRIOR * (score - mean) for kind, score in zip(prior.model.kinds, scores, strict=True)}
    return {**found, **said}


def learn(issues: Iterable[LabelledIssue], prior: Learned | None = None) -> Learned:
    """Learn from issues, and measure on those that were held out; raises TooFewExamples."""
    examples = Examples()
    for issue in issues:
        examples.add(with_prior(features(clean(issue.title, issue.body)), prior), issue.kind)
    return learn_from(examples)


def learn_from(examples: Examples, *, least: int = 2, strength: float = STRENGTH, large: int = LARGE) -> Learned:
    """Learn from examples; kinds with too few of them are left out. Raises TooFewExamples."""
    counts = Counter(examples.kinds)
    kinds = {kind for kind, count in counts.items() if count >= LEAST_PER_KIND}
    if len(kinds) < 2:
        there = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "none"
        raise TooFewExamples(f"two kinds with {LEAST_PER_KIND} examples each are the least (there are: {there})")
    rows = [row for row, kind in enumerate(examples.kinds) if kind in kinds]
    if len(rows) >= large:
        rest = [row for place, row in enumerate(rows) if place % TENTH]
        model = train(examples.part(rest), strength=strength, least=least)
        held = [(examples.kinds[row], model.scores(examples.features(row))) for row in rows[::TENTH]]
        return calibrated(Learned(model, examples=len(rest)), held)
    held = held_out(examples, rows, least=least, strength=strength)
    model = train(examples.part(rows), strength=strength, least=least)
    return calibrated(Learned(model, examples=len(rows)), held)


def calibrated(learned: Learned, held: Sequence[tuple[str, Sequence[float]]]) -> Learned:
    """With warmth, threshold and measures by the scores of held-out examples: what each is, and its scores."""
    kinds = learned.model.kinds
    place = {kind: number for number, kind in enumerate(kinds)}
    known = [(kind, scores) for kind, scores in held if kind in place]

    def loss(warmth: float) -> float:
        return sum(surprise(softmax(scores, warmth)[place[kind]]) for kind, scores in known)

    warmth = min(WARMTHS, key=loss)
    told = []
    for kind, scores in held:
        chances = softmax(scores, warmth)
        best = max(range(len(kinds)), key=chances.__getitem__)
        told.append((kind, kinds[best], chances[best]))
    least = {
        kind: threshold([(sure, true == said) for true, said, sure in told if said == kind], PRECISION)
        for kind in kinds
    }
    whole = Confusion.of((true, said) for true, said, _ in told)
    spoken = Confusion.of((true, said if sure >= least[said] else NOTHING) for true, said, sure in told)
    return replace(
        learned,
        warmth=warmth,
        thresholds=tuple(least.values()),
        macro_f1=whole.macro_f1,
        precision=spoken.precision,
        coverage=spoken.coverage,
    )


def held_out(
    examples: Examples, rows: Sequence[int], *, least: int = 2, strength: float = STRENGTH
) -> list[tuple[str, list[float]]]:
    """What each held-out example is, and its scores by a model that has not seen it."""
    held: list[tuple[str, list[float]]] = []
    for fold in range(FOLDS):
        out = [row for place, row in enumerate(rows) if place % FOLDS == fold]
        model = train(
            examples.part([row for place, row in enumerate(rows) if place % FOLDS != fold]),
            strength=strength,
            least=least,
        )
        held.extend((examples.kinds[row], model.scores(examples.features(row))) for row in out)
    return held
