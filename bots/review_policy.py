"""What a repository wants of its reviews, as its base branch says. Performs no I/O.

A pull request cannot change its own review: what it does to these settings counts once it is merged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bots.models import Category, Finding, Level


class ReviewMode(StrEnum):
    """When pull requests are reviewed: never, when somebody comments `/review`, when they are opened, after each push."""

    OFF = "off"
    ON_DEMAND = "on_demand"
    OPEN = "open"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class OwnRule:
    """A rule of the repository: added lines that hold `text`, in files that match one of `paths` (any, if empty)."""

    name: str
    text: str
    title: str
    why: str = ""
    level: Level = Level.YELLOW
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suppression:
    """Findings of a rule (any, if empty) that are not said, in files that match one of `paths` (any, if empty)."""

    rule: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    """Settings of reviews; `paths` are those that are reviewed (all, if empty), `broken` is why they could not be read.

    `floor` is the lowest level that is said, `inline` the most comments on lines in one review, `model` whether a model may read,
    `learn` the dismissals of a rule after which a suppression is proposed (0: never).
    """

    mode: ReviewMode = ReviewMode.PUSH
    floor: Level = Level.GREEN
    paths: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    rules: tuple[OwnRule, ...] = ()
    inline: int = 10
    approve: bool = False
    learn: int = 5
    broken: str = ""
    model: bool = True

    def reviews(self, path: str) -> bool:
        """Whether findings in a file are said."""
        return (not self.paths or matches(path, self.paths)) and not matches(path, self.ignored)

    def admits(self, finding: Finding) -> bool:
        """Whether a finding is said. A secret is in every file, unless its rule is suppressed for some paths by name."""
        if finding.category is Category.LEAK:
            exact = (each for each in self.suppressions if each.rule and each.paths)
            return not any(_covers(each, finding) for each in exact)
        if finding.effective_level is not Level.GREEN and finding.path and not self.reviews(finding.path):
            return False
        if _RANKS[finding.effective_level] > _RANKS[self.floor]:
            return False
        return not any(_covers(each, finding) for each in self.suppressions)


DEFAULT_POLICY = ReviewPolicy()
ENGINE = "the repository"
"""What findings of a repository's own rules name as their engine."""

_RANKS = {Level.RED: 0, Level.YELLOW: 1, Level.GREEN: 2}


def own_findings(policy: ReviewPolicy, lines: Iterable[tuple[str, int, str]]) -> tuple[Finding, ...]:
    """What the repository's own rules find in added lines: (path, number, text)."""
    if not policy.rules:
        return ()
    return tuple(
        Finding(path, number, rule.level, Category.INCONSISTENCY, rule.name, rule.title, rule.why, engine=ENGINE)
        for path, number, text in lines
        for rule in policy.rules
        if rule.text in text and (not rule.paths or matches(path, rule.paths))
    )


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether a path matches one of some patterns: `*` is part of a name, `**` any folders, `docs/` all below a folder."""
    return any(_compiled(glob).fullmatch(path) for glob in globs)


def _covers(each: Suppression, finding: Finding) -> bool:
    return each.rule in {"", finding.rule} and (not each.paths or matches(finding.path, each.paths))


def _compiled(glob: str) -> re.Pattern[str]:
    whole = glob + "**" if glob.endswith("/") else glob
    parts = [part for part in re.split(r"(\*\*/|\*\*|\*|\?)", whole) if part]
    return re.compile("".join(_TRANSLATED.get(part, re.escape(part)) for part in parts), re.DOTALL)


_TRANSLATED = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
