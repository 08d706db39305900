"""The corpus of the review's bench: well-formed, so that its numbers mean something."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.review.corpus import BLIND, FOLDER, KINDS, Fault, Malformed, changes, corpus

PARTS = (FOLDER, *BLIND)


def test_no_two_changes_share_a_path() -> None:
    """All changes are reviewed as one, so each file belongs to one of them."""
    for folder in PARTS:
        paths = Counter(file.path for change in corpus(folder) for file in change.files)
        assert [path for path, count in paths.items() if count > 1] == []
    assert len(corpus()) >= 300
    assert sum(len(corpus(folder)) for folder in BLIND) >= 150


def test_every_twin_has_its_other() -> None:
    """A change that was put right stands beside the one with the fault, and no fault is in it."""
    names = {change.name: change for folder in PARTS for change in corpus(folder)}
    for name, change in names.items():
        if change.is_twin:
            assert names[name.removesuffix("~")].faults
            assert not change.faults | change.open_ones


def test_lines_mean_what_their_first_letter_says() -> None:
    """Kept, taken away, added, and added with a fault that has to be seen or may be."""
    text = "=== a\n--- a.py\n one\n-two\n+three\nBfour\n\n?sfive\n"
    [change] = changes(text, "python")
    [file] = change.files
    assert (file.old, file.new) == (["one", "two", "", "five"], ["one", "three", "four", "", "five"])
    assert (file.removed, file.added) == ({2}, {2, 3})
    assert change.faults == {Fault("a.py", 3, KINDS["B"])}
    assert change.open_ones == {Fault("a.py", 5, KINDS["S"])}


@pytest.mark.parametrize("text", ["a line\n", "=== a\n--- a.py\n*what\n"])
def test_a_line_that_means_nothing_is_an_error(text: str) -> None:
    """No line of the corpus is passed over."""
    with pytest.raises(Malformed):
        list(changes(text, "python"))
