"""Markdown as people write it, made safe to show: the only way in which words of users become markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from forge.embedded.pages import highlight
from forge.embedded.pages.look import Html

_TAGS = {
    "a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
    "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong",
    "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "details": {"open"},
}
_VALUES = {dirs: {"align": {"left", "center", "right"}} for dirs in ("td", "th")}
_CLASSES = {"a": {"mention"}, "li": {"task"}, "pre": {"hl"}, "span": {*highlight.CLASSES, "tick", "done"}}
_WORDS = re.compile(
    r"(?P<url>https?://[^\s<>()\[\]\"']*[^\s<>()\[\]\"'.,:;!?*_~])"
    r"|(?<![\w/@`])@(?P<login>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,38}[A-Za-z0-9])?)"
    r"|(?<![\w/#!&])(?P<repo>[\w.-]{1,100}/[\w.-]{1,100})?[#!](?P<number>[1-9]\d{0,8})\b"
)
_TICK = re.compile(r"\[([ xX])\]\s")


_MOST = 1 << 16
"""Characters above which a text is shown as it is: hostile brackets take a parser time that grows with their square."""


class Links(Protocol):
    """Knows where a name leads; empty where it leads nowhere, or not for these eyes."""

    def person(self, login: str) -> str:
        """The page of a user."""

    def issue(self, repo: str, number: int) -> str:
        """The page of an issue or pull request; an empty `repo` is the one that is written in."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a text stands: what its names and its relative addresses lead to."""

    links: Links
    files: str
    images: str


def prose(text: str, links: Links, *, breaks: bool = True, files: str = "", images: str = "") -> Html:
    """Markdown as markup: `breaks` keeps line ends, relative links go below `files`, relative images below `images`."""
    parser, place = _BROKEN if breaks else _FLOWING, _Place(links, files, images)
    rendered = parser.render(text, {"place": place}) if len(text) <= _MOST else f"<pre>{html.escape(text)}</pre>"
    return Html(
        nh3.clean(
            rendered,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            tag_attribute_values=_VALUES,
            allowed_classes=_CLASSES,
            attribute_filter=_checked,
            url_schemes={"http", "https", "mailto"},
            link_rel="nofollow noopener noreferrer",
        )
    )


def _checked(tag: str, name: str, value: str) -> str | None:
    """Pictures come from this forge only."""
    is_foreign = tag == "img" and name == "src" and not re.match(r"/(?![/\\])", value)
    return None if is_foreign else value


def _refine(state: StateCore) -> None:
    """Make links of the names in a text, and ticks of `[ ]` at the beginning of an item."""
    for at, token in enumerate(state.tokens):
        if token.type == "inline":
            _tick(state.tokens, at)
            token.children = list(_linked(token.children or [], state.env["place"]))
        elif style := token.attrs.pop("style", ""):
            token.attrSet("align", str(style).removeprefix("text-align:"))


def _tick(tokens: list[Token], at: int) -> None:
    children = tokens[at].children or []
    if at < 2 or tokens[at - 2].type != "list_item_open" or not children:
        return
    if match := _TICK.match(children[0].content):
        tokens[at - 2].attrSet("class", "task")
        children[0].content = children[0].content[match.end() :]
        done = match[1] != " "
        children.insert(0, _raw(f'<span class="tick{" done" if done else ""}">{"☑" if done else "☐"}</span> '))


def _linked(children: list[Token], place: _Place) -> Iterator[Token]:
    inside = 0
    for token in children:
        inside += token.nesting if token.type in {"link_open", "link_close"} else 0
        for name, base in (("href", place.files), ("src", place.images)):
            if base and _is_relative(here := str(token.attrGet(name) or "")):
                token.attrSet(name, base + here)
        if token.type == "text" and not inside:
            yield from _split(token.content, place.links)
        else:
            yield token


def _is_relative(address: str) -> bool:
    return bool(address) and not re.match(r"[/#?]|[a-z][a-z0-9+.-]*:", address, re.IGNORECASE)


def _split(text: str, links: Links) -> Iterator[Token]:
    """A text with its names made links."""
    end = 0
    for match in _WORDS.finditer(text):
        if there := _leads_to(match, links):
            yield _text(text[end : match.start()])
            yield from _baseline(match[0], there, is_mention=match["login"] is not None)
            end = match.end()
    yield _text(text[end:])


def _leads_to(match: re.Match[str], links: Links) -> str:
    if match["url"]:
        return match["url"]
    return links.person(match["login"]) if match["login"] else links.issue(match["repo"] or "", int(match["number"]))


def _baseline(words: str, place: str, *, is_mention: bool) -> Iterator[Token]:
    opening = Token("link_open", "a", 1, attrs={"href": place, "class": "mention" if is_mention else ""})
    yield from (opening, _text(words), Token("link_close", "a", -1))


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _raw(content: str) -> Token:
    return Token("html_inline", "", 0, content=content)


def _fence(code: str, language: str, _more: str) -> str:
    return f'<pre class="hl"><code>{highlight.block(code, language)}</code></pre>'


def _parser(*, breaks: bool) -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": True, "breaks": breaks, "highlight": _fence}).enable(
        ["table", "strikethrough"]
    )
    made.core.ruler.push("refine", _refine)
    return made


_BROKEN, _FLOWING = _parser(breaks=True), _parser(breaks=False)
