"""What the host does about rosters: follows merged ones, and says which agents can run now. Owns no container."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bots.agent_intents import roster_of
from forge.gitea.reader import GiteaReader
from forge.protocol import ForgeError
from hive.app.departures import Departures
from hive.app.polls import poll_reader
from hive.app.work import mirrors
from hive.instance.instance import Instance
from hive.instance.rosters import host_settings, roster_state, rostered, waiting_agents
from hive.outbox.incidents import IncidentReporter
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.branch_watch import BranchSource, BranchWatch
from hive.reconcile.quiet_repositories import QuietRepositories
from hive.reconcile.roster_keeper import RosterKeeper
from hive.reconcile.verify import Policy
from hive.secret_store import NoSecret

log = logging.getLogger("hive.app.rosters")

LOOK_SECONDS = 1.0
WAITS_TITLE = "🌱 {agent} waits for its account"
WAITS = """\
{agent} is on the roster of {team}, and has no account and no repository for its configuration yet: the hive keeps no password of a site admin.

Run `hive init` on the machine of the hive. The rest follows by itself, and this issue closes.
"""
SET_UP = "🌱 {agent} is set up."


@dataclass
class HostRosters:
    """The rosters of all forges, as one host sees them."""

    instance: Instance
    incidents: IncidentReporter
    forget: Callable[[AgentDirs], None] = lambda _: None
    """What takes away what this machine keeps of the containers of an agent that is destroyed."""

    is_held: Callable[[str], bool] = lambda _: False
    """Whether merges on a forge prove nothing for now."""

    departures: Departures = field(init=False)
    _keepers: dict[str, RosterKeeper] = field(default_factory=dict)
    _next_look: float = 0.0
    _state: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        self.departures = Departures(self.instance, self.incidents, self.forget)

    def keep(self) -> Instance | None:
        """Follow what operators merged; returns the instance as it is from now on, None if it is the same.

        Raises OSError, and errors of the ledger.
        """
        if time.monotonic() < self._next_look:
            return None
        self._next_look = time.monotonic() + LOOK_SECONDS
        for forge in self.instance.settings.forges:
            keeper = self._keeper(forge)
            if keeper is not None and not self.is_held(forge):
                keeper.keep()
        state = roster_state(self.instance)
        if state == self._state:
            return None
        found = rostered(self.instance)
        is_other = found.settings.teams != self.instance.settings.teams
        try:
            if is_other:  # new repositories are known by their ids before anything is done in them
                found.repository_tracker.pin_all()
        except ForgeError as error:
            log.warning("roster_waits error=%r", str(error)[:200])
            return None
        self._state, self.instance, self.departures.instance = state, found, found
        self._call_for_set_up()
        return found if is_other else None

    def _keeper(self, forge: str) -> RosterKeeper | None:
        """What follows the roster of a forge; None before it was adopted."""
        known = self._keepers.get(forge)
        baseline = None if known is not None else self.instance.ledger.deployments.baseline(roster_of(forge))
        if known is not None or baseline is None:
            return known
        instance, settings = self.instance, host_settings(self.instance)
        core, repo = settings.account("core"), settings.meta_of(forge)
        try:
            token = instance.secret_store.token(forge, core)
        except NoSecret:
            return None
        reader = GiteaReader(name=forge, url=instance.url(forge), token=token, current=instance.names.current)
        teams = [name for name, team in settings.teams.items() if team.forge == forge]
        operators = frozenset().union(*(instance.team(name).operators for name in teams))
        mirror = mirrors(instance, "host")
        source = BranchSource(
            repo,
            Policy(baseline.repo_id, operators, baseline.branch),
            reader,
            lambda: mirror(repo),
            instance.repository_tracker.is_available,
            QuietRepositories(poll_reader(instance, forge), repo.owner),
        )
        keeper = RosterKeeper(instance.ledger, settings, core, BranchWatch(instance.ledger, source))
        return self._keepers.setdefault(forge, keeper)

    def _call_for_set_up(self) -> None:
        """Tell operators of agents that wait for what only a site admin can make; where the hive is one, it is made soon."""
        waiting = waiting_agents(self.instance)
        for agent, team in waiting.items():
            forge = self.instance.settings.teams[team].forge
            if forge not in self.instance.settings.own_forges:
                title, body = WAITS_TITLE.format(agent=agent), WAITS.format(agent=agent, team=team).strip()
                self.incidents.begin(team, f"set-up:{agent}", title, body)
        for team, mine in self.instance.settings.teams.items():
            for agent in mine.agents:
                self.incidents.end(team, f"set-up:{agent}", SET_UP.format(agent=agent))
