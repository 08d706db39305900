"""What an operator adds to reviews, a model that reads and more analysers: `review` of `hive.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MaxLen

from hive.codec import STRICT, FieldError
from hive.config.costs import Cap
from hive.config.engine_settings import EngineSettings, engine_errors
from hive.config.naming import Rule


@dataclass(frozen=True, slots=True)
class ReviewerSettings:
    """Whether a model reads pull requests, which one, and how much; and analysers beside those of the hive."""

    model: str = ""
    """The model that reads them, named as in `model`; empty for analysers only."""

    verifier: str = ""
    """The model that looks a second time at what blocks; `review.model` if empty."""

    tokens: Annotated[int, Ge(8_000), Le(1_000_000)] = 60_000
    """Tokens of a change that it is shown; what is more is named as not read."""

    budget: Cap = 1.0
    """The most that one review may cost, in US dollars; the caps of `budget` count beside it."""

    engines: Annotated[tuple[EngineSettings, ...], MaxLen(20)] = ()
    """Analysers of the operator, which write SARIF. One that is missing or fails leaves a change not reviewed."""

    __pydantic_config__: ClassVar = STRICT

    @property
    def models(self) -> tuple[str, ...]:
        """The models that read pull requests."""
        return tuple(dict.fromkeys((self.model, self.second))) if self.model else ()

    @property
    def second(self) -> str:
        """The model that looks a second time."""
        return self.verifier or self.model


DEFAULT_REVIEWER = ReviewerSettings()


def errors(review: Mapping[str, Any], rule: Rule) -> Iterator[FieldError]:
    """Names of models that break the rule for them, a verifier with nothing to verify, and unusable names of analysers."""
    yield from engine_errors(review)
    for key in ("model", "verifier"):
        name = review.get(key)
        if isinstance(name, str) and name and (reason := rule(name)):
            yield FieldError(("review", key), reason)
    if review.get("verifier") and not review.get("model"):
        yield FieldError(("review", "verifier"), "should stand beside review.model: it looks at what that one says")
