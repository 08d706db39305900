"""`hive replay`: decisions made again, without a forge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from bots.bot import Context
from forge.events import Event
from forge.gitea.decode_deliveries import decode
from hive.instance.instance import Instance
from hive.replay import Replay


def replaying(instance: Instance) -> Replay:
    """Every wire of a replay; none of them leads to a forge."""

    def context(team: str) -> Context:
        nobody = cast("Any", None)  # all answers come from the recording
        now = datetime.fromtimestamp(instance.ledger.clock(), UTC)
        return Context(nobody, instance.teams[team], nobody, nobody, nobody, nobody, now)

    def hearers(event: Event) -> list[str]:
        team = instance.settings.team_of(event.ref.repo)
        return [] if team is None else instance.listeners(team, event)

    return Replay(instance.ledger, instance.bots, context, decode, hearers)
