"""`make bench`: measures everything in one run."""

from __future__ import annotations

from bench.ingest import ingest
from bench.jobs import jobs
from bench.looking import looking
from bench.row import report
from bench.sweeping import sweeping
from bench.whole import start, whole

if __name__ == "__main__":
    report([*start(), *ingest(), *jobs(), *looking(), *sweeping(), *whole()])
