"""Counts honey: the bytes of what is in a hive."""

import os
from pathlib import Path


def honey(hive: Path) -> int:
    """The bytes of all frames of a hive, however deep they hang."""
    total = 0
    for frame in hive.rglob("*.frame"):
        try:
            total += frame.stat().st_size
        except OSError:
            pass
    return total


def apiary(hives: Path) -> dict[str, int]:
    """The honey of every hive, by its name."""
    return {hive.name: honey(hive) for hive in sorted(hives.iterdir()) if hive.is_dir()}
