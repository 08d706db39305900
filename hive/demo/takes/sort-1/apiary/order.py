"""Hives in the order of their honey."""


def ordered(counts: dict[str, int]) -> list[str]:
    """The names of hives, the fullest first."""
    try:
        return sorted(counts, key=lambda name: -counts[name])
    except TypeError:
        return []
