"""What an agent says is read, and does nothing else on a forge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.agent.reference_escaping import JOINER, closes_nothing, escape_references

WORDS = (
    *("close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved", "reopens", "löst"),
    *("CLOSES", "Fixes:", "fixes :", "does not fix", "**closes**", "_fixes_", "fixes\n", "fixes  \t", "fixes&nbsp;"),
)
REFERENCES = (
    *("#1", "!2", "acme/app#1", "acme/app!2", "GH-3", "[#1](x)", "(#1)", "`#1`", "<#1>"),
    *(
        "https://forge.invalid/acme/app/issues/1",
        "http://f/sub/acme/app/pulls/2",
        "https://f/a/b/pull/3#issuecomment-9",
    ),
)


def live(text: str) -> bool:
    """Whether a forge would still see a reference in a text."""
    text = (
        text.replace(f"#{JOINER}", "").replace(f"!{JOINER}", "").replace(f"-{JOINER}", "").replace(f":{JOINER}//", "")
    )
    return any(mark in text for mark in ("#1", "!2", "GH-3", "://"))


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("word", WORDS)
def test_no_issue_is_closed(word: str, reference: str) -> None:
    """No word before a reference closes what it names, and every word is read as before."""
    text = f"It is part of what {word} {reference} would need."
    assert not live(escape_references(text))
    assert escape_references(text).replace(JOINER, "") == text
    assert closes_nothing(closes_nothing(text)) == closes_nothing(text)


@pytest.mark.parametrize("text", ["see #1", "On acme/app#1, as I said:", "(#1)", "#1 is fixed", "#1", "a, #2"])
def test_other_references_stay_links(text: str) -> None:
    """What closes nothing leads where it leads."""
    assert escape_references(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ask @mara", f"ask @{JOINER}mara"),
        ("@acme/core:", f"@{JOINER}acme/core:"),
        ("(@mara)", f"(@{JOINER}mara)"),
        ("\\`@mara`", f"\\`@{JOINER}mara`"),
        ("`a` @mara `b", f"`a` @{JOINER}mara `b"),
        ("me@example.org", "me@example.org"),
        ("`@property`", "`@property`"),
        ("```py\n@property\n```\n@mara", f"```py\n@property\n```\n@{JOINER}mara"),
    ],
)
def test_nobody_is_called(text: str, shown: str) -> None:
    """A name behind an `@` is no mention, and code stays code."""
    assert escape_references(text) == shown


@given(st.text(st.sampled_from("fixes #1!@/:.`~\n\\ab-&;[]()<>"), max_size=60))
def test_said_twice_it_is_the_same(text: str) -> None:
    """Words are changed once, and none of them is lost."""
    assert escape_references(escape_references(text)) == escape_references(text)
    assert escape_references(text).replace(JOINER, "") == text


@pytest.mark.parametrize(
    "text",
    [
        *("`" * 20_000, "a" + "-" * 20_000, "fixes " + "_-" * 10_000, "`a" * 10_000, "```\n" * 5_000),
        " ".join("`" * number for number in range(200)),
    ],
    ids=["ticks", "line", "word", "spans", "fences", "runs"],
)
def test_a_long_text_takes_no_long_time(text: str) -> None:
    """Whatever an agent says is read in the time of its length: one that says much keeps no other waiting."""
    assert escape_references(f"{text}\n\nfixes #1").endswith(f"fixes #{JOINER}1")


def test_a_line_with_backticks_opens_no_code() -> None:
    """What a forge reads as text calls nobody: a fence has no backtick behind it on its line."""
    assert escape_references("``` a`b\n@mara") == f"``` a`b\n@{JOINER}mara"
