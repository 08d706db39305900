"""What is known of issues that say the same, and of what triage has said. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IssueTerms:
    """The different terms of an issue's title and body, each in the order of the text: letters and digits only."""

    title: tuple[str, ...] = ()
    body: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SimilarIssue:
    """An issue of the same repository by its number, and how like it is, from 0 to 1: the cosine of their terms, weighted by rarity."""

    number: int
    score: float


@dataclass(frozen=True, slots=True)
class TriageNote:
    """What triage has said in its one comment on an issue.

    `head` is what it said of kind and lane, `asked` the fields that it has asked for, `body` the whole text. One that people have
    deleted, or that has changed often, is `settled`: nothing is said there any more.
    """

    head: str = ""
    asked: tuple[str, ...] = ()
    body: str = ""
    settled: bool = False
