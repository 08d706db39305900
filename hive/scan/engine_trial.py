"""Tries an analyser on files that say nothing, as a review would run it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hive.scan.analysis import analyse
from hive.scan.engine import Engine
from hive.scan.sandbox_runner import SandboxRunner
from hive.scan.sources import FileKind

NAMES = {
    FileKind.PYTHON: "a.py",
    FileKind.SCRIPT: "a.js",
    FileKind.RUST: "a.rs",
    FileKind.GO: "a.go",
    FileKind.SHELL: "a.sh",
    FileKind.YAML: "a.yaml",
    FileKind.DOCKER: "Dockerfile",
    FileKind.NIX: "a.nix",
    FileKind.JSON: "a.json",
    FileKind.TOML: "a.toml",
    FileKind.UNIT: "a.service",
    FileKind.OTHER: "a.txt",
}
"""A file of each kind."""

TEXTS = {FileKind.GO: "package a\n", FileKind.NIX: "{ }\n", FileKind.JSON: "{}\n", FileKind.DOCKER: "FROM scratch\n"}
"""What stands in one that may not be empty."""


def failure_of(engine: Engine, on: SandboxRunner | None = None) -> str:
    """Why an analyser would leave changes not reviewed, such as `is not installed`; empty if it reads a file of each of its kinds."""
    with tempfile.TemporaryDirectory(prefix="hive-trial-") as folder:
        for kind in engine.kinds:
            Path(folder, NAMES[kind]).write_text(TEXTS.get(kind, "\n"))
        changed = {NAMES[kind]: frozenset({1}) for kind in engine.kinds}
        failed = analyse(Path(folder), changed, "", engines=[engine], on=on).failed
    return next((why for name, why in failed if name == engine.name), "")
