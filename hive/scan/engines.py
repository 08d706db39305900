"""The engines, each a row: those that come as wheels first, then those that are used where a machine has them."""

from __future__ import annotations

from hive.scan import (
    astgrep,
    directives,
    documents,
    hadolint,
    ruff,
    scripts,
    secret_scan,
    shellcheck,
    syntax,
    taint,
    yamllint,
    zizmor,
)
from hive.scan.engine import Engine

ENGINES: tuple[Engine, ...] = (
    ruff.ENGINE,
    astgrep.ENGINE,
    directives.ENGINE,
    taint.ENGINE,
    secret_scan.ENGINE,
    shellcheck.ENGINE,
    yamllint.ENGINE,
    syntax.ENGINE,
    documents.ENGINE,
    hadolint.ENGINE,
    zizmor.ENGINE,
    scripts.OXLINT,
    scripts.ESLINT,
)
"""In the order in which people read which of them ran."""
