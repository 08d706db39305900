"""Code in colours: classes only, so that the stylesheet decides for light and dark. Performs no I/O."""

from __future__ import annotations

import html
import re

import pygments
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from forge.embedded.pages.look import Html

CLASSES = frozenset(filter(None, STANDARD_TYPES.values())) | {"bidi"}
"""All that a highlighted piece of code can be marked with."""

_MOST = 200_000
"""Characters above which code stays without colours."""

_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def lines(code: str, name: str) -> list[Html]:
    """The lines of a file of that name."""
    return [Html(line) for line in _coloured(code, _lexer_for(name, code)).removesuffix("\n").split("\n")]


def block(code: str, language: str) -> str:
    """A piece of code in a language that somebody named."""
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else _plain()
    except ClassNotFound:
        lexer = _plain()
    return _coloured(code, lexer)


def _coloured(code: str, lexer: Lexer) -> str:
    """The same lines with colours; a carriage return would begin one for Pygments only."""
    code = code.replace("\r", "")
    marked = html.escape(code) if len(code) > _MOST else pygments.highlight(code, lexer, _FORMATTER)
    # What turns the direction of text can make code read as what it is not: https://trojansource.codes
    return _BIDI.sub(lambda match: f'<span class="bidi">U+{ord(match[0]):04X}</span>', marked)


def _lexer_for(name: str, code: str) -> Lexer:
    try:
        return get_lexer_for_filename(name, code[:_MOST], stripnl=False, ensurenl=False)
    except ClassNotFound:
        return _plain()


def _plain() -> Lexer:
    return TextLexer(stripnl=False, ensurenl=False)
