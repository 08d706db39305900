"""Evaluates the NixOS modules with a real Nix that needs no store, no nixpkgs and no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
NIX = shutil.which("nix-instantiate")
NIXPKGS_LIB = os.environ.get("HIVE_NIXPKGS_LIB", "")
"""A checkout's `lib` of nixpkgs: the same is evaluated with it as with our own few lines."""

LIBRARIES = ["nix/tests/minilib.nix", *([NIXPKGS_LIB] if NIXPKGS_LIB else [])]
needs_nix = pytest.mark.skipif(NIX is None, reason="nix-instantiate is missing (Debian: apt-get install nix-bin)")

STORE = "/nix/store/00000000000000000000000000000000"
"""How the paths of nix/tests/pkgs.nix begin."""

TEAM = """
    forges.forgejo.url = "https://forge.example";
    teams.acme = {
      forge = "forgejo"; operators = [ "mara" ]; repos = [ "app" ]; agents = [ "iris" ]; lanes.app.agent = "iris";
    };
"""
"""The least that a hive has to be told."""


class Refused(Exception):
    """Nix gave no value; the message is what it said."""


def hive(more: str = "", settings: str = "") -> str:
    """A module that enables a small hive, and one beside it with more options and settings."""
    least = f"{{ services.forgehive = {{ enable = true; settings = {{ {TEAM} }}; }}; }}"
    return f"{{ imports = [ {least} {{ services.forgehive = {{ settings = {{ {settings} }}; {more} }}; }} ]; }}"


def evaluate(
    *modules: str, library: str = LIBRARIES[0], facts: tuple[str, ...] = (), **arguments: str
) -> dict[str, Any]:
    """What nix/tests/eval.nix tells of these modules, each a Nix expression that may use `lib` and `pkgs`; raises Refused."""
    text = "{ lib, pkgs }: [ " + " ".join(f"({module})" for module in modules) + " ]"
    words = ["--arg", "modules", text, "--arg", "libPath", str(ROOT / library)]
    if facts:
        words += ["--arg", "facts", "[ " + " ".join(f'"{fact}"' for fact in facts) + " ]"]
    for name, value in arguments.items():
        words += ["--argstr", name, value]
    found: dict[str, Any] = json.loads(instantiate("nix/tests/eval.nix", *words))
    return found


def instantiate(file: str, *words: str) -> str:
    """The value of a file as JSON; raises Refused."""
    assert NIX is not None
    line = [NIX, "--eval", "--strict", "--json", "--store", "dummy://", file, *words]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def unit_text(unit: Mapping[str, Any], section: str) -> str:
    """A unit as NixOS writes it into a file: what the tests need of `systemd.services` and `systemd.sockets`."""
    parts: dict[str, dict[str, Any]] = {
        "Unit": {
            "Description": unit["description"],
            "After": " ".join(unit.get("after", [])),
            "Requires": " ".join(unit.get("requires", [])),
            "Wants": " ".join(unit.get("wants", [])),
            **unit.get("unitConfig", {}),
        },
        section: {**unit.get(f"{section.lower()}Config", {})},
    }
    if section == "Socket":
        parts[section]["ListenStream"] = unit["listenStreams"]
    if "startLimitIntervalSec" in unit:
        parts["Unit"]["StartLimitIntervalSec"] = unit["startLimitIntervalSec"]
    parts[section] |= {"Environment": [f"{name}={value}" for name, value in unit.get("environment", {}).items()]}
    lines = []
    for name, options in parts.items():
        lines.append(f"[{name}]")
        lines += [f"{key}={_word(one)}" for key, value in options.items() for one in _each(value)]
    return "\n".join(lines) + "\n"


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
