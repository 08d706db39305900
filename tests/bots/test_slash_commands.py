"""Orders are found where Markdown shows text of the comment's author, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bots.slash_commands import KNOWN, SlashCommand, slash_commands, spoken

PIECES = (
    *(
        "/deny n",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "text",
        " ",
        "    ",
        "\t",
        "> ",
        ">",
        "- ",
        "1. ",
        "# ",
        "---",
        "===",
        "***",
    ),
    *("`", "``", "```", "````", "```sh", "~~~", "~~~~", "\\", "\\`", "|", "[", "](", ")", "*", "_", "<", "&#96;", "\0"),
    *("<!--", "-->", "<pre>", "</pre>", "<code>", "</code>", "<blockquote>", "</blockquote>", "<b>", "<div>", "\ue000"),
    *(
        "\u2028",
        "\u0085",
        "\x0b",
        "\x0c",
        "\u200b",
        "/cancel",
        "/nobody-knows",
        "/etc/passwd",
        "<?",
        "<![CDATA[",
        "]]>",
    ),
)
"""What Markdown is made of, and what its borders are tried with."""


def _numbered(text: str) -> str:
    """Each `/deny` of a text gets a number of its own as its word, so that it is found again."""
    numbers = iter(range(10_000))
    return re.sub(r"/deny n", lambda _: f"/deny n{next(numbers)}x", text)


documents = st.lists(st.sampled_from(PIECES), max_size=30).map(lambda pieces: _numbered("".join(pieces)))
code_lines = st.lists(st.text(st.characters(exclude_characters="\n\r`~", codec="utf-8")), max_size=5)
typed = st.sampled_from(sorted(KNOWN)).map(lambda name: f"/{name}")


def _texts(tokens: list[Token]) -> Iterator[str]:
    """All that stands in code, in a quote, or in HTML."""
    depth = 0
    for token in tokens:
        depth += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if depth or token.type in {"fence", "code_block", "html_block"}:
            yield token.content
            yield token.info
        yield from (child.content for child in token.children or [] if child.type in {"code_inline", "html_inline"})


@given(documents)
@settings(max_examples=600, deadline=None)
@example("`a\n/deny n\nb`")
@example("- ```\n  ```\n```\n/deny n0x\n```")
@example("> a\n/deny n0x")
@example("/deny n0x`/deny n1x\n`")
def test_never_in_code_or_quotes(body: str) -> None:
    """Whatever Markdown is made of: no order stands in what a reader sees as code, as a quote, or not at all."""
    hidden = "\n".join(_texts(MarkdownIt("commonmark").parse(body)))
    for order in slash_commands(body):
        if order.name == "deny":
            assert not any(re.search(rf"{word}\b", hidden) for word in order.words if re.fullmatch(r"n\d+x", word))


@given(documents)
@settings(max_examples=300, deadline=None)
def test_stands_at_the_start_of_a_line(body: str) -> None:
    """An order is a line of its comment, from its first character on."""
    lines = [line.rstrip() for line in re.split(r"\r\n|\r|\n", body.replace("\ue000", " "))]
    for order in slash_commands(body):
        assert any(line.startswith(f"/{order.name}") and tuple(line.split()[1:]) == order.words for line in lines)


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_never_raises(body: str) -> None:
    """Any text can be read."""
    assert isinstance(slash_commands(body), tuple)
    assert isinstance(spoken(f"/{body}"), str)


@given(code_lines, typed, code_lines, st.sampled_from(["```", "~~~", "`````", "~~~~~~"]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_never_in_a_fence(before: list[str], said: str, after: list[str], fence: str, closed: bool) -> None:
    """A fenced block holds no order, whether it ends or not."""
    body = "\n".join([fence, *before, said, *after, *([fence] if closed else [])])
    assert slash_commands(body) == ()


@given(code_lines, typed, st.sampled_from([">", "> ", " > ", ">> ", "    ", "\t", "- ", "> - ", "1. > "]))
@settings(max_examples=200, deadline=None)
def test_never_behind_a_mark(before: list[str], said: str, mark: str) -> None:
    """A quoted, indented or listed line is no order, whatever stands around it."""
    body = "\n".join(f"{mark}{line}" for line in [*before, said])
    assert slash_commands(body) == ()


@given(typed, st.text(st.characters(categories=("L", "N")), max_size=8))
@settings(max_examples=200, deadline=None)
def test_is_found_where_it_is_meant(said: str, word: str) -> None:
    """At the start of a line, among text, after code that has ended and after a quote that has, it is an order."""
    want = slash_commands(f"{said} {word}")
    assert [order.name for order in want] == [said[1:]]
    for around in (
        "{}",
        "Hello.\n{}\nBye.",
        "```\n/cancel\n```\n{}",
        "> /cancel\n\n{}",
        "`code` and\n{}\nand `more`",
        "{}\n<!-- hive:0 -->",
        "- one\n- two\n\n{}",
        "{}\r\n",
    ):
        assert slash_commands(around.format(f"{said} {word}")) == want, around


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        ("/cancel\n\n/nope\r\n", ""),
        ("text\r\n", "text\r\n"),
        ("", ""),
        ("> /cancel", "> /cancel"),
        ("/cancel\nbecause it is late", "because it is late"),
        ("Two things:\r\n/answer sqlite\r\n```\n/cancel\n```", "Two things:\n```\n/cancel\n```"),
    ],
)
def test_what_is_said_beside_orders(body: str, rest: str) -> None:
    """Orders are taken out, text and code stay, and a comment without orders is left as it is."""
    assert spoken(body) == rest


def test_shape() -> None:
    """Words follow the name; a name that nobody knows stands alone."""
    assert slash_commands("/deny  too\twide ") == (SlashCommand("deny", ("too", "wide"), KNOWN["deny"]),)
    assert slash_commands("/nope") == (SlashCommand("nope"),)
    assert slash_commands("/nope again") == ()
