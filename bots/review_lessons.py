"""What a hive learns from its reviews: rules that people dismiss in a folder again and again, and never follow there. Performs no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bots.models import Category
from bots.review_policy import Suppression, matches
from bots.review_rounds import FindingState

LEAST_PULLS = 2
"""The pull requests in which a rule was dismissed before it is a habit."""

LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class FindingFact:
    """What became of one finding by now; `by` and `why` are of who dismissed it, `at` is when."""

    ref: str
    number: int
    rule: str
    engine: str
    path: str
    level: str
    category: str
    state: FindingState
    by: str
    why: str
    at: float


@dataclass(frozen=True, slots=True)
class Lesson:
    """A rule that is not wanted in files that match `path`, and who said so."""

    rule: str
    path: str
    dismissed: tuple[FindingFact, ...]


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How often a rule was said in a folder, and what became of it; `left` are those that were merged or closed as they were."""

    rule: str
    folder: str
    said: int
    fixed: int
    dismissed: int
    open: int
    left: int


def lessons(facts: Iterable[FindingFact], *, least: int) -> list[Lesson]:
    """What should be proposed: the narrowest folders in which a rule was dismissed `least` times, and never fixed.

    Secrets are never among them, and neither is a whole repository.
    """
    by_rule: dict[str, list[FindingFact]] = defaultdict(list)
    for fact in facts:
        if fact.path and fact.category != Category.LEAK.value:
            by_rule[fact.rule].append(fact)
    return [lesson for _, each in sorted(by_rule.items()) for lesson in _of_rule(each, least)]


def wanted(lesson: Lesson, suppressions: Iterable[Suppression]) -> bool:
    """Whether a lesson is not in the settings yet."""
    path = lesson.dismissed[0].path
    return not any(each.rule == lesson.rule and (not each.paths or matches(path, each.paths)) for each in suppressions)


def counts(facts: Iterable[FindingFact], closed: Iterable[str] = ()) -> list[RuleCount]:
    """What became of findings, by rule and folder, the most dismissed first; `closed` are pull requests that are over."""
    over = frozenset(closed)
    groups: dict[tuple[str, str], list[FindingFact]] = defaultdict(list)
    for fact in facts:
        groups[fact.rule, fact.path.rpartition("/")[0]].append(fact)
    found = [_count(rule, folder, each, over) for (rule, folder), each in groups.items()]
    return sorted(found, key=lambda each: (-each.dismissed, -each.said, each.rule, each.folder))


def _count(rule: str, folder: str, facts: list[FindingFact], over: frozenset[str]) -> RuleCount:
    unresolved = [fact for fact in facts if fact.state in {FindingState.OPEN, FindingState.STILL, FindingState.MOVED}]
    left = sum(fact.ref in over for fact in unresolved)
    by_state: Mapping[FindingState, int] = {
        state: sum(fact.state is state for fact in facts) for state in (FindingState.FIXED, FindingState.DISMISSED)
    }
    return RuleCount(
        *(rule, folder, len(facts), by_state[FindingState.FIXED], by_state[FindingState.DISMISSED]),
        *(len(unresolved) - left, left),
    )


def _of_rule(facts: list[FindingFact], least: int) -> Iterator[Lesson]:
    dismissed = [fact for fact in facts if fact.state is FindingState.DISMISSED]
    followed = [fact.path for fact in facts if fact.state is FindingState.FIXED]
    patterns = {pattern for fact in dismissed for pattern in _around(fact.path)}
    told: set[str] = set()
    for pattern in sorted(patterns, key=lambda each: (-each.count("/"), each.endswith("/"), each)):
        inside = tuple(fact for fact in dismissed if matches(fact.path, (pattern,)) and fact.path not in told)
        if len(inside) < least or len({fact.ref for fact in inside}) < LEAST_PULLS:
            continue
        if any(matches(path, (pattern,)) for path in followed):
            continue
        told |= {fact.path for fact in inside}
        yield Lesson(inside[0].rule, pattern, inside)


def _around(path: str) -> Iterator[str]:
    """The file, and the folders that it is in, as patterns."""
    if any(sign in path for sign in "*?") or len(path) > LONGEST_PATH:
        return
    yield path
    folder = path.rpartition("/")[0]
    while folder:
        yield f"{folder}/"
        folder = folder.rpartition("/")[0]
