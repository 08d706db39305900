"""The outbox: what the hive is going to write, stored first, then done exactly once."""
