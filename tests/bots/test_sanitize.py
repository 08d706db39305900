"""A model reads what a reader of the page reads, and nothing else."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bots.markdown import MAX_TEXT, code, plain, visible
from bots.sanitize import printable, rendered
from forge.embedded.pages import markup

PIECES = (
    *("word ", "word", "\n", "\n\n", " ", "    ", "> ", "- ", "1. ", "# ", "---\n", "|", "|---|---|\n", "\\"),
    *(
        "`",
        "``",
        "```",
        "```sh ",
        "~~~",
        "<!--",
        "-->",
        "<!-",
        "- ",
        "<!",
        "--",
        "<?",
        "?>",
        "<![CDATA[",
        "]]>",
        "--!>",
        "<!-->",
        "<?-->",
    ),
    *(
        "<",
        ">",
        "<b>",
        "</b>",
        "<div ",
        "<div>",
        "</div>",
        "<img alt='",
        "'>",
        '<a title="',
        '">',
        "<script>",
        "</script>",
    ),
    *("<details>", "<summary>", "</summary>", "</details>", "<style>", "</style>", "<p hidden>", "</p>", "<br/>"),
    *("[", "](", ")", "]", "]: ", "[^", "![", '"', "'", "(", "<http://", "&#60;", "&lt;", "{", "}"),
    *("\u200b", "\u202e", "\U000e0041", "\ufe0f", "\u2028", "\r", "\x0b", "\u3164", "&#8203;", "\u00ad"),
)
"""What Markdown and HTML are made of, and what their borders are tried with."""


class Nowhere:
    """Names lead nowhere."""

    def user_path(self, login: str) -> str:
        return ""

    def issue_path(self, repo: str, number: int) -> str:
        return ""


class Page(HTMLParser):
    """The words of a page, and where its links and pictures lead."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.words = ""
        self.feed(markup)
        self.close()

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.words += " ".join(value or "" for name, value in attrs if name in {"href", "src"})


def shown(text: str) -> str:
    return Page(str(markup.render(text, Nowhere()))).words


def numbered(text: str) -> str:
    """Each `word` gets a number of its own, so that it is found again."""
    numbers = iter(range(10_000))
    return re.sub(r"word", lambda _: f"w{next(numbers)}x", text)


def words(text: str) -> set[str]:
    return set(re.findall(r"w\d+x", text))


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join).map(numbered))
@example("<!<!-- x -->-- w1x -->")
@example("<\u200b!-- w1x --\u200b>")
@example("`<!-- w1x -->` <!-- w2x -->")
@example("<div><img alt='w1x <!--")
@example('<div a"b c="> w1x">')
@example("<details><![w1x ")
@example("<?--><img alt='?>w1x \"`")
@example("a <? > <img alt=' ?> w1x")
@example("a <![CDATA[ > <img alt=' ]]> w1x")
@example("a <!x > <img alt=' > w1x")
@example("a <!-- --!> <img alt=' --> w1x")
@example("<!-- --!> <img alt=' -->\nw1x")
@example("><!--\nw1x ")
@example("```w1x ")
@example("> <details><img alt='-->\nw1x ")
@example("| ` | <!-- w1x --> ` |\n|---|---|\n| a | b | w2x |")
def test_a_page_shows_every_word_that_is_kept(text: str) -> None:
    """What a forge renders shows every word that a model is told."""
    assert words(visible(text)) <= words(shown(text)), visible(text)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_nothing_appears_by_cutting(text: str) -> None:
    """What was made visible stays as it is when it is made visible again."""
    assert rendered(rendered(text)) == rendered(text)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- HID -->",
        "<!<!-- x -->-- HID -->",
        "<!<!<!-- x -->-- y -->-- HID -->",
        "<\u200b!-- HID -->",
        "said <!-- HID",
        "> <!-- HID\n> HID\n\nsaid",
        "- <!--\n  HID",
        "<?HID?>",
        "<!HID>",
        "<![CDATA[HID]]>",
        "[x]: # (HID)",
        "[//]: # 'HID'",
        "[HID]: http://x",
        "a [said][x]\n\n[x]: http://x 'HID'",
        "[said](http://x 'HID')",
        "[said](http://x\n  (HID))",
        "[said](<HID and more>)",
        "![HID](http://x)",
        "![a [HID] b](x)",
        "![HID][x]\n\n[x]: http://x",
        "<img alt='HID' src=x>",
        "<a title=HID>said</a>",
        "<b data-x='a>b' class=\"HID\">said</b>",
        "<div HID\n\nsaid",
        "<div title='HID'>\nsaid\n</div>",
        "<script>HID</script>",
        "<style>\nHID\n\nHID</style>",
        "<span style='color:white'>HID <b>HID</b></span> said",
        "<div style='color:#fff'>\n\nHID\n\n</div>\n\nsaid",
        "<p hidden>HID</p>",
        "<template>HID</template>",
        "```sh HID\nsaid\n```",
        '~~~ sh title="HID"\nsaid\n~~~',
        "| a | b |\n|---|---|\n| c | d | HID |",
        "> | a |\n> |---|\n> | c | HID |",
        "| a | b |\n|---|---|\n| ` | <!-- HID --> ` |",
        "said\n\n[^1]: HID\n    HID",
        "[^1]: HID\n\n    HID\n\nsaid",
        "# said {#HID}",
        "List<HID> said",
    ],
)
def test_what_a_forge_hides_is_not_told(text: str) -> None:
    """A model hears nothing that a page does not show."""
    assert "HID" not in visible(text)


@pytest.mark.parametrize(
    "text",
    [
        "`<!-- said -->` is a comment",
        "```html\n<!-- said -->\n<b title='said'>\n```",
        "    <!-- said -->",
        "a < b and c > d",
        "<https://example.org/a?b=c> and <me@example.org>",
        "[said](docs/a.md)",
        "<details><summary>more</summary>\n\nfolded\n\n</details>",
        "a note[^1]\n\n[^1]: said",
        "| a | b |\n|---|---|\n| c \\| c | `d` |",
        "done \u2714\ufe0f, \u2764\ufe0f and \U0001f44d\U0001f3fd",
        "\\<b> and \\<!-- said -->",
        "Straße, 漢字, עברית, नमस्ते",
    ],
)
def test_what_a_forge_shows_is_told_as_it_was_written(text: str) -> None:
    """Code, comparisons, links, folded parts, notes and letters of all people stay."""
    assert visible(text) == text


@pytest.mark.parametrize(
    "hidden",
    [
        *("\u200b", "\u200d", "\u2060", "\u202e", "\u2066", "\u00ad", "\ufeff", "\U000e0041", "\U000e0100", "\ufe01"),
        *("\u034f", "\u115f", "\u3164", "\uffa0", "\u2800", "\u180e", "\x00", "\x1b", "\x7f", "\ue000", "\ufff9"),
        *("&#8203;", "&ZeroWidthSpace;", "&#xE0041;", "&shy;", "&lrm;"),
    ],
)
def test_a_character_without_a_shape_is_none(hidden: str) -> None:
    """Zero-width, bidi, tag, filler and control characters are taken away, also when they are written as entities."""
    assert visible(f"a{hidden}b") == "ab"
    if not hidden.startswith("&"):
        assert html.unescape(plain(f"a{hidden}b")) == "ab"


def test_selectors_carry_nothing() -> None:
    """A selector stands once behind a picture, and nowhere else."""
    assert printable("\u2764\ufe0f\ufe0f\ufe0f a\ufe0f \ufe0f") == "\u2764\ufe0f a "


def test_names_and_code_are_no_markdown() -> None:
    """What is escaped when it is posted loses nothing but shapeless characters."""
    assert code("List<String>\u200b") == "`List<String>`"


@pytest.mark.parametrize(
    "piece", ["<!", "[", "![[", "<!<!-- x -->-- y -->", "](a '", "`", "a ` ", '<a "', "> ", "[^a]:\n", "<? > ", "<?"]
)
def test_hostile_text_is_cut_before_it_is_read(piece: str) -> None:
    """A text that is built to be slow to read is no longer than any other."""
    assert len(visible(piece * (400_000 // len(piece)))) < MAX_TEXT + 100
