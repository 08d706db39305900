"""What is known of issues in general: the model that ships with the package, for repositories without a history of their own."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

from hive.classify.linear_model import LinearModel
from hive.classify.model_file import loads
from hive.classify.training import Learned

FILE = "prior.json"

DOCS = "docs"
DOCS_BIAS = -3.2
DOCS_THRESHOLD = 0.9
DOCS_WEIGHTS = {
    "g:t docs": 3.0,
    "g:t docs share": 4.0,
    "g:t most docs": 4.0,
    "g:f most docs": 1.5,
    "g:b most docs": 1.5,
    "g:t fault": -2.0,
    "g:t wish": -1.0,
    "g:t ask": -2.0,
    "s:tag doc": 18.0,
    "s:tag docs": 18.0,
    "s:tag documentation": 18.0,
    "k:issue type=documentation": 10.0,
    "k:issue type=docs": 10.0,
}
"""Set by hand: public issues about documentation are too few to learn from, as most projects file them as bugs or features."""

QUESTION = "question"
QUESTION_THRESHOLD = 0.92
"""Set by hand: people label so many questions as bugs that no threshold is reached where labels are taken at their word."""


@cache
def prior() -> Learned:
    """The model for all repositories."""
    return loads(files(__package__).joinpath(FILE).read_bytes())


def with_docs(learned: Learned) -> Learned:
    """A model of bugs, features and questions that knows issues about documentation as well."""
    model = learned.model
    kinds = tuple(sorted((*model.kinds, DOCS)))
    place = kinds.index(DOCS)

    def widened(told: tuple[float, ...], docs: float) -> tuple[float, ...]:
        return (*told[:place], docs, *told[place:])

    nothing = (0.0,) * len(model.kinds)
    names = model.weights.keys() | DOCS_WEIGHTS.keys()
    weights = {name: widened(model.weights.get(name, nothing), DOCS_WEIGHTS.get(name, 0.0)) for name in names}
    wide = LinearModel(kinds, widened(model.bias, DOCS_BIAS), weights)
    bounds = dict(zip(model.kinds, learned.thresholds, strict=True))
    if QUESTION in bounds:
        bounds[QUESTION] = min(bounds[QUESTION], QUESTION_THRESHOLD)
    return replace(learned, model=wide, thresholds=widened(tuple(bounds.values()), DOCS_THRESHOLD))
