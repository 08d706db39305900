"""Syntax highlighting with CSS classes only; the stylesheet has the colours. Performs no I/O."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pygments
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from forge.embedded.pages.format import Html

CLASSES = frozenset(filter(None, STANDARD_TYPES.values())) | {"bidi"}
"""The classes that highlighted code can have."""

_MAX_CHARACTERS = 200_000
"""Longer code is not highlighted."""

_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def lines(code: str, name: str) -> list[Html]:
    """The lines of a file with that name."""
    marked = _highlight(code, lambda **options: get_lexer_for_filename(name, code[:_MAX_CHARACTERS], **options))
    return [Html(line) for line in marked.removesuffix("\n").split("\n")]


def block(code: str, language: str) -> str:
    """A code block; unknown languages are not highlighted."""
    return _highlight(code, lambda **options: get_lexer_by_name(language, **options))


def _highlight(code: str, find_lexer: Callable[..., Lexer]) -> str:
    # A carriage return would begin a new line for Pygments only.
    code = code.replace("\r", "")
    try:
        lexer = find_lexer(stripnl=False, ensurenl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False, ensurenl=False)
    marked = html.escape(code) if len(code) > _MAX_CHARACTERS else pygments.highlight(code, lexer, _FORMATTER)
    # Bidirectional control characters can make code read as something else: https://trojansource.codes
    return _BIDI.sub(lambda match: f'<span class="bidi">U+{ord(match[0]):04X}</span>', marked)
