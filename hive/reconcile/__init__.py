"""From a merged pull request to a rebuilt container: verify, build, point, activate, probe, report.

Merge is the approval, and it is verified, never believed. A failure leaves the old container
running. Every state is in the ledger before the step that leaves it. Reads no issue text.
"""
