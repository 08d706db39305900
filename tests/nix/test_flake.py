"""The flake: `nix flake check` with a stand-in for nixpkgs, so that it needs no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.nix.evaluation import ROOT

NIX = os.environ.get("HIVE_NIX") or shutil.which("nix")
OUTPUTS = ("checks", "devShells", "formatter", "nixosModules", "overlays", "packages")
pytestmark = pytest.mark.skipif(NIX is None, reason="nix is missing (Debian: apt-get install nix-bin; or set HIVE_NIX)")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The files of the flake, as those of a commit: nix copies what it reads."""
    for name in ("flake.nix", "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / "source" / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "source")
    for name in ("nix", "config"):
        shutil.copytree(ROOT / name, tmp_path / "source" / name)
    return tmp_path / "source"


def flake(source: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `nix flake …` with a store of its own, offline, whatever this machine is configured for."""
    own = source.parent / "nix"
    env = {name: str(own / name.lower()) for name in ("NIX_STATE_DIR", "NIX_LOG_DIR", "NIX_CONF_DIR", "NIX_STORE_DIR")}
    (own / "nix_conf_dir").mkdir(parents=True, exist_ok=True)
    settings = "experimental-features = nix-command flakes\nflake-registry =\nsubstituters =\nbuild-users-group =\n"
    (own / "nix_conf_dir" / "nix.conf").write_text(settings)
    line = [str(NIX), "flake", *words, "--offline", "--no-write-lock-file"]
    line += ["--override-input", "nixpkgs", f"path:{source}/nix/tests", f"path:{source}"]
    env |= {"PATH": os.environ["PATH"], "HOME": str(own), "XDG_CACHE_HOME": str(own / "cache")}
    return subprocess.run(line, capture_output=True, text=True, env=env)


def test_the_flake_is_right(source: Path) -> None:
    """Every output has its form: packages, modules, checks, shells."""
    done = flake(source, "check", "--no-build")
    assert done.returncode == 0, done.stderr
    shown = re.sub(r"\x1b\[[0-9;]*m", "", flake(source, "show").stdout)
    assert all(f"─{name}" in shown for name in OUTPUTS), shown
    assert shown.count("NixOS module") == 2
    assert "vm: " in shown


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("nix/package.nix", "pypi.huey", "pypi.huye"),
        ("nix/tests/vm.nix", "./example.nix", "./exmaple.nix"),
        ("nix/units.nix", "hardening.network", "hardening.netwrk"),
        ("flake.nix", "./nix/overlay.nix", "./nix/overlai.nix"),
    ],
)
def test_a_fault_in_it_is_noticed(source: Path, file: str, old: str, new: str) -> None:
    """A name or a file that is not there, in the package, in a unit, in the test of a machine: the check fails."""
    text = (source / file).read_text()
    assert old in text
    (source / file).write_text(text.replace(old, new))
    assert flake(source, "check", "--no-build").returncode != 0
