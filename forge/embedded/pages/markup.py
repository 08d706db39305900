"""Markdown rendered to safe HTML; the only place where text of users becomes markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Protocol

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType

from forge.embedded.pages import highlight
from forge.embedded.pages.format import Html

_CLASSES = {"a": {"mention"}, "li": {"task"}, "pre": {"hl"}, "span": {*highlight.CLASSES, "tick", "done"}}
_AUTOLINK = re.compile(
    r"(?P<url>https?://[^\s<>()\[\]\"']*[^\s<>()\[\]\"'.,:;!?*_~])"
    r"|(?<![\w/@`])@(?P<login>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,38}[A-Za-z0-9])?)"
    r"|(?<![\w/#!&])(?P<repo>[\w.-]{1,100}/[\w.-]{1,100})?[#!](?P<number>[1-9]\d{0,8})\b"
)
_TASK = re.compile(r"\[([ xX])\]\s")

_MAX_CHARACTERS = 1 << 16
"""Longer texts are shown as they are: the parser needs quadratic time for hostile brackets."""


class Links(Protocol):
    """Resolves names to paths; empty for what does not exist or must not be seen."""

    def user_path(self, login: str) -> str:
        """The page of a user."""

    def issue_path(self, repo: str, number: int) -> str:
        """The page of an issue or pull request; an empty `repo` means the current one."""


def render(text: str, links: Links, *, breaks: bool = True, files: str = "", images: str = "") -> Html:
    """Render Markdown.

    `breaks` keeps line ends; relative links are resolved against `files`, relative images against `images`.
    """
    parser, bases = _COMMENTS if breaks else _FILES, {"links": links, "href": files, "src": images}
    rendered = parser.render(text, bases) if len(text) <= _MAX_CHARACTERS else f"<pre>{html.escape(text)}</pre>"
    safe = nh3.clean(
        rendered,
        allowed_classes=_CLASSES,
        attribute_filter=_without_remote_images,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )
    return Html(safe)


def _without_remote_images(tag: str, name: str, value: str) -> str | None:
    is_remote = tag == "img" and name == "src" and not re.match(r"/(?![/\\])", value)
    return None if is_remote else value


def _refine(state: StateCore) -> None:
    """Add links to names, and check marks to items that begin with `[ ]`."""
    for at, token in enumerate(state.tokens):
        if token.type == "inline":
            _mark_task(state.tokens, at)
            token.children = list(_with_links(token.children or [], state.env))
        elif style := token.attrs.pop("style", ""):
            token.attrSet("align", str(style).removeprefix("text-align:"))


def _mark_task(tokens: list[Token], at: int) -> None:
    children = tokens[at].children or []
    if at < 2 or tokens[at - 2].type != "list_item_open" or not children:
        return
    if match := _TASK.match(children[0].content):
        tokens[at - 2].attrSet("class", "task")
        children[0].content = children[0].content[match.end() :]
        mark = '<span class="tick">☐</span> ' if match[1] == " " else '<span class="tick done">☑</span> '
        children.insert(0, Token("html_inline", "", 0, content=mark))


def _with_links(children: list[Token], env: EnvType) -> Iterator[Token]:
    depth = 0
    for token in children:
        depth += token.nesting if token.type in {"link_open", "link_close"} else 0
        for name in ("href", "src"):
            if env[name] and _is_relative(address := str(token.attrGet(name) or "")):
                token.attrSet(name, env[name] + address)
        if token.type == "text" and not depth:
            yield from _autolinked(token.content, env["links"])
        else:
            yield token


def _is_relative(address: str) -> bool:
    return bool(address) and not re.match(r"[/#?]|[a-z][a-z0-9+.-]*:", address, re.IGNORECASE)


def _autolinked(text: str, links: Links) -> Iterator[Token]:
    end = 0
    for match in _AUTOLINK.finditer(text):
        if target := _target(match, links):
            yield _text(text[end : match.start()])
            yield Token("link_open", "a", 1, attrs={"href": target, "class": "mention" if match["login"] else ""})
            yield _text(match[0])
            yield Token("link_close", "a", -1)
            end = match.end()
    yield _text(text[end:])


def _target(match: re.Match[str], links: Links) -> str:
    if match["url"]:
        return match["url"]
    if match["login"]:
        return links.user_path(match["login"])
    return links.issue_path(match["repo"] or "", int(match["number"]))


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _fence(code: str, language: str, _attributes: str) -> str:
    return f'<pre class="hl"><code>{highlight.block(code, language)}</code></pre>'


def _parser(*, breaks: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "breaks": breaks, "highlight": _fence})
    parser.enable(["table", "strikethrough"]).core.ruler.push("refine", _refine)
    return parser


_COMMENTS, _FILES = _parser(breaks=True), _parser(breaks=False)
