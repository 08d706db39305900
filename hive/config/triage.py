"""What an operator adds to triage: `triage` of `hive.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hive.codec import STRICT, FieldError
from hive.config.costs import Cap
from hive.config.naming import Rule


@dataclass(frozen=True, slots=True)
class TriageSettings:
    """Whether a language model is asked what an issue is, where nothing else is sure."""

    model: str = ""
    """The model, named as in `model`; empty for none, and then no issue is sent anywhere."""

    budget: Cap = 0.05
    """The most that one question may cost, in US dollars; the caps of `budget` for a day and a month count beside it."""

    __pydantic_config__: ClassVar = STRICT

    @property
    def models(self) -> tuple[str, ...]:
        """The model, if there is one."""
        return (self.model,) if self.model else ()


DEFAULT_TRIAGE = TriageSettings()


def errors(triage: Mapping[str, Any], rule: Rule) -> Iterator[FieldError]:
    """A name of a model that breaks the rule for them."""
    name = triage.get("model")
    if isinstance(name, str) and name and (reason := rule(name)):
        yield FieldError(("triage", "model"), reason)
