"""Words of strangers stay words: what they become in a comment, read by a real Markdown parser."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bots.markdown import code, plain, prose

MARKDOWN = MarkdownIt("js-default", {"linkify": False, "html": True})
LIVE = re.compile(r"@\w|[#!]\d|://|\bwww\.")
"""What a forge makes more of than text: mentions, references, addresses."""

hostile = st.lists(
    st.sampled_from(
        [
            *(
                "@mara",
                "#1",
                "!2",
                "a/b#3",
                "fixes #4",
                "https://forge/a/b/issues/5",
                "www.forge",
                "<b>",
                "</details>",
                "-->",
            ),
            *(
                "<!--",
                "`",
                "``",
                "```",
                "[x](y)",
                "![x](y)",
                "**",
                "__",
                "~~",
                "|",
                "\\",
                "&commat;mara",
                "&#64;mara",
                "&lt;b&gt;",
            ),
            *("\n", "\r\n", "\t", " ", "\u202e", "\u200b", "\x00", "- ", "> ", "# ", "1. ", "ü", "a", "_"),
        ]
    ),
    max_size=8,
).map("".join)


def spoken(text: str) -> list[tuple[str, str]]:
    """The kinds and contents of what one line of Markdown is made of."""
    tokens = MARKDOWN.parseInline("x " + text)
    return [(token.type, token.content) for token in tokens[0].children or ()]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(text=hostile)
def test_plain_is_text(text: str) -> None:
    """Plain words are one piece of text: no markup, no HTML, no mention, no reference, no address."""
    said = plain(text)
    assert "\n" not in said
    kinds = {kind for kind, _ in spoken(said)}
    assert kinds <= {"text", "text_special"}
    assert not LIVE.search("".join(content for _, content in spoken(said)))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(text=hostile)
def test_prose_keeps_code_and_nothing_else(text: str) -> None:
    """Prose is text and code spans; what is not code is as inert as plain words."""
    said = prose(text)
    assert "\n" not in said
    assert {kind for kind, _ in spoken(said)} <= {"text", "text_special", "code_inline"}
    assert not LIVE.search("".join(content for kind, content in spoken(said) if kind != "code_inline"))


def test_prose_shows_code() -> None:
    """What an analyser puts between backticks is shown as code."""
    assert prose("`os` imported but *unused*, see `a_b`") == "`os` imported but \\*unused\\*, see `a_b`"


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(text=hostile)
def test_code_is_one_span(text: str) -> None:
    """Quoted words are one code span that nothing in them can end."""
    tokens = [part for part in spoken(code(text)) if part != ("text", "x ")]
    assert [kind for kind, _ in tokens] == ["code_inline"]


@pytest.mark.parametrize("name", ["plain", "with space", "tick`tick", "`", "``x", "a\nb", "ü"])
def test_a_name_is_still_known(name: str) -> None:
    """A quoted name reads as what it is, on one line."""
    (content,) = [content for kind, content in spoken(code(name)) if kind == "code_inline"]
    assert content == " ".join(name.split())
