"""`hive host`: containers, their sockets, and the reconciler. Reads no issue text but to hand it to its agent."""

from __future__ import annotations

import json
import logging
import os
import threading
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import Any

from forge.gitea.read import GiteaReader
from forge.protocol import ForgeError, NotFound
from forge.types import Ref, Repo
from hive import broker, gateway
from hive.admission import Guard
from hive.app.branches import Branches
from hive.app.fault import Fault
from hive.app.gc import HOST, collecting
from hive.app.house import MODEL_KEY, House, NotReady, model_key, wait_for_store
from hive.app.names import Names
from hive.app.places import address
from hive.app.sandbox import jail_of
from hive.app.work import mirrors
from hive.broker import Principal
from hive.incidents import Incidents
from hive.ledger import Turn
from hive.ledger.runs import LEASE_SECONDS
from hive.llm import Model
from hive.parking import UNAUTHORIZED, lock_out
from hive.processes import LIFE
from hive.pulse import Pulse
from hive.reconcile.containers import Containers
from hive.reconcile.crashes import CrashWatch
from hive.reconcile.loop import Reconciler, Ward
from hive.reconcile.report import Reporter
from hive.reconcile.verify import Policy
from hive.resting import Rest
from hive.serve import Server, unix
from hive.settings import BadYaml, read_checks
from hive.vault import NoSecret
from hive.work import EFFECT
from hive.workspace import Login

log = logging.getLogger("hive.host")

TICK_SECONDS = 0.1
SOCKET_THREADS = 6
NO_KEY = "no-key"
"""What a model server without keys is sent."""


@cache
def eyes(forge: str, url: str, token: str, names: Names) -> GiteaReader:
    """What whoever has a token sees of a forge."""
    return GiteaReader(name=forge, url=url, token=token, current=names.current)


@dataclass(frozen=True, slots=True)
class Brief:
    """Makes the JSON of a turn: what the agent is told, and where it may work.

    A forge that refuses the agent's token is the operators' to mend: its turns rest, and they are told.
    """

    house: House
    agent: str
    team: str

    def __call__(self, turn: Turn) -> dict[str, Any]:
        """The turn; raises OSError while the forge cannot be asked."""
        settings = self.house.settings
        issue = Ref.parse(turn.ref)
        config = Repo(issue.repo.forge, settings.configs, self.agent)
        base = self.base(issue.repo)
        branches = Branches(self.agent, self.house.ledger, self.reader())
        return {
            "lease": int(LEASE_SECONDS),
            "memory": turn.memory,
            "message": turn.message,
            "issue": turn.ref,
            "pull": turn.pull,
            "repo": issue.repo.path,
            "base": base,
            "branch": branches.work(turn),
            "proposal": branches.proposal(turn),
            "config_repo": config.path,
            "config_base": self.base(config),
            "knowledge": self.house.knowledge(issue.repo.forge).path,
            "checks": list(self._checks(issue.repo, base)),
            "author": {"name": self.agent, "email": f"{self.agent}@{settings.account('core')}.invalid"},
            **self._spec(),
        }

    def reader(self) -> GiteaReader:
        """The forge as the agent sees it, by the token that it has now; raises OSError without one."""
        house, forge = self.house, self.house.settings.teams[self.team].forge
        try:
            return eyes(forge, house.url(forge), house.vault.token(forge, self.agent), house.names)
        except NoSecret as error:
            raise OSError(str(error)) from error

    def base(self, repo: Repo) -> str:
        """A repository's default branch; raises OSError while the forge cannot be asked, or it is not where it was."""
        address(self.house, repo)
        try:
            return self.reader().repository(repo).default_branch
        except ForgeError as error:
            raise self._unreadable(repo, error) from error

    def model(self) -> str:
        """The model that the agent may use."""
        return str(self._spec()["model"])

    def _spec(self) -> dict[str, Any]:
        """What the running container was built from says about the agent, within the host's limits."""
        settings = self.house.settings
        anchor = self.house.ledger.deployments.anchor(self.agent)
        artifact = self.house.agents / self.agent / "gens" / (anchor.running_sha if anchor else "") / "agent.json"
        spec = json.loads(artifact.read_text())
        text = resources.files("bots.prompts").joinpath("agent.md").read_text(encoding="utf-8")
        return {
            "system": text.format(name=self.agent, team=self.team, lane=spec["lane"], role=spec["prompt"]).strip(),
            "model": (anchor.model if anchor else "") or spec["model"] or settings.model.name,
            "max_steps": min(spec["max_steps"], settings.limits.steps),
            "minutes": min(spec["minutes"], settings.limits.minutes),
        }

    def _checks(self, repo: Repo, base: str) -> tuple[str, ...]:
        """The checks that the base branch asks for: a change cannot switch off its own."""
        try:
            return read_checks(self.reader().file(repo, ".hive.yaml", base).decode("utf-8", "replace"))
        except NotFound:
            return ()
        except BadYaml as error:
            log.warning("checks_unreadable repo=%s error=%r", repo, str(error)[:200])
            return ("echo 'the .hive.yaml of this repository is broken'; false",)
        except ForgeError as error:
            raise self._unreadable(repo, error) from error

    def _unreadable(self, repo: Repo, error: ForgeError) -> OSError:
        if error.status == UNAUTHORIZED:
            tells = self.house.settings.account("core"), self.house.ops(self.team)
            lock_out(self.house.ledger, self.team, self.agent, error, tells=tells)
        return OSError(f"{repo} cannot be read: {error}")


class Host:
    """Sockets and containers of every agent on this machine; its thread owns the containers."""

    def __init__(self, house: House, stop: threading.Event) -> None:
        self._house = house
        self._stop = stop
        self._model = Model(url=house.settings.model.url, key=_key(house))
        self.containers = Containers(jail_of(house.settings), house.agents)
        self.faults: dict[str, Fault] = {}
        settings = house.settings
        incidents = Incidents(house.ledger, settings.account("core"), house.ops)
        self._crashes = CrashWatch(house.ledger, incidents, settings.limits)
        self._ended: list[str] = []
        self._reconciler = Reconciler(
            house.ledger,
            self.containers,
            settings.limits,
            packages_path=settings.packages_path,
            is_down=self._is_down,
        )
        self._servers: dict[tuple[str, str], Server] = {}
        self._listening: set[str] = set()
        self._wards: list[Ward] = []
        self._guards: dict[str, Guard] = {}
        self._told: dict[str, str] = {}
        self._loops = house.loops("host", stop)

    def serve(self) -> None:
        """Keep every container as operators approved it, until `stop` is set."""
        agents = {agent: team for team, mine in self._house.settings.teams.items() for agent in mine.agents}
        for agent, team in agents.items():
            self._house.ledger.runs.release(agent)  # whoever held its turn has died with the host before this one
            self._wards.append(self._ward(team, agent))
            self.faults[agent] = Fault(self._house, team, agent)
        if self._is_new_life():
            for agent, team in agents.items():
                self._crashes.let_go_on(team, agent, "the hive was started anew")
        collector = threading.Thread(target=collecting, args=(self._house, HOST, self._loops), name="gc")
        collector.start()
        threading.Thread(target=self._model.warm, name="warm", daemon=True).start()
        try:
            self._loops.run("tick", self._tick)
        finally:
            collector.join()
            self.containers.stop_all()
            for agent in agents:
                self._house.ledger.runs.give_back(agent)
            for server in self._servers.values():
                server.stop()
            for guard in self._guards.values():
                guard.refusals.flush(now=True)
            self._model.close()
        self._loops.last_words(self._house.ledger_path)

    def _tick(self, pulse: Pulse) -> float:
        """Look after every agent once; returns after how many seconds to do so again."""
        for guard in self._guards.values():
            guard.refusals.flush()
        self._ended += self.containers.reap()
        while self._ended:  # taken off when it is written down: the ledger may be away
            self._crashed(self._ended[0])
            self._ended.pop(0)
        for ward in self._wards:
            with self.faults[ward.agent].alone() as fine:
                if fine:
                    self._keep(ward)
        pulse.beat()
        return TICK_SECONDS

    def _crashed(self, agent: str) -> None:
        """A container ended by itself. One of a new configuration that does not come up is the reconciler's to tell."""
        log.warning("container_ended agent=%s", agent)
        with self._house.ledger.transaction():
            held = self._house.ledger.runs.held(agent)
            self._house.ledger.runs.release(agent)
            if self._house.ledger.deployments.open(agent) is None:
                self._crashes.crashed(self.faults[agent].team, agent, self.containers.log(agent), held)

    def _watch(self, team: str, agent: str) -> None:
        """Let an agent that stays down go on when its configuration changes, and end what is over."""
        if self._house.ledger.deployments.open(agent) is not None:
            self._crashes.let_go_on(team, agent, "its configuration changes")
        elif self.containers.running(agent):
            self._crashes.lives(team, agent)

    def _keep(self, ward: Ward) -> None:
        """One agent's turn; raises OSError for a fault of its own directories."""
        if ward.agent not in self._listening:
            self.containers.sweep_out(ward.agent)
            self._listen(self.faults[ward.agent].team, ward.agent)
        self._restart(ward.agent)
        self._renew(ward.agent)
        self._reconciler.keep(ward)
        self._watch(self.faults[ward.agent].team, ward.agent)
        alive = self.containers.answered(ward.agent) if self.containers.running(ward.agent) else ""
        if self._told.get(ward.agent) != alive:
            self._house.ledger.deployments.heard(ward.agent, alive)
            self._told[ward.agent] = alive

    def _renew(self, agent: str) -> None:
        """End a container that held turns of another run than the one that is due; the reconciler starts a fresh one."""
        if agent in self.containers.used():
            self.containers.kill(agent)
            self._house.ledger.runs.release(agent)

    def _is_down(self, agent: str) -> bool:
        return self._crashes.is_down(self.faults[agent].team, agent)

    def _is_new_life(self) -> bool:
        """Whether somebody started the hive, and not `hive up` this process again; to be asked once."""
        life, intake = os.environ.pop(LIFE, ""), self._house.ledger.intake
        if life and intake.cursor(LIFE) == life:
            return False
        intake.move_cursor(LIFE, life)
        return True

    def _restart(self, agent: str) -> None:
        """Stop a container that somebody wants to be started again; the reconciler starts it."""
        deployments = self._house.ledger.deployments
        anchor = deployments.anchor(agent)
        if anchor is None or anchor.restart_requested_at <= anchor.restarted_at or deployments.open(agent) is not None:
            return
        if self.containers.stop(agent):
            self._house.ledger.runs.give_back(agent)
        self._crashes.let_go_on(anchor.team, agent, "an operator said so")
        deployments.restarted(agent, anchor.restart_requested_at)

    def _ward(self, team: str, agent: str) -> Ward:
        house, settings = self._house, self._house.settings
        forge = settings.teams[team].forge
        repo = Repo(forge, settings.configs, agent)
        anchor = house.ledger.deployments.anchor(agent)
        if anchor is None:
            raise NotReady(f"the configuration of {agent} was never adopted; run: hive init")
        core = settings.account("core")
        token = house.vault.token(forge, core)
        reader = GiteaReader(name=forge, url=house.url(forge), token=token, current=house.names.current)
        policy = Policy(anchor.repo_id, house.team(team).operators, anchor.branch)
        mirror = mirrors(house, "host")
        reporter = Reporter(house.ledger, core, Repo(forge, *settings.meta.split("/", 1)))
        return Ward(agent, repo, policy, reader, lambda: mirror(repo), reporter, house.whereabouts.here)

    def _listen(self, team: str, agent: str) -> None:
        house = self._house
        forge = house.settings.teams[team].forge
        house.vault.token(forge, agent)  # no agent is begun without one
        brief = Brief(house, agent, team)
        rest = Rest(house.ledger, team, agent, house.settings.account("core"), house.ops(team))
        principal = Principal(
            agent=agent,
            team=team,
            login=lambda: Login(agent, house.vault.token(forge, agent)),
            forge_url=house.url(forge),
            config_repo=Repo(forge, house.settings.configs, agent),
            ledger=house.ledger,
            wake=lambda effect: _owed(house, effect),
            heard=self.containers.heard,
            life=lambda: self.containers.life(agent),
            serves=lambda run: self.containers.serves(agent, run),
            stop=self._stop,
            rest=rest,
            base=brief.base,
            brief=brief,
            knowledge=house.knowledge(forge),
            address=partial(address, house),
        )
        rate = house.settings.limits.calls_a_minute
        guard = Guard(
            house.ledger, team, agent, calls_a_minute=rate, opens=lambda key: self.containers.opens(agent, key)
        )
        guard = self._guards.setdefault(agent, guard)
        tools = frozenset(house.settings.model.server_tools)
        upstream = gateway.Upstream(self._model, brief.model, rest, tools)
        cell = self.containers.cell(agent)
        apps = {
            "forge.sock": (broker.create(principal, guard), broker.gate(guard)),
            "model.sock": (gateway.create(upstream, guard), gateway.gate(guard)),
        }
        for name, (app, gate) in apps.items():
            if (agent, name) not in self._servers:
                self._servers[agent, name] = Server(app, unix(cell.sockets / name), gate, threads=SOCKET_THREADS)
                self._servers[agent, name].start()
        self._listening.add(agent)


def serve(house: House, stop: threading.Event) -> None:
    """Keep containers until `stop` is set; raises NotReady if another host has this state directory."""
    wait_for_store(house, stop)
    with house.alone("host"):
        try:
            host = Host(house, stop)
        except NotReady as error:  # no sandbox, no model: whoever asks for the health of the house hears why
            house.loops("host", stop).pulse("tick").beat(str(error))
            raise
        host.serve()


def _owed(house: House, effect: int) -> None:
    house.queue.push(EFFECT, effect)
    house.bell.ring()


def _key(house: House) -> str:
    """The key of the model, taken out of the environment that children would inherit."""
    key = model_key(house.settings)
    os.environ.pop(MODEL_KEY, None)
    return key or NO_KEY
