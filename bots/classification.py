"""What a classifier says of an issue, and the protocol of one. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from forge.models import Repo


class DecidedBy(StrEnum):
    """What decided, in the order in which they are asked."""

    EXPLICIT = "explicit"
    """Somebody's own word: a label, a field of an issue form, a mention of an agent."""

    TEMPLATE = "template"
    """The labels of the issue template that it was written with."""

    RULES = "rules"
    """The words and paths of `hive.yaml`."""

    HISTORY = "history"
    """What was learned from the repository's own labels."""

    PRIOR = "prior"
    """What is known of issues in general."""

    LANGUAGE_MODEL = "language-model"

    DEFAULT = "default"
    """Nothing did: what the configuration has for what fits nowhere."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What an issue probably is: a word such as `bug`, and how likely (0 to 1) it is that.

    `speaks` is whether it is likely enough to be said; `words` are those of the issue that spoke for it.
    """

    kind: str
    confidence: float
    by: DecidedBy
    speaks: bool
    words: tuple[str, ...] = ()


class Classifier(Protocol):
    """Guesses what issues are: a learned model, or a language model."""

    def guess(self, repo: Repo, title: str, body: str) -> Guess:
        """What an issue of a repository is."""
