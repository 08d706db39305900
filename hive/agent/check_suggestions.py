"""Checks that a repository without any could have, by the files at its top. Only words of ours: no text of the repository. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

_MAKE_TEST = re.compile(r"^test\s*:", re.MULTILINE)
_NPM_TEST = re.compile(r'"test"\s*:\s*"(?!echo \\"Error: no test specified)')

_BY_FILE: Mapping[str, tuple[str, re.Pattern[str] | None]] = {
    "Makefile": ("make test", _MAKE_TEST),
    "makefile": ("make test", _MAKE_TEST),
    "package.json": ("npm test", _NPM_TEST),
    "Cargo.toml": ("cargo test --offline", None),
    "go.mod": ("go test ./...", None),
    "pytest.ini": ("python3 -m pytest -q", None),
    "tox.ini": ("python3 -m pytest -q", re.compile(r"^\[pytest\]", re.MULTILINE)),
    "pyproject.toml": ("python3 -m pytest -q", re.compile(r"pytest")),
    "setup.cfg": ("python3 -m pytest -q", re.compile(r"^\[tool:pytest\]", re.MULTILINE)),
    "mix.exs": ("mix test", None),
    "pom.xml": ("mvn -o -q test", None),
    "gradlew": ("./gradlew --offline test", None),
    "flake.nix": ("nix flake check --offline", None),
}
_TESTS = ("tests", "test")
_UNITTEST = "python3 -m unittest discover -q {}"

KNOWN = frozenset({command for command, _ in _BY_FILE.values()} | {_UNITTEST.format(name) for name in _TESTS})
"""All commands that can be suggested."""

MOST = 3


def suggested(names: Collection[str], read: Callable[[str], str]) -> list[str]:
    """Commands for a repository with these names at its top; `read` is the text of a file there."""
    found = []
    for name, (command, needs) in _BY_FILE.items():
        if name in names and command not in found and (needs is None or needs.search(read(name))):
            found.append(command)
    if not found and any(name.endswith(".py") for name in names):
        found += [_UNITTEST.format(name) for name in _TESTS if name in names]
    return found[:MOST]
