"""Review day: one change with a bit of everything, seen by all engines for real."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bots.models import Category, Finding, Level, Scan, Verdict, verdict

STORE = '''\
"""Keeps tombstones."""

import json
import os
import shutil
from pathlib import Path

from flask import Flask, request

app = Flask(__name__)
STATE = Path("/var/lib/tombs")


def do_it(record):
    try:
        return json.dumps(record)
    except Exception:
        pass


@app.post("/purge")
def purge():
    name = request.form["name"]
    shutil.rmtree(STATE / name)
    return "gone"
'''
TESTS = '''\
from store import do_it


def test_writes_what_it_is_given():
    """A record comes back as it was."""
    assert do_it({"a": 1}) == '{"a": 1}'
'''
MENDED = '''\
"""Keeps tombstones."""

import json
import re
import shutil
from pathlib import Path

from flask import Flask, abort, request

app = Flask(__name__)
STATE = Path("/var/lib/tombs")
NAME = re.compile("[a-z][a-z0-9]{0,8}")


class Unwritable(Exception):
    """A record cannot be written as JSON."""


def do_it(record):
    try:
        return json.dumps(record)
    except TypeError as error:
        raise Unwritable(repr(record)) from error


@app.post("/purge")
def purge():
    name = request.form["name"]
    if not NAME.fullmatch(name):
        abort(400)
    shutil.rmtree(STATE / name)
    return "gone"
'''


@pytest.fixture
def first(look: Callable[..., Scan]) -> Scan:
    return look({"store.py": STORE, "tests/test_store.py": TESTS})


def at(scan: Scan, path: str, line: int) -> list[Finding]:
    """What was said of a line."""
    return [item for item in scan.findings if (item.path, item.line) == (path, line)]


def test_everything_has_its_level(first: Scan) -> None:
    """A swallowed error, a ten-second matter and a path from a request are red; a test is praised; taste is free."""
    swallowed, unused, traversal = at(first, "store.py", 17), at(first, "store.py", 4), at(first, "store.py", 24)
    assert [(item.category, item.level) for item in swallowed] == [(Category.SILENT_FAILURE, Level.RED)]
    assert [(item.category, item.level, item.effective_level) for item in unused] == [
        (Category.INCONSISTENCY, Level.YELLOW, Level.RED)
    ]
    assert [(item.category, item.level) for item in traversal] == [(Category.SECURITY, Level.RED)]
    assert [item.rule for item in at(first, "tests/test_store.py", 4)] == ["tests-with-code"]
    assert len(first.findings) == 4
    assert verdict(first.findings, failed=bool(first.failed)) is Verdict.BLOCKED


def test_a_one_line_fix_is_suggested(first: Scan) -> None:
    """What an engine knows how to mend on the line comes as a suggestion; empty means that the line goes."""
    assert [item.suggestion for item in at(first, "store.py", 4)] == [""]


def test_mended_is_green(look: Callable[..., Scan]) -> None:
    """Once everything is mended the verdict is good, and says what deserves it."""
    scan = look({"store.py": MENDED, "tests/test_store.py": TESTS})
    assert [(item.level, item.rule) for item in scan.findings] == [
        (Level.GREEN, "tests-with-code"),
        (Level.GREEN, "py-cause-kept"),
        (Level.GREEN, "all-clean"),
    ]
    assert verdict(scan.findings, failed=bool(scan.failed)) is Verdict.GOOD
    assert scan.ran == ("ruff", "ast-grep", "taint", "detect-secrets")
    assert scan.head_sha == "c0ffee"


def test_old_lines_are_not_judged(look: Callable[..., Scan]) -> None:
    """A change answers for the lines that it adds, not for those it found."""
    scan = look({"store.py": STORE}, added={"store.py": [10, 11, 25]})
    assert [item.rule for item in scan.findings] == ["all-clean"]
    assert look({"store.py": STORE}, added={"store.py": []}).findings == ()


def test_a_line_on_the_way_is_enough(look: Callable[..., Scan]) -> None:
    """A path from a request is shown on the line that was added, even if the file is opened on an old one."""
    scan = look({"store.py": STORE}, added={"store.py": [23]}, engines="taint")
    assert [(item.line, item.rule) for item in scan.findings] == [(23, "path-from-request")]
