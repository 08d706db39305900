"""`make bench`: measures everything in one run, or the parts that are named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from bench.cascade import cascade
from bench.containers import containers
from bench.deploying import deploying
from bench.evaluating import evaluating
from bench.gateway import gateway
from bench.grown import grown
from bench.ingest import ingest
from bench.jobs import jobs
from bench.latency import latency
from bench.looking import looking
from bench.money import money
from bench.restart import restart
from bench.reviewing import reviewing
from bench.row import Gap, Row, Unmeasured, report
from bench.storm import storm
from bench.sweeping import sweeping
from bench.triage import triage
from bench.watching import watching
from bench.whole import start, whole

PARTS: dict[str, Callable[[], Iterator[Row | Gap]]] = {
    "start": start,
    "ingest": ingest,
    "latency": latency,
    "queue": jobs,
    "restart": restart,
    "grown": grown,
    "storm": storm,
    "looking": looking,
    "triage": triage,
    "sweeping": sweeping,
    "money": money,
    "gateway": gateway,
    "containers": containers,
    "deploying": deploying,
    "evaluating": evaluating,
    "cascade": cascade,
    "watching": watching,
    "reviewing": reviewing,
    "whole": whole,
}


def measure(names: list[str]) -> Iterator[Row | Gap]:
    """The rows of the named parts; one that breaks off breaks off alone."""
    for name in names:
        try:
            yield from PARTS[name]()
        except Unmeasured as error:
            yield Gap(name, str(error))


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(f"usage: python -m bench [PART ...]\n\nMeasures the named parts, or all of them: {', '.join(PARTS)}")
        raise SystemExit
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in wanted if name not in PARTS]:
        raise SystemExit(f"bench: no part named {', '.join(unknown)}; there are {', '.join(PARTS)}")
    report(measure(wanted))
