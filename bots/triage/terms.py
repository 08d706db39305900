"""The terms of an issue by which others that say the same are found. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bots.issue_terms import IssueTerms
from bots.triage.cleaning import CleanText

MOST_TITLE, MOST_BODY = 24, 120
"""So many different terms are kept."""

LONGEST = 40

_WORD = re.compile(r"[^\W_]+")
_SAYS_NOTHING = """
    a an and are as at be been but by can did do does for from get had has have how i if in into is it its me my no not of on or
    our out so that the their them then there these they this to up use used using was we were what when where which while who
    why will with would you your codeblock codeword
"""
_STOP = frozenset(_SAYS_NOTHING.split())
_ENDINGS = re.compile(r"(?<=\w{4})(?:ings?|ed|es|s|ly)$")


def terms_of(text: CleanText) -> IssueTerms:
    """The terms of a clean text: small letters and digits, without endings and without words that say nothing."""
    title = _first(_terms(text.title), MOST_TITLE)
    return IssueTerms(title, _first(_terms(text.prose), MOST_BODY))


def says_something(phrase: str) -> bool:
    """Whether a phrase has a word that says something."""
    return any(word not in _STOP for word in _WORD.findall(phrase.lower()))


def _terms(text: str) -> Iterator[str]:
    for word in _WORD.findall(text.lower()):
        if (len(word) > 1 or word.isdigit()) and word not in _STOP:
            yield _ENDINGS.sub("", word)[:LONGEST]


def _first(terms: Iterable[str], most: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(terms))[:most]
