"""`hive host`: containers, their sockets, and the reconciler. Reads no issue text except to pass it on to its agent."""

from __future__ import annotations

import logging
import threading

from hive.app.agent_fault import AgentFault
from hive.app.agent_sockets import AgentSockets
from hive.app.base_rollout import BaseRollout
from hive.app.base_update import BaseWatch
from hive.app.drift_watch import DriftWatch
from hive.app.epoch import is_new_epoch
from hive.app.gc import HOST, collecting
from hive.app.managed_agents import ManagedAgents
from hive.app.merge_trials import LOOP, MergeTrials
from hive.app.own_upgrade import UpgradeWatch
from hive.app.rosters import HostRosters
from hive.app.status_watch import StatusWatch
from hive.config.freeze import read_window
from hive.gateway.budget_waits import BudgetWaits
from hive.instance.instance import Instance, StartupError, wait_for_store
from hive.instance.rosters import rostered
from hive.instance.running_agent import take_keys
from hive.instance.sandbox import backend_of, has_units, packages_path
from hive.ledger import Scope, SuspensionReason
from hive.outbox.incidents import IncidentReporter
from hive.queue.wakeup import HOST_WAKEUP, Wakeup, WakeupBroadcast
from hive.reconcile.containers import Containers, Ended
from hive.reconcile.crashes import CrashWatch
from hive.reconcile.drift import Drift
from hive.reconcile.holds import Holds
from hive.reconcile.limiter import REPORT, Limiter
from hive.reconcile.reconciler import ManagedAgent, Reconciler
from hive.supervisor.heartbeat import Heartbeat

log = logging.getLogger("hive.host")

TICK_SECONDS = 0.1


class Host:
    """Sockets and containers of every agent on this machine; its thread owns the containers."""

    def __init__(self, instance: Instance, stop: threading.Event) -> None:
        self._instance = instance
        self._stop = stop
        keys = take_keys(instance)
        limiter = Limiter.find(instance.settings.limits, by_unit=has_units(instance.settings))
        limiter.save(instance.settings.state / REPORT)
        self.containers = Containers(backend_of(instance.settings), instance.agents, limiter)
        self.faults: dict[str, AgentFault] = {}
        settings = instance.settings
        incidents = IncidentReporter(instance.ledger, settings.account("core"), instance.ops)
        self._crashes = CrashWatch(instance.ledger, incidents, settings.limits)
        self._ended: list[Ended] = []
        self._trials = MergeTrials(instance, incidents)
        self._rosters = HostRosters(instance, incidents, self.containers.backend.forget, self._trials.is_held)
        holds = Holds(instance.ledger, map(read_window, settings.deploy.freeze), self._trials.why_held)
        self._upgrade = UpgradeWatch(instance, holds)
        self._reconciler = Reconciler(
            instance.ledger,
            self.containers,
            settings.limits,
            packages_path=packages_path(settings),
            is_down=self._is_down,
            holds=holds,
        )
        self._rollout = BaseRollout.of(instance, self.containers, self._reconciler, stop)
        self._base, self._statuses = BaseWatch(), StatusWatch()
        self._drift = DriftWatch(Drift(instance.ledger, self.containers, self._reconciler.planner), incidents)
        self._managed = ManagedAgents()
        self._targets: list[ManagedAgent] = []
        self._told: dict[str, str] = {}
        self._loops = instance.loops("host", stop)
        self._woken, self._seen = WakeupBroadcast(), 0
        self._sockets = AgentSockets(instance, self.containers, keys, self._woken, stop)

    def serve(self) -> None:
        """Keep every container as operators approved it, until `stop` is set."""
        agents = _agents(self._instance)
        for agent, team in agents.items():
            self._instance.ledger.runs.release(agent)  # the previous holder of its turn died with the previous host
            self._add(team, agent)
        if is_new_epoch(self._instance.ledger):
            for agent, team in agents.items():
                self._crashes.allow_restart(team, agent, "the hive was restarted")
        BudgetWaits(self._instance.ledger).resume(all_of_them=True)
        collector = threading.Thread(target=collecting, args=(self._instance, HOST, self._loops), name="gc")
        collector.start()
        trials = threading.Thread(target=self._loops.run, args=(LOOP, self._trials.look), name=LOOP)
        trials.start()
        self._sockets.make_ready()
        wakeup = Wakeup(self._instance.settings.state / HOST_WAKEUP)
        relay = threading.Thread(target=self._woken.relay, args=(wakeup, self._stop), name="wakeups")
        relay.start()
        try:
            self._loops.run("tick", self._tick, wait=self._pause)
        finally:
            collector.join()
            trials.join()
            relay.join()
            self.containers.stop_all()
            for agent in self.faults:
                self._instance.ledger.runs.release(agent, refund=True, first=True)
            self._sockets.close_all()
        self._loops.last_words(self._instance.ledger_path)

    def _tick(self, heartbeat: Heartbeat) -> float:
        """Look after every agent once; returns after how many seconds to do so again."""
        self._seen = self._woken.seen
        self._sockets.settle()
        BudgetWaits(self._instance.ledger).resume()
        self._ended += self.containers.reap()
        while self._ended:  # taken off when it is written down: the ledger may be away
            self._crashed(self._ended[0])
            self._ended.pop(0)
        self._follow_rosters()
        self._upgrade.keep()
        for target in self._targets:
            self._keep_alone(target)
        self._rollout.look(self._targets, self._keep_alone)
        self._base.look(self._instance)
        self._statuses.look(self._instance)
        heartbeat.beat()
        return TICK_SECONDS

    def _keep_alone(self, target: ManagedAgent) -> None:
        """Reconcile one agent; a fault of its directories is its own."""
        with self.faults[target.agent].alone() as fine:
            if fine:
                self._keep(target)

    def _pause(self, seconds: float) -> None:
        """Wait for the next tick, which comes sooner when an effect or a container's first answer is there for it."""
        if not self._stop.wait(TICK_SECONDS / 20):
            self._woken.wait(self._seen, seconds)

    def _add(self, team: str, agent: str) -> None:
        self._targets.append(self._managed.of(self._instance, team, agent))
        self.faults[agent] = AgentFault(self._instance, team, agent)

    def _follow_rosters(self) -> None:
        """Take on the agents that a merged roster adds, and stop those that it removes."""
        found = self._rosters.keep()
        if found is not None:
            self._instance, wanted = found, _agents(found)
            self._trials.follow(found)
            self._sockets.follow(found)
            for agent in self.faults.keys() - wanted.keys():
                self._remove(agent)
            for agent in wanted.keys() - self.faults.keys():
                self._add(wanted[agent], agent)
                self._rosters.departures.welcome(wanted[agent], agent)
        self._rosters.departures.tend(set(self.faults))

    def _remove(self, agent: str) -> None:
        """Stop an agent for good; what it learned stays where it is."""
        self.containers.stop(agent)
        self._targets = [target for target in self._targets if target.agent != agent]
        self._sockets.close(agent)
        self._told.pop(agent, None)
        self.faults.pop(agent)

    def _crashed(self, ended: Ended) -> None:
        """A container ended by itself. That of a new configuration which does not start is reported by the reconciler."""
        agent = ended.agent
        log.warning("container_ended agent=%s began=%s", agent, ended.began)
        with self._instance.ledger.transaction():
            held = self._instance.ledger.runs.current(agent)
            self._instance.ledger.runs.release(agent, refund=not ended.began)
            if self._instance.ledger.deployments.is_under_way(agent):
                return
            if ended.began:
                self._crashes.crashed(self.faults[agent].team, agent, self.containers.log(agent), held)
            else:
                self._crashes.could_not_start(self.faults[agent].team, agent, self.containers.log(agent))

    def _watch(self, team: str, agent: str) -> None:
        """Allow a crashed agent to start again when its configuration changes, and close what is over."""
        if self._instance.ledger.deployments.is_under_way(agent):
            self._crashes.allow_restart(team, agent, "its configuration changes")
        elif self.containers.running(agent):
            self._crashes.close_if_recovered(team, agent)

    def _keep(self, target: ManagedAgent) -> None:
        """Reconcile one agent; raises OSError for a fault of its directories."""
        if not self._sockets.is_open(target.agent):
            self.containers.sweep_out(target.agent)
            self._sockets.open(self.faults[target.agent].team, target.agent)
        if self._is_stopped(target.agent):
            if self.containers.stop(target.agent):
                self._instance.ledger.runs.release(target.agent, refund=True, first=True)
        else:
            self._restart(target)
        self._renew(target.agent)
        self._reconciler.keep(target)
        self._watch(self.faults[target.agent].team, target.agent)
        self._drift.look(self.faults[target.agent].team, target)
        alive = self.containers.answered(target.agent) if self.containers.running(target.agent) else ""
        if self._told.get(target.agent) != alive:
            self._instance.ledger.deployments.record_heartbeat(target.agent, alive)
            if alive:
                self._crashes.has_started(self.faults[target.agent].team, target.agent)
            self._told[target.agent] = alive

    def _renew(self, agent: str) -> None:
        """End a container that held turns of another run than the one that is due; the reconciler starts a fresh one."""
        if agent in self.containers.used():
            self.containers.kill(agent)
            # Its last request may have claimed the next turn meanwhile, which was not interrupted and stays the first.
            self._instance.ledger.runs.release(agent, refund=True, first=True)

    def _is_down(self, agent: str) -> bool:
        return self._is_stopped(agent) or self._crashes.is_down(self.faults[agent].team, agent)

    def _is_stopped(self, agent: str) -> bool:
        found = self._instance.ledger.suspensions.of(self.faults[agent].team, Scope.AGENT, agent)
        return any(suspension.reason is SuspensionReason.STOPPED for suspension in found)

    def _restart(self, target: ManagedAgent) -> None:
        """Stop a container that is to be restarted; the reconciler starts it, built again if this host has changed."""
        agent = target.agent
        deployments = self._instance.ledger.deployments
        baseline = deployments.baseline(agent)
        if (
            baseline is None
            or baseline.restart_requested_at <= baseline.restarted_at
            or deployments.is_under_way(agent)
        ):
            return
        if self.containers.stop(agent):
            self._instance.ledger.runs.release(agent, refund=True, first=True)
        self._crashes.allow_restart(baseline.team, agent, "an operator said so")
        if baseline.running_sha:
            self._drift.rebuild(target, baseline.generation)
        deployments.mark_restarted(agent, baseline.restart_requested_at)


def _agents(instance: Instance) -> dict[str, str]:
    """The agents that can run, and their teams."""
    return {agent: team for team, mine in instance.settings.teams.items() for agent in mine.agents}


def serve(instance: Instance, stop: threading.Event) -> None:
    """Run the containers until `stop` is set; raises StartupError if another host uses this state directory."""
    wait_for_store(instance, stop)
    instance = rostered(instance)
    with instance.alone("host"):
        try:
            host = Host(instance, stop)
        except StartupError as error:  # no sandbox, no model: /healthz gives the reason
            instance.loops("host", stop).heartbeat("tick").beat(str(error))
            raise
        host.serve()
