"""The settings of an instance as its merged rosters have them. Reads the ledger; asks no forge."""

from __future__ import annotations

import logging

from hive.config import BadYaml, Settings
from hive.config.roster import FILE, accepted_roster, without
from hive.instance.instance import Instance, StartupError
from hive.supervisor.heartbeat import Heartbeat, Loops

log = logging.getLogger("hive.instance.rosters")

LOOK_SECONDS = 1.0
ROSTER_BOT = "bots.roster"
NO_BOT = "bots of hive.yaml lacks bots.roster: no change of {file} in {meta} can be approved until it is there"
CONTRADICTION = "the roster that operators merged last and hive.yaml contradict each other:\n{error}"


def rostered(instance: Instance, *, whole: bool = False) -> Instance:
    """The instance with the agents and lanes that operators merged last, if a roster was ever adopted.

    Agents who have no account or configuration yet are left out, unless it is to be the `whole` roster.
    Raises StartupError for a roster that `hive.yaml` no longer allows. Both instances share what is open.
    """
    found = Instance(_settings(instance, whole=whole), host_settings(instance))
    found.__dict__["ledger"] = instance.ledger
    return found


def host_settings(instance: Instance) -> Settings:
    """What `hive.yaml` says, whatever rosters say of agents and lanes."""
    return instance.before_roster or instance.settings


def waiting_agents(instance: Instance) -> dict[str, str]:
    """The agents of the merged rosters that cannot run yet, since nobody has set them up, and their teams."""
    whole, ready = rostered(instance, whole=True).settings, rostered(instance).settings
    able = {agent for team in ready.teams.values() for agent in team.agents}
    return {agent: name for name, team in whole.teams.items() for agent in team.agents if agent not in able}


def ignored_agents(instance: Instance) -> list[str]:
    """What of `hive.yaml` does not do what it says, since a roster counts: a sentence about each."""
    counts = {team for team, mine in host_settings(instance).teams.items() if mine.forge in _forges(instance)}
    whole = rostered(instance, whole=True).settings
    no_bot = [NO_BOT.format(file=FILE, meta=instance.settings.meta)] if ROSTER_BOT not in instance.settings.bots else []
    return (no_bot if counts else []) + [
        f"{agent} of {team} stands in hive.yaml and not in {FILE} of {instance.settings.meta}, which counts: propose it there"
        for team in sorted(counts)
        for agent in host_settings(instance).teams[team].agents
        if agent not in whole.teams[team].agents
    ]


def _forges(instance: Instance) -> set[str]:
    return {accepted.forge for accepted in instance.ledger.rosters.accepted()}


def roster_state(instance: Instance) -> tuple[object, ...]:
    """What rosters and their agents depend on: as long as it is the same, so are they. Raises errors of the ledger."""
    return instance.ledger.rosters.accepted(), _able(instance)


def end_with_roster(instance: Instance, loops: Loops) -> None:
    """End a process when other agents can run than at its start; it is started again, and knows them."""
    last: tuple[object, ...] = ()

    def look(heartbeat: Heartbeat) -> float:
        nonlocal last
        now = roster_state(instance)
        if now != last and _settings(instance).teams != instance.settings.teams:
            log.warning("roster_changed")
            loops.stop.set()
        last = now
        heartbeat.beat()
        return LOOK_SECONDS

    loops.run("roster", look)


def _settings(instance: Instance, *, whole: bool = False) -> Settings:
    settings, rosters = host_settings(instance), instance.ledger.rosters.accepted()
    for accepted in rosters:
        if accepted.forge not in {team.forge for team in settings.teams.values()}:
            continue
        try:
            settings = accepted_roster(accepted.content, settings, accepted.forge).applied(settings)
        except BadYaml as error:
            raise StartupError(CONTRADICTION.format(error=error)) from error
    if whole or not rosters:
        return settings
    able, teams = _able(instance), settings.teams.values()
    return without(settings, {agent for team in teams for agent in team.agents if (team.forge, agent) not in able})


def _able(instance: Instance) -> frozenset[tuple[str, str]]:
    """Forges and agents that were set up completely: a configuration was adopted, and a token is there."""
    configured, has_token = instance.ledger.rosters.configured(), instance.secret_store.has_token
    return frozenset(
        (forge, name) for forge in instance.settings.forges for name in configured if has_token(forge, name)
    )
