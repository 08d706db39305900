"""The worker: deliveries become jobs, jobs become effects, and loops, bursts and outages are kept in check."""
