"""The engines, each a row: those that come as wheels first, then those that are used where a machine has them."""

from __future__ import annotations

from hive.scan import astgrep, ruff, secret_scan, shellcheck, taint, yamllint

ENGINES = (ruff.ENGINE, astgrep.ENGINE, taint.ENGINE, secret_scan.ENGINE, shellcheck.ENGINE, yamllint.ENGINE)
