"""Tells whether a nix may build for others: some let who may ask the daemon write as root. Runs nothing."""

from __future__ import annotations

import re

FIXED: dict[tuple[int, int], int] = {
    (2, 28): 6,
    (2, 29): 3,
    (2, 30): 4,
    (2, 31): 4,
    (2, 32): 7,
    (2, 33): 4,
    (2, 34): 5,
}
"""The first release of each line that has the fix of CVE-2026-39860; a newer line began with it."""

ADVISORY = "CVE-2026-39860"

_NIX = re.compile(r"\(Nix\) (\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(\S*)", re.ASCII)


def objection(said: str) -> str:
    """Why a nix must not build here, by what its `--version` says; empty if it may.

    What is not understood must not: a fork with other numbers, or an early release of a line.
    """
    match = _NIX.search(said)
    if match is None:
        return f"its version cannot be told from {said.strip()[:80]!r}"
    line, patch, rest = (int(match[1]), int(match[2])), int(match[3] or 0), match[4]
    name = f"nix {match[1]}.{match[2]}{f'.{match[3]}' if match[3] else ''}{rest}"
    if line > max(FIXED):
        return ""
    first = FIXED.get(line)
    if first is None:
        least = ".".join(map(str, (*min(FIXED), FIXED[min(FIXED)])))
        return f"{name} has no fix for {ADVISORY} (the oldest that has is {least})"
    if patch < first or (patch == first and rest.startswith("pre")):
        return f"{name} has no fix for {ADVISORY} (this line has it since {line[0]}.{line[1]}.{first})"
    return ""
