"""The task queue: Huey carries row ids, and a wake-up between processes. What a row means is in the ledger."""
