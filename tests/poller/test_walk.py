"""Whatever people do, in whatever order: a sweep finds all of it, and nothing twice."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge.embedded import EmbeddedForge
from forge.embedded.flavours import FLAVOURS
from forge.poll_changes import SILENT, ChangeKind
from tests.nightly import IS_NIGHT
from tests.poller.people import DEEDS, act
from tests.poller.world import FEED, Fact, Watch, compare, watch, world

PLAYED = [*FLAVOURS] if IS_NIGHT else ["forgejo-17", "gitea-1.26"]
WALKS = int(os.environ.get("HIVE_WALKS", "2"))
LONG = WALKS > 4
STEPS = 200 if LONG else 50
ADMIN = ("root", "correct horse")
COMPARED = SILENT | FEED | {ChangeKind.STATUS_SET}
"""What depends on when one looks."""


def walk(watch: Watch, steps: int, *, often: float) -> None:
    """Let people act, and sweep thoroughly now and then."""
    for _ in range(steps):
        act(watch.world)
        if watch.world.rng.random() < often:
            watch.sweep(thorough=True)
    watch.sweep(thorough=True)


def settled(watch: Watch) -> str:
    """What does not fit, in words; empty when everything does."""
    done, found = watch.world.done, watch.found()
    if watch.world.lag:  # a real forge
        done, found = (list(told(watch, facts)) for facts in (done, found))
    missing, extra = compare(done, found)
    return "\n".join([*(f"missing {one}" for one in missing), *(f"extra {one}" for one in extra)])


def told(watch: Watch, facts: list[Fact]) -> Iterator[Fact]:
    """Facts without the rows that a real forge takes away again."""
    return (
        fact for fact in facts if fact[0] is not ChangeKind.PUSHED or (fact[1], fact[2]) not in watch.world.rewritten
    )


@pytest.mark.parametrize("flavour", PLAYED)
@pytest.mark.parametrize("seed", range(WALKS if IS_NIGHT else 1))
def test_everything_is_found_once(tmp_path: Path, seed: int, flavour: str) -> None:
    """A walk that is swept thoroughly now and then, or only at its end, leaves exactly what was done."""
    with EmbeddedForge(tmp_path / "forge", flavour=FLAVOURS[flavour]) as forge:
        forge.create_admin(*ADMIN)
        with world(forge.url, ADMIN, seed, tmp_path) as town:
            for who in town.people[:2]:
                town.make_repo(who)
            with watch(town) as eyes:
                walk(eyes, STEPS, often=0.1 * (seed % 2))
                assert not settled(eyes)
                quiet = eyes.sweep(thorough=True)
                assert (quiet.changes, quiet.jobs) == (0, ())
                assert not settled(eyes)


@pytest.mark.parametrize("flavour", PLAYED)
def test_cheap_sweeps_miss_no_row(tmp_path: Path, flavour: str) -> None:
    """What a forge keeps a record of is found by cheap sweeps alone, each thing once."""
    with EmbeddedForge(tmp_path / "forge", flavour=FLAVOURS[flavour]) as forge:
        forge.create_admin(*ADMIN)
        with world(forge.url, ADMIN, 99, tmp_path) as town:
            for who in town.people[:2]:
                town.make_repo(who)
            with watch(town) as eyes:
                for _ in range(STEPS):
                    act(town)
                    if town.rng.random() < 0.2:
                        eyes.sweep(thorough=False)
                eyes.sweep(thorough=False)
                done = Counter(fact for fact in town.done if fact[0] not in COMPARED)
                found = Counter(fact for fact in eyes.found() if fact[0] not in COMPARED)
                assert not done - found
                assert not found - done - Counter(town.forgotten)


def test_the_walk_is_wide(tmp_path: Path) -> None:
    """There are more than forty kinds of things to do, and a long walk does them."""
    assert len(DEEDS) > 40
    with EmbeddedForge(tmp_path / "forge") as forge:
        forge.create_admin(*ADMIN)
        with world(forge.url, ADMIN, 7, tmp_path) as town:
            town.make_repo(town.people[0])
            for _ in range(300 if LONG else 30):
                act(town)
            assert len(town.actions) > (40 if LONG else 10), town.refused
