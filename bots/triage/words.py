"""Words and paths of lanes and kinds in a text. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

_DIFF = re.compile(r"^(?:diff --git|---|\+\+\+) .*$", re.MULTILINE)
_SIDE = re.compile(r" (?:[ab]/|/dev/null$)")
"""Git's prefixes of paths in a diff, and what it writes for a file that does not exist."""

_PATH = re.compile(r"(?<![\w.-])[\w.-]+(?:/[\w.-]+)+|(?<![\w-])[\w-]+\.\w{1,5}\b")
"""Anchored at the start of a word: tried at each letter of a long word, it would take quadratic time."""


def hits(words: Iterable[str], text: str) -> tuple[str, ...]:
    """Those of the words that occur in a text as whole words, in any case."""
    return tuple(word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def path_hits(patterns: Iterable[str], text: str) -> tuple[str, ...]:
    """Paths in a text, or in a diff in it, that match a pattern; `*` also matches `/`."""
    wanted = tuple(patterns)
    plain = _DIFF.sub(lambda line: _SIDE.sub(" ", line[0]), text)
    named = dict.fromkeys(_PATH.findall(plain))
    return tuple(path for path in named if any(fnmatchcase(path, pattern) for pattern in wanted))
