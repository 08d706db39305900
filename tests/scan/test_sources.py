"""What engines get to see of a change, and what nobody could look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bots.models import Scan
from hive.scan.sources import MAX_BYTES, FileKind, gather

Look = Callable[..., Scan]

UNUSED = "import os\n"


def test_what_should_be_seen_and_cannot_is_said(look: Look) -> None:
    """Code that is too large, no UTF-8, or full of zero bytes is skipped with a reason, and so is what is missing."""
    files = {
        "large.py": b"#" * (MAX_BYTES + 1),
        "latin.py": b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
        "zero.js": b"let x = 1\0\n",
    }
    every = {name: [1] for name in (*files, "nowhere.py", "../outside.py")}
    scan = look(files, added=every)
    assert dict(scan.skipped) == {
        "large.py": f"has {MAX_BYTES + 1} bytes, and {MAX_BYTES} is the limit",
        "latin.py": "is not UTF-8 at byte 31",
        "zero.js": "holds zero bytes",
        "nowhere.py": "is not in the checkout",
        "../outside.py": "is not in the checkout",
    }
    assert scan.findings == ()


def test_what_no_engine_knows_is_fine(look: Look) -> None:
    """Pictures and submodules are nobody's business; text of any kind is searched for secrets."""
    large = b"\x7fELF\0" + b"x" * MAX_BYTES
    scan = look({"logo.png": b"\x89PNG\0\0", "notes": b"caf\xe9\n", "tool": large})
    assert (scan.failed, scan.skipped, scan.findings) == ((), (), ())
    assert scan.ran == ("detect-secrets",)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A symbolic link is not read, and a file behind one is outside."""
    root, away, copies = tmp_path / "root", tmp_path / "away", tmp_path / "copies"
    for folder in (root, away, copies):
        folder.mkdir()
    (away / "a.py").write_text(UNUSED)
    (root / "a.py").symlink_to(away / "a.py")
    (root / "d").symlink_to(away)
    (root / "submodule").mkdir()
    every = {**dict.fromkeys(("a.py", "d", "d/a.py", "submodule"), frozenset({1})), "moved": frozenset[int]()}
    assert gather(root, every, copies) == ((), (("d/a.py", "is not in the checkout"),))
    assert list(copies.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.py", "", FileKind.PYTHON),
        ("A.PYI", "", FileKind.PYTHON),
        ("a.mjs", "", FileKind.SCRIPT),
        ("run", "#!/usr/bin/env python3.12\n", FileKind.PYTHON),
        ("run", "#!/bin/sh -eu\n", FileKind.SHELL),
        ("run", "#!/usr/bin/perl\n", FileKind.OTHER),
        ("a.txt", "#!/bin/sh\n", FileKind.OTHER),
        ("a.yaml", "a: ${{ x }}\n", FileKind.YAML),
        ("chart.yaml", "{{- if .Values.x }}\na: 1\n{{- end }}\n", FileKind.OTHER),
        ("a.yaml.j2", "{% if x %}\n", FileKind.OTHER),
    ],
)
def test_kinds(tmp_path: Path, name: str, text: str, kind: FileKind) -> None:
    """A file's suffix says what it is written in, without one its first line does; a template is not what it makes."""
    copies = tmp_path / "copies"
    copies.mkdir()
    (tmp_path / name).write_text(text)
    sources, _ = gather(tmp_path, {name: frozenset()}, copies)
    assert [source.kind for source in sources] == [kind]


def test_code_behind_a_carriage_return(look: Look) -> None:
    """A carriage return ends a line for Python and not for git: what hides behind one is found on git's line."""
    scan = look({"a.py": "x = 1\n# nothing here\rimport os\ny = undefined\r\n"}, engines="ruff")
    assert [(item.line, item.rule, item.suggestion) for item in scan.findings] == [
        (2, "F401", None),
        (3, "F821", None),
    ]


@pytest.mark.parametrize("odd", ["\x0c", "\x0b", "\x1c", "\x85", "\u2028", "\u2029"])
def test_other_line_ends_are_none(look: Look, odd: str) -> None:
    """Neither a form feed nor U+2028 moves a finding to another line."""
    files = {"a.py": f"x = '''{odd}{odd}'''\nimport os\ntry:\n    f()\nexcept Exception:\n    pass\n"}
    scan = look(files, engines="ruff ast-grep")
    assert {(item.line, item.rule) for item in scan.findings} >= {(2, "F401"), (5, "py-swallowed")}


def test_an_init_may_import_what_it_exports(look: Look) -> None:
    """An import that nobody uses is untidy, except in a file whose imports are its exports."""
    scan = look({"p/__init__.py": UNUSED, "p/other.py": UNUSED}, engines="ruff")
    assert [(item.path, item.rule) for item in scan.findings] == [("p/other.py", "F401")]
