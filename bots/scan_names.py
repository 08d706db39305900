"""Names in what was found of a change that decide what becomes of it. Performs no I/O."""

DOES_NOT_MERGE = "does-not-merge"
"""The rule of a change that conflicts with its base."""

CHANGE = "change"
"""What stands for an engine in `Scan.failed` where the change itself is the reason, such as its size."""
