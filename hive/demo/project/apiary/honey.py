"""Counts honey: the bytes of what is in a hive."""

from pathlib import Path


def honey(hive: Path) -> int:
    """The bytes of all frames of a hive."""
    return sum(frame.stat().st_size for frame in hive.glob("*.frame"))


def apiary(hives: Path) -> dict[str, int]:
    """The honey of every hive, by its name."""
    return {hive.name: honey(hive) for hive in sorted(hives.iterdir()) if hive.is_dir()}
