"""What each storage of wake-ups has in common: it holds nothing that is not in the ledger."""

from __future__ import annotations


class StatelessStorageMixin:
    """What huey would ask a storage before and after each task, answered here: nothing of it is ever there."""

    def read_schedule(self, ts: object) -> list[bytes]:  # noqa: ARG002  huey's signature
        """Nothing is scheduled: due times are in the ledger."""
        return []

    def peek_many(self, keys: object) -> dict[str, object]:  # noqa: ARG002  huey's signature
        """No task was ever revoked."""
        return {}

    def delete_data(self, key: object) -> bool:  # noqa: ARG002  huey's signature
        """No results are stored."""
        return False
