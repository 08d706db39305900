"""The Nix files of this repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NIX = Path(__file__).parent.parent / "nix"
OURS = sorted(NIX.rglob("*.nix"))


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_each_parses(file: Path) -> None:
    """Nix reads each file, and knows all names in it."""
    nix = shutil.which("nix-instantiate")
    if nix is None:
        pytest.skip("nix-instantiate is not installed")
    done = subprocess.run([nix, "--parse", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_expression_has_its_interface() -> None:
    """What the host builds takes the agent's name, its module and nixpkgs, and nothing else."""
    text = (NIX / "agent-system.nix").read_text()
    head = [line for line in text.split("}:")[0].splitlines() if not line.lstrip().startswith("#")]
    assert [line.strip() for line in head] == ["{", "name,", "module ? null,", "nixpkgs ? <nixpkgs>,"]
