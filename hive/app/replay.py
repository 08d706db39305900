"""`hive replay`: decisions made again, without a forge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from bots.bot import Context
from forge.events import Event
from forge.gitea.decode import decode
from hive.app.house import House
from hive.replay import Replay


def replaying(house: House) -> Replay:
    """Every wire of a replay; none of them leads to a forge."""

    def context(team: str) -> Context:
        nobody = cast("Any", None)  # whoever is asked is on the tape
        now = datetime.fromtimestamp(house.ledger.clock(), UTC)
        return Context(nobody, house.teams[team], nobody, nobody, nobody, now)

    def hearers(event: Event) -> list[str]:
        team = house.settings.team_of(event.ref.repo)
        return [] if team is None else house.listeners(team, event)

    return Replay(house.ledger, house.bots, context, decode, hearers)
