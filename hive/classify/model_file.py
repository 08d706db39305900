"""A learned model as a file: JSON with one feature a line, weights in hundredths. Performs no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hive.classify.linear_model import LinearModel
from hive.classify.training import Learned

FORMAT = 1
SMALLEST = 0.02
"""A feature all of whose weights are smaller is left out."""


class BadModel(Exception):
    """A file that holds no model of this format; the message says what is wrong."""


def dumps(learned: Learned) -> str:
    """A model as text; the same model is the same text."""
    model = learned.model
    head: dict[str, Any] = {
        "format": FORMAT,
        "kinds": model.kinds,
        "bias": [_hundredths(bias) for bias in model.bias],
        "warmth": learned.warmth,
        "thresholds": [round(each, 4) for each in learned.thresholds],
        "examples": learned.examples,
        "macro_f1": round(learned.macro_f1, 4),
        "precision": round(learned.precision, 4),
        "coverage": round(learned.coverage, 4),
    }
    kept = sorted((name, each) for name, each in model.weights.items() if max(map(abs, each)) >= SMALLEST)
    lines = [f"{json.dumps(name)}: {json.dumps([_hundredths(one) for one in each])}" for name, each in kept]
    told = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    return "{\n" + ",\n".join([*told, '"weights": {\n' + ",\n".join(lines) + "\n}"]) + "\n}\n"


def loads(text: str | bytes) -> Learned:
    """The model in a file; raises BadModel."""
    try:
        said = json.loads(text)
        return _read(said)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadModel(f"not a model: {error}") from error


def _read(said: Mapping[str, Any]) -> Learned:
    if said["format"] != FORMAT:
        raise BadModel(f"a model of format {said['format']!r}, this is {FORMAT}")
    kinds = tuple(map(str, said["kinds"]))
    weights = {str(name): tuple(int(one) / 100 for one in each) for name, each in said["weights"].items()}
    bias = tuple(int(one) / 100 for one in said["bias"])
    thresholds = tuple(map(float, said["thresholds"]))
    if {len(kinds), len(bias), len(thresholds), *map(len, weights.values())} != {len(kinds)}:
        raise BadModel("not a model: it does not have one number for each kind")
    return Learned(
        LinearModel(kinds, bias, weights),
        float(said["warmth"]),
        thresholds,
        int(said["examples"]),
        float(said["macro_f1"]),
        float(said["precision"]),
        float(said["coverage"]),
    )


def _hundredths(weight: float) -> int:
    return round(weight * 100)
