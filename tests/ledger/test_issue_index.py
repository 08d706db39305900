"""The index of issues finds what says the same, in the repository where it was asked and nowhere else."""

from __future__ import annotations

import pytest

from bots.triage.cleaning import clean
from bots.triage.terms import terms_of
from hive.ledger import Ledger
from hive.ledger.issue_index import IssueIndex
from tests.conftest import Clock

APP, SECRET = "forgejo:acme/app", "forgejo:acme/secret"
OTHERS = ("The button is blue", "Add a dark theme", "Login fails with two factors", "Export of tables", "Docs are old")


def put(ledger: Ledger, number: int, title: str, body: str = "", repo: str = APP) -> None:
    """Index an issue."""
    terms = terms_of(clean(title, body))
    ledger.issue_index.put(repo, number, terms.title, terms.body)


def alike(ledger: Ledger, title: str, body: str = "", repo: str = APP, number: int = 99) -> dict[int, float]:
    """What is like an issue, and how much."""
    terms = terms_of(clean(title, body))
    return {each.number: each.score for each in ledger.issue_index.similar(repo, number, terms.title, terms.body)}


@pytest.fixture
def filed(ledger: Ledger) -> Ledger:
    """A few issues of two repositories."""
    for number, title in enumerate(OTHERS, 1):
        put(ledger, number, title, "It was so since Monday.")
    put(ledger, 6, "Worker crashes when the disk is full", "It dies with ENOSPC while it writes the journal.")
    put(ledger, 7, "The merger with Initech is prepared", "Nobody must know.", SECRET)
    return ledger


def test_the_same_in_other_words(filed: Ledger) -> None:
    """Order, endings and letter case do not matter; the same text is 1, another one far from it."""
    found = alike(filed, "Full disk: worker crashed", "While writing the journal it died with ENOSPC")
    assert next(iter(found)) == 6
    assert found[6] > 0.7
    assert alike(filed, "Worker crashes when the disk is full", "It dies with ENOSPC while it writes the journal.")[
        6
    ] == pytest.approx(1)
    assert alike(filed, "A dark mode for the button").get(6, 0.0) < 0.2


def test_an_issue_is_not_like_itself(filed: Ledger) -> None:
    """Nor is anything like an issue without words."""
    assert 6 not in alike(filed, "Worker crashes when the disk is full", number=6)
    for nothing in ("", "the and of", "?!", '" OR "'):
        assert alike(filed, nothing) == {}


def test_repositories_are_apart(filed: Ledger) -> None:
    """What a private repository holds is found in it alone, and changes no score elsewhere; letter case is no other repository."""
    secret = ("The merger with Initech is prepared", "Nobody must know.")
    assert alike(filed, *secret) == {}
    assert alike(filed, *secret, repo="forgejo:ACME/Secret")[7] == pytest.approx(1)
    before = alike(filed, "Disk full, worker crashes")
    for number in range(100, 140):
        put(filed, number, "Worker crashes when the disk is full", repo=SECRET)
    assert alike(filed, "Disk full, worker crashes") == before


def test_an_edit_takes_the_place_of_the_old_text(filed: Ledger) -> None:
    """Old words find nothing any more, new ones do, and saying the same again changes nothing."""
    put(filed, 6, "Coffee machine is empty", "No beans.")
    put(filed, 6, "Coffee machine is empty", "No beans.")
    assert 6 not in alike(filed, "Worker crashes when the disk is full", "ENOSPC journal")
    assert alike(filed, "Coffee machine empty: no beans")[6] > 0.9


def test_other_numbers_are_other_issues(filed: Ledger) -> None:
    """Work that comes again with each version is not the same work."""
    put(filed, 8, "Upgrade the parser to 3.4", "As each month.")
    assert alike(filed, "Upgrade the parser to 3.5", "As each month.") == {}
    assert alike(filed, "Upgrade the parser to 3.4", "As each month.")[8] == pytest.approx(1)


def test_the_oldest_are_forgotten(filed: Ledger, clock: Clock) -> None:
    """The index is bounded for each repository."""
    index = IssueIndex(filed.issue_index._db, clock, most=3)
    index.put(APP, 50, ("coffee", "machine"), ())
    assert alike(filed, OTHERS[0], "It was so since Monday.").keys() <= {5, 6, 50}
    assert 50 in alike(filed, "Coffee machine")


def test_words_are_no_query(filed: Ledger) -> None:
    """Words of FTS5's own language and of SQL are words."""
    for title in (
        "NEAR AND OR NOT",
        "title: body",
        "a* ^b",
        '"; DROP TABLE issue_texts; --',
        "ENOSPC'",
        "\x00 journal",
    ):
        alike(filed, title)
    assert 6 in alike(filed, "worker OR crashes AND full")
