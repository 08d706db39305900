"""The module of NixOS and the hive agree on which releases of Nix may build."""

from __future__ import annotations

import re
from pathlib import Path

from hive.reconcile.nix_version import FIXED

MODULE = Path(__file__).parents[2] / "nix" / "containers.nix"


def test_both_know_the_same_releases() -> None:
    """A line of releases that one of them gains, the other gains as well."""
    found = re.findall(r'"(\d+)\.(\d+)" = "\1\.\2\.(\d+)";', MODULE.read_text())
    assert {(int(major), int(minor)): int(patch) for major, minor, patch in found} == FIXED
