"""What people do on a forge, of whatever kind it is, is found by sweeps."""

from __future__ import annotations

import os
from pathlib import Path

from tests.contract.conftest import URL, standing
from tests.poller.test_walk import settled, walk
from tests.poller.world import watch, world

LAG = 6.0 if URL else 0.0
"""A real forge writes the rows of a push when its queue comes to it."""


def test_a_walk_is_found(tmp_path: Path, flavour: str) -> None:
    """All that a random walk did is found, and nothing twice."""
    seed, steps = int(os.environ.get("HIVE_WALK_SEED", "1")), int(os.environ.get("HIVE_WALK_STEPS", "60"))
    with (
        standing(tmp_path, flavour) as site,
        world(site.url, (site.login, site.password), seed, tmp_path, lag=LAG) as contract_forge,
    ):
        for who in contract_forge.people[:2]:
            contract_forge.make_repo(who)
        with watch(contract_forge) as eyes:
            walk(eyes, steps, often=0.05)
            assert not settled(eyes), contract_forge.refused
            assert eyes.sweep(thorough=True).changes == 0
