"""detect-secrets: keys, tokens and passwords on added lines, never repeated in a finding. Performs no I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hive.scan.comparison import Mark
from hive.scan.engine import Diagnostic, Engine
from hive.scan.sources import FileKind, Source

NAME = "detect-secrets"
KEYWORD = "Secret Keyword"
SHORTEST = 8
"""Letters of a secret that is looked for on other lines: a shorter one is part of words."""

A_SENTENCE = 3
"""Words of a value that is none of a password's: people write there what it is."""

_CODE = frozenset({FileKind.PYTHON, FileKind.SCRIPT, FileKind.RUST, FileKind.GO, FileKind.NIX})
_WORDS = frozenset({"true", "false", "null", "none", "nil", "undefined", "yes", "no", "required", "optional", "string"})
_PIECES = (
    re.compile(r"[^\s\"'`,;=:()<>\[\]{}]+"),
    re.compile(r"[^\s\"'`,;()<>\[\]{}]+"),
    re.compile(r"\"[^\"]+\"|'[^']+'"),
)
_NAMED = re.compile(r"([A-Za-z_][\w-]{0,60})[\"']?\s{0,9}[:=]")
_TRANSLATIONS = re.compile(r"(?:^|/)(?:i18n|l10n|langs?|languages|locales?|translations?)/.*\.(?:json|ya?ml|toml)\Z")
_MACHINE_MADE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+/=.~-]{16,}")
"""What nobody thinks of: in a test all other values are made up."""

_ADDRESS = re.compile(r"`?https?://[^@\s]*\Z")
_END = re.compile(r"[:=]\s*(.+?)\s*$")


def words(sources: Sequence[Source]) -> list[str]:
    """A scan that checks no secret online, and ignores comments that call a secret none."""
    return [
        *("scan", "--all-files", "--no-verify", "--disable-plugin", "IPPublicDetector"),
        *("--disable-filter", "detect_secrets.filters.allowlist.is_line_allowlisted"),
        *(source.added for source in sources),
    ]


def read(said: str) -> Iterator[Diagnostic]:
    """One diagnostic for each secret; detect-secrets itself keeps only a hash of it, and so does `message`."""
    for items in json.loads(said)["results"].values():
        for item in items:
            yield Diagnostic(item["filename"], item["line_number"], item["type"], message=item["hashed_secret"])


def everywhere(marks: Sequence[Mark]) -> Iterator[Mark]:
    """The secrets, and every other added line with one of them: detect-secrets says each once for a file.

    What follows the name of a secret in code and stands in no quotes is no secret, but a name or a word such as `true`.
    """
    told = {(source.whole, source.line(mark.line)) for source, mark in marks}
    for source, mark in marks:
        text = source.text(source.line(mark.line))
        secret = _secret(text, mark.message)
        if (
            mark.rule == KEYWORD
            and secret
            and (_is_said(source, text, secret) or not _is_literal(source, text, secret))
        ):
            continue
        yield source, mark
        for place in source.suspect if len(secret) >= SHORTEST else ():
            line = source.line(place)
            if (source.whole, line) not in told and secret in source.text(line):
                told.add((source.whole, line))
                yield source, replace(mark, line=place)


def _is_said(source: Source, text: str, value: str) -> bool:
    """Whether a value is words for people: a sentence, an address that holds no password, its own name, a translation, a test's."""
    if not value.isascii() or _TRANSLATIONS.search(source.path):
        return True
    if source.is_test and not _MACHINE_MADE.fullmatch(value):
        return True
    name = _NAMED.search(text)
    is_name = name is not None and "_" in value and _bare(name[1]) == _bare(value)
    return len(value.split()) >= A_SENTENCE or _ADDRESS.match(value) is not None or is_name


def _bare(word: str) -> str:
    return re.sub(r"[\W_]", "", word).lower()


def _is_literal(source: Source, text: str, secret: str) -> bool:
    """Whether the value of a keyword can be a secret: a text in quotes, or any word where values need none."""
    if source.kind in _CODE:
        return any(f"{quote}{secret}{quote}" in text for quote in ("'", '"', "`"))
    return secret.lower() not in _WORDS


def _secret(line: str, digest: str) -> str:
    """The part of a line that has a hash; empty if it is put together otherwise."""
    parts = [part.strip("\"'") for pattern in _PIECES for part in pattern.findall(line)] + _END.findall(line)
    return next((part for part in parts if hashlib.sha1(part.encode("utf-8", "replace")).hexdigest() == digest), "")  # noqa: S324  # what detect-secrets says


ENGINE = Engine(
    NAME,
    "detect-secrets",
    frozenset(FileKind),
    words,
    read,
    compares=False,
    is_slow=True,
    adds="keys, tokens and passwords",
)
