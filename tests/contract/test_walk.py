"""What people do on a forge, of whatever kind it is, is found by sweeps."""

from __future__ import annotations

import os
from pathlib import Path

from tests.contract.conftest import URL, standing
from tests.sweep.test_walk import settled, walk
from tests.sweep.world import watch, world

LAG = 6.0 if URL else 0.0
"""A real forge writes the rows of a push when its queue comes to it."""


def test_a_walk_is_found(tmp_path: Path, flavour: str) -> None:
    """All that a random walk did is found, and nothing twice."""
    seed, steps = int(os.environ.get("HIVE_WALK_SEED", "1")), int(os.environ.get("HIVE_WALK_STEPS", "60"))
    with (
        standing(tmp_path, flavour) as site,
        world(site.url, (site.login, site.password), seed, tmp_path, lag=LAG) as town,
    ):
        for who in town.people[:2]:
            town.make_repo(who)
        with watch(town) as eyes:
            walk(eyes, steps, often=0.05)
            assert not settled(eyes), town.refused
            assert eyes.sweep(thorough=True).changes == 0
