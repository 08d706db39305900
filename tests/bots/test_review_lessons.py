"""What is learnt from dismissals: the narrowest folder, and only where nobody ever followed the rule."""

from __future__ import annotations

import pytest

from bots.models import Category
from bots.review_lessons import FindingFact, counts, lessons, wanted
from bots.review_policy import Suppression
from bots.review_rounds import FindingState

DISMISSED, FIXED, OPEN = FindingState.DISMISSED, FindingState.FIXED, FindingState.OPEN


def fact(
    pull: int, path: str, state: FindingState = DISMISSED, rule: str = "S101", category: str = "bug"
) -> FindingFact:
    """One finding of a pull request."""
    number = sum(map(ord, path))
    return FindingFact(
        *(f"forgejo:acme/app#{pull}", number, rule, "ruff", path, "red", category, state),
        *("mara" if state is DISMISSED else "", "", float(pull)),
    )


def told(*facts: FindingFact, least: int = 3) -> list[tuple[str, str, int]]:
    """Rules and patterns that are proposed, with the dismissals behind each."""
    return [(each.rule, each.path, len(each.dismissed)) for each in lessons(facts, least=least)]


def test_one_file_is_narrower_than_its_folder() -> None:
    """The pattern is as narrow as the dismissals are."""
    assert told(*(fact(number, "a/b.py") for number in (1, 2, 3))) == [("S101", "a/b.py", 3)]
    spread = [fact(number, f"a/b/{number}.py") for number in (1, 2, 3)]
    assert told(*spread) == [("S101", "a/b/", 3)]
    wide = [fact(1, "a/b/x.py"), fact(2, "a/c/y.py"), fact(3, "a/z.py")]
    assert told(*wide) == [("S101", "a/", 3)]


@pytest.mark.parametrize(
    "facts",
    [
        [fact(number, f"a/{number}.py") for number in (1, 2)],
        [fact(1, f"a/{number}.py") for number in (1, 2, 3)],
        [fact(number, f"{number}/a.py") for number in (1, 2, 3)],
        [*(fact(number, f"a/{number}.py") for number in (1, 2, 3)), fact(4, "a/4.py", FIXED)],
        [fact(number, f"a/{number}.py", OPEN) for number in (1, 2, 3)],
        [fact(number, f"a/{number}.py", rule=f"S10{number}") for number in (1, 2, 3)],
        [fact(number, "a/b.py", category=Category.LEAK.value) for number in (1, 2, 3)],
        [fact(number, "*.py") for number in (1, 2, 3)],
        [fact(number, "") for number in (1, 2, 3)],
    ],
    ids=["too-few", "one-pull", "everywhere", "followed", "open", "other-rules", "secrets", "a-pattern", "no-file"],
)
def test_what_is_no_habit(facts: list[FindingFact]) -> None:
    """Nothing is proposed for a few dismissals, for those of one pull request, and where the rule was followed once."""
    assert told(*facts) == []


def test_followed_elsewhere_is_another_folder() -> None:
    """Where a rule was followed it stays; a folder beside it may still be rid of it."""
    facts = [fact(number, f"gen/{number}.py") for number in (1, 2, 3)]
    assert told(*facts, fact(4, "src/a.py", FIXED)) == [("S101", "gen/", 3)]


def test_what_is_in_the_settings_is_not_wanted_again() -> None:
    """A suppression that covers the files is enough, whatever its pattern."""
    [lesson] = lessons([fact(number, f"gen/{number}.py") for number in (1, 2, 3)], least=3)
    assert wanted(lesson, [Suppression("S101", ("src/",)), Suppression("S102", ("gen/",))])
    assert not wanted(lesson, [Suppression("S101", ("gen/**",))])
    assert not wanted(lesson, [Suppression("S101")])


def test_counts_tell_what_became_of_each() -> None:
    """Open findings of a pull request that is over were left."""
    facts = [
        fact(1, "a/b.py"),
        fact(2, "a/c.py", FIXED),
        fact(3, "a/d.py", OPEN),
        fact(4, "a/e.py", OPEN),
        fact(5, "f.py"),
    ]
    first, second = counts(facts, {"forgejo:acme/app#4"})
    assert (first.folder, first.said, first.fixed, first.dismissed, first.open, first.left) == ("a", 4, 1, 1, 1, 1)
    assert (second.folder, second.said, second.dismissed) == ("", 1, 1)
