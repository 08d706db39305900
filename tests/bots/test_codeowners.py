"""CODEOWNERS in the two languages of forges, which disagree about nearly every line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bots.codeowners import OwnersDialect, matches_glob, owners_of

REGEX, GLOB = OwnersDialect.REGEX, OwnersDialect.GLOB


@pytest.mark.parametrize(
    ("pattern", "path", "regex", "glob"),
    [
        ("*", "src/a.py", True, True),
        ("*.py", "src/a.py", True, True),
        ("*.c", "tools/abc", True, False),
        ("src", "src/a.py", False, True),
        ("src/", "src/a.py", False, True),
        ("src/", "lib/src/a.py", False, True),
        ("/src/", "lib/src/a.py", False, False),
        ("src/*", "src/a.py", False, True),
        ("src/*", "src/x/a.py", False, False),
        ("src/**", "src/x/a.py", False, True),
        ("**/foo.txt", "x/foo.txt", False, True),
        ("/src/.*", "src/a.py", False, False),
        ("src/.*", "src/x/a.py", True, False),
        (r"src/a\.py", "src/axpy", True, False),
        (r"src/a\\.py", "src/axpy", False, False),
        (r"src/a\\.py", "src/a.py", True, False),
        (r"v\d+/.*", "v1/x", False, False),
        (r"v\\d+/.*", "v1/x", True, False),
        ("(?!docs/).*", "src/a.py", False, False),
        (r"(?i)readme\\.md", "readme.MD", True, False),
        ("README.md", "readme.MD", False, False),
        (r"a\ b\\.txt", "a b.txt", True, False),
        (r"a\#b\\.txt", "a#b.txt", True, False),
        ("src/?.py", "src/a.py", False, True),
        ("docs/*/a", "docs/x/a", False, True),
        ("a/**/z", "a/b/c/z", False, True),
        ("a/**/z", "a/z", False, True),
        ("(docs|src)/.*", "src/a", True, False),
        ("[a-c]/.*", "b/x", True, False),
    ],
)
def test_patterns(pattern: str, path: str, *, regex: bool, glob: bool) -> None:
    """As the forges match them."""
    line = f"{pattern} @mara"
    assert bool(owners_of(line, REGEX, [path])) is regex
    assert bool(owners_of(line, GLOB, [path])) is glob


def test_a_negated_pattern_is_every_other_path() -> None:
    """Forgejo and Gitea read `!` as what does not match, GitHub not at all."""
    line = r"!src/a\\.py @mara"
    assert owners_of(line, REGEX, ["src/a.py"]) == ()
    assert owners_of(line, REGEX, ["src/b.py"]) == ("mara",)
    assert owners_of(line, GLOB, ["src/b.py"]) == ()


def test_which_rules_count() -> None:
    """All that match add up on Forgejo and Gitea; of GitHub's the last one, which may leave a path to nobody."""
    text = "# the team\n*.py @mara @iris  # both\n*.py @noah\n*.txt mail@x.test @acme/team @mara\n"
    assert owners_of(text, REGEX, ["a.py"]) == ("mara", "iris", "noah")
    assert owners_of(text, GLOB, ["a.py"]) == ("noah",)
    assert owners_of(text, GLOB, ["a.py", "b.txt"]) == ("noah", "mara")
    silent = "* @mara\n/generated/\n"
    assert owners_of(silent, GLOB, ["generated/x"]) == ()
    assert owners_of(silent, GLOB, ["x"]) == ("mara",)


@pytest.mark.parametrize(
    "text", ["", "#", "*", "* ", "( @mara", "[ @mara", "\\ @mara", "x" * 10_000, "* " + "@" * 500, "\ud800 @mara"]
)
def test_what_is_no_rule(text: str) -> None:
    """It is left out."""
    assert owners_of(text, REGEX, ["zzz"]) == ()


def test_no_pattern_takes_long() -> None:
    """Whoever may write this file must not stop the worker."""
    slow = ["(a+)+b", "(a|a)*b", "a*a*a*a*a*a*b", "(a*)*b", ".*.*.*.*.*=x", "a{1,}a{1,}a{1,}b", "*a*a*a*a*a*a*b"]
    program = (
        "import sys; from bots.codeowners import OwnersDialect, owners_of\n"
        "text = '\\n'.join(f'{line} @mara' for line in sys.argv[1:])\n"
        "for dialect in OwnersDialect: print(owners_of(text * 60, dialect, ['a' * 300] * 300))"
    )
    process = subprocess.run([sys.executable, "-c", program, *slow], timeout=300, check=False)
    assert process.returncode == 0


def test_globs_match_whole_names() -> None:
    """A star stays within a name."""
    assert matches_glob("*a*b", "xaxxb")
    assert not matches_glob("*a*b", "xaxxbc")
    assert matches_glob("apps/*/src", "apps/one/src/x.py")
    assert not matches_glob("/apps/*.py", "apps/x/y.py")
