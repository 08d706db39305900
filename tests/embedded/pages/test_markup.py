"""Rendered Markdown, code and labels."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import forge.embedded
from forge.embedded.pages import format as formats
from forge.embedded.pages import highlight, markup

NOW = 1_800_000_000


class Everywhere:
    """Links in which every name exists."""

    def user_path(self, login: str) -> str:
        """The page of a user."""
        return f"/{login}"

    def issue_path(self, repo: str, number: int) -> str:
        """The page of an issue."""
        return f"/{repo or 'acme/app'}/issues/{number}"


def prose(text: str, *, files: str = "", images: str = "") -> str:
    """Rendered Markdown."""
    return markup.render(text, Everywhere(), files=files, images=images).text


def links(text: str) -> list[str]:
    """The links of a rendered text."""
    return re.findall('href="([^"]*)"', prose(text))


def test_markdown() -> None:
    """Markdown has task lists, tables, highlighted code, details and line ends."""
    text = prose("- [ ] a\n- [x] b\n\n|a|b|\n|--|--:|\n|1|2|\n\n```python\nif x: pass\n```\none\ntwo ~~three~~")
    assert '<li class="task"><span class="tick">☐</span> a</li>' in text
    assert '<span class="tick done">☑</span> b' in text
    assert '<td align="right">2</td>' in text
    assert '<span class="k">if</span>' in text
    assert "one<br>\ntwo <s>three</s>" in text
    folded = "<details><summary>a</summary>\n<p><strong>b</strong></p>\n</details>"
    assert prose("<details><summary>a</summary>\n\n**b**\n\n</details>") == folded


def test_unknown_languages() -> None:
    """Code in an unknown language is not highlighted."""
    assert prose("```klingon\na < b\n```") == '<pre class="hl"><code>a &lt; b\n</code></pre>\n'


def test_looks_are_ours() -> None:
    """User markup cannot use the classes, ids and elements of a page."""
    assert prose('<p class="notice button" id="merge" style="x" data-part>p</p>') == "<p>p</p>"
    assert prose('<span class="k notice">p</span>') == '<p><span class="k">p</span></p>\n'
    assert prose('<button name="x">p</button><input><svg><use href="/assets/icons.svg#check"/></svg>') == "<p>p</p>\n"


def test_comments_are_invisible() -> None:
    """HTML comments are not shown."""
    assert prose("a <!-- hive:key --> b\n\n<!-- two\nlines -->").split() == ["<p>a", "b</p>"]


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("hello @mara!", "/mara"),
        ("**@mara**", "/mara"),
        ("(#12)", "/acme/app/issues/12"),
        ("see acme/tools#3.", "/acme/tools/issues/3"),
        ("!7", "/acme/app/issues/7"),
        ("https://forge.example/a?b=c#d.", "https://forge.example/a?b=c#d"),
    ],
)
def test_names_are_links(text: str, link: str) -> None:
    """Mentions, issue references and addresses become links."""
    assert links(text) == [link]


@pytest.mark.parametrize(
    "text",
    [
        "`@mara #1`",
        "```\n@mara #1\n```",
        "me@mara.example",
        "a#1",
        "#01",
        "#x",
        "@\u2060mara #\u20601",
        "a/b/c#1",
        "/a#1",
    ],
)
def test_other_words_are_no_links(text: str) -> None:
    """Code, mail addresses and defused mentions stay text."""
    assert links(text) == []


def test_no_links_in_links() -> None:
    """A mention within a link is no link of its own."""
    assert links("[#1 @mara](https://forge.example/)") == ["https://forge.example/"]


def test_relative_addresses() -> None:
    """In a file, relative addresses are resolved against it; images come from this forge only."""
    text = prose(
        "[a](b.md) [c](/d) [e](https://f/) [g](#h) ![i](j.png) ![k](https://l/m.png)", files="/src/", images="/raw/"
    )
    assert re.findall('href="([^"]*)"', text) == ["/src/b.md", "/d", "https://f/", "#h"]
    assert re.findall('src="([^"]*)"', text) == ["/raw/j.png"]


@pytest.mark.parametrize(
    "code", ["", "a", "a\n", "a\n\n", "\n\na", "a\r\nb\r\n", "a\rb", 'x = """\nb\n"""\n', "\x0c\u2028\n\ufeffx"]
)
def test_lines_are_kept(code: str) -> None:
    """Highlighting changes neither the number of lines nor their text."""
    shown = [re.sub("<[^>]*>", "", line.text) for line in highlight.lines(code, "a.py")]
    assert [line.replace("&quot;", '"') for line in shown] == code.replace("\r", "").removesuffix("\n").split("\n")


def test_labels_can_be_read() -> None:
    """The name of a label can be read on its colour, whatever that is, by day and by night."""
    room = Path(forge.embedded.__file__).parent
    css, macros = ((room / name).read_text() for name in ("static/style.css", "templates/macros.html"))
    (share,) = re.findall(r'fill-opacity="([.\d]+)"', macros)
    day, night = (
        dict(re.findall(r"--(ink|card): (#[0-9a-f]+);", part)) for part in css.split("/* Ground */")[0].split("@media")
    )
    for channels in itertools.product(range(0, 256, 51), repeat=3):
        for colours in (day, night):
            ink, card = (_rgb(colours[name]) for name in ("ink", "card"))
            repository_guard = [
                round(a * float(share) + b * (1 - float(share))) for a, b in zip(channels, card, strict=True)
            ]
            assert _contrast(ink, repository_guard) >= 4.5


def _rgb(colour: str) -> list[int]:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    return list(bytes.fromhex(digits))


def _contrast(one: Sequence[int], other: Sequence[int]) -> float:
    """As https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio says."""
    lights = []
    for colour in (one, other):
        parts = [part / 255 for part in colour]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (-5, "just now"), (59, "just now"), (60, "1 minute ago"), (3599, "59 minutes ago"), (7200, "2 hours ago"),
        (86400, "1 day ago"), (29 * 86400, "29 days ago"), (31 * 86400, "on 15 Dec 2026"),
    ],
)  # fmt: skip
def test_ages(passed: int, words: str) -> None:
    """A time is shown in words, with the exact time as a tooltip."""
    assert formats.ago(NOW - passed, NOW) == words
    assert 'title="2027-01-15 08:00:00 UTC"' in formats.when(NOW, NOW).text


def test_addresses_that_can_be_followed() -> None:
    """Only web addresses become links."""
    urls = ("https://a/b", "HTTP://[", "javascript:alert(1)", "//a", "")
    assert [formats.web_url(url) for url in urls] == ["https://a/b", "HTTP://[", "", "", ""]
