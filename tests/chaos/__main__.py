"""`make chaos`: rounds under fire on one hive until the time is over; how often was killed, what was lost, what was doubled.

The storms that once found something come first.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.census import census, complaints, doubled, lost, unfinished
from tests.chaos.monkey import Monkey
from tests.chaos.rounds import Mind, Round
from tests.chaos.test_chaos import ONCE_FAILED, Storm, left, weathered
from tests.stories.conftest import raised

PAUSE, SECONDS = (0.2, 0.5), 60.0
"""Seconds between two kills, and for how long a round is under fire."""


def main() -> int:
    """Play, and say what came of it; status 1 if anything was lost, doubled, left open or left behind."""
    asked = argparse.ArgumentParser(prog="make chaos")
    asked.add_argument("--seconds", type=float, default=600.0)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    kills, faults, wrong = Counter[str](), Counter[str](), Counter[str]()
    with TemporaryDirectory(prefix="hive-chaos-") as place:
        with weathered(Path(place)) as (instance, disk), raised(instance, Mind(), longest_delay=0.3) as hive:
            calm = Round(hive, 1)
            calm.play()
            wanted = census(calm)
            until = time.monotonic() + given.seconds
            for number, storm in enumerate(_storms(given.seed), start=2):
                if time.monotonic() > until:
                    break
                stormy = Round(hive, number)
                with Monkey(hive, storm.seed, storm.pause, storm.seconds, weather=storm.weather, disk=disk) as monkey:
                    missing = _played(stormy)
                if not missing:
                    stormy.settle()
                wrong["lost"] += len(missing)
                _say(*(f"  lost: {what}" for what in missing))
                found = census(stormy)
                kills.update(monkey.kills)
                faults.update(monkey.faults)
                for what, facts in (("lost", lost(wanted, found)), ("doubled", doubled(wanted, found))):
                    wrong[what] += sum(facts.values())
                    _say(*(f"  {what}: {fact}, {times}×" for fact, times in facts.items()))
                _say(
                    f"round {number - 1}, seed {monkey.seed}: {monkey.total} kills, {sum(monkey.faults.values())} faults"
                )
            pending, told = unfinished(hive), complaints(hive)
        stayed = left(Path(place))
    _say(*(f"  left open: {line}" for line in pending), *(f"  operators were told: {line}" for line in told))
    _say(*(f"  still runs: {line}" for line in stayed))
    _say(f"kills {kills.total()} ({_listed(kills)})", f"faults {faults.total()} ({_listed(faults)})")
    _say(f"lost {wrong['lost']}", f"doubled {wrong['doubled']}")
    return 1 if wrong.total() or pending or told or stayed else 0


def _storms(seed: int) -> Iterator[Storm]:
    yield from ONCE_FAILED
    for number in count(2):
        yield Storm(seed * 1000 + number, PAUSE, SECONDS)


def _played(made: Round) -> list[str]:
    """Play a round; what never came is lost, and named."""
    try:
        made.play()
    except AssertionError as error:
        return [str(error).partition(";")[0]]
    return []


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
