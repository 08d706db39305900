"""Counts honey: the bytes of what is in a hive."""

from pathlib import Path


def honey(hive: Path) -> int:
    """The bytes of all frames of a hive, however deep; raises OSError for one that cannot be read."""
    return sum(frame.stat().st_size for frame in hive.rglob("*.frame"))


def apiary(hives: Path) -> dict[str, int]:
    """The honey of every hive, by its name."""
    return {hive.name: honey(hive) for hive in sorted(hives.iterdir()) if hive.is_dir()}
