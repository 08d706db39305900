"""Hives in the order of their honey."""


def ordered(counts: dict[str, int]) -> list[str]:
    """The names of hives, the fullest first, equals by name."""
    return sorted(counts, key=lambda name: (-counts[name], name))
