"""The sockets of every agent on this machine: what its container may ask of the hive, of its forge and of its model."""

from __future__ import annotations

import threading
from functools import partial
from secrets import token_hex

from forge.models import Repo
from hive.app.outgoing import Outgoing
from hive.app.run_holds import RunHolds
from hive.app.run_report import RunReport
from hive.app.turn_brief import Brief
from hive.gateway import broker, model_proxy
from hive.gateway.admission import Guard
from hive.gateway.agent_backoff import AgentBackoff
from hive.gateway.agent_session import AgentSession
from hive.gateway.budget import Budget
from hive.gateway.pricing import own_prices, price_list
from hive.gateway.wsgi_server import Server
from hive.git_mirror.mirror import Login
from hive.instance.instance import Instance
from hive.instance.model_keys import ModelKeys
from hive.instance.model_routes import ModelRoutes
from hive.queue.wakeup import WakeupBroadcast
from hive.reconcile.containers import Containers
from hive.unix_socket import listen_unix
from hive.worker.worker import EFFECT

SOCKET_THREADS = 6


class AgentSockets:
    """Opens and closes the sockets of agents; the host's thread calls it, and threads of its own answer."""

    def __init__(
        self,
        instance: Instance,
        containers: Containers,
        keys: ModelKeys,
        woken: WakeupBroadcast,
        stop: threading.Event,
    ) -> None:
        """`keys` are those of models; `woken` is told when a container gives its first answer."""
        self._instance = instance
        self._containers = containers
        self._keys = keys
        self._woken = woken
        self._stop = stop
        self._routes = ModelRoutes(instance.settings.model, keys)
        self._outgoing = Outgoing(instance, self._secrets, partial(_pending, instance))
        self._prices = price_list(own_prices(instance.settings.model.own_prices))
        self._owner = token_hex(8)
        """This process: what any other one has reserved is that of a dead host."""

        self._servers: dict[tuple[str, str], Server] = {}
        self._open: set[str] = set()
        self._guards: dict[str, Guard] = {}

    def make_ready(self) -> None:
        """Begin to greet the servers of models, and remove what an earlier process left of pushes."""
        threading.Thread(target=self._routes.warm, name="warm", daemon=True).start()
        self._outgoing.tidy()

    def follow(self, instance: Instance) -> None:
        """Take the settings of a newer roster for what is opened from now on."""
        self._instance = instance

    def settle(self) -> None:
        """Write down what was refused, and give back what dead hosts have reserved of budgets."""
        for guard in self._guards.values():
            guard.refusals.flush()
        self._instance.ledger.budgets.settle_dead(self._owner)

    def is_open(self, agent: str) -> bool:
        """Whether both sockets of an agent are there."""
        return agent in self._open

    def open(self, team: str, agent: str) -> None:
        """Open what of an agent's sockets is not; raises NoSecret without its token, OSError for a fault of its directories."""
        self._instance.secret_store.token(self._instance.settings.teams[team].forge, agent)
        brief, rest = Brief(self._instance, agent, team), self._rest(team, agent)
        guard = self._guards.setdefault(agent, self._guard(team, agent))
        session = self._session(brief, rest)
        apps = {
            "forge.sock": (broker.create(session, guard), broker.gate(guard)),
            "model.sock": (model_proxy.create(self._upstream(brief, rest), guard), model_proxy.gate(guard)),
        }
        dirs = self._containers.dirs(agent)
        for name, (app, gate) in apps.items():
            if (agent, name) not in self._servers:
                self._servers[agent, name] = Server(app, listen_unix(dirs.sockets / name), gate, threads=SOCKET_THREADS)
                self._servers[agent, name].start()
        self._open.add(agent)

    def close(self, agent: str) -> None:
        """Close the sockets of an agent that is gone for good."""
        for place in [place for place in self._servers if place[0] == agent]:
            self._servers.pop(place).stop()
        self._guards.pop(agent, None)
        self._open.discard(agent)

    def close_all(self) -> None:
        """End all that answers; what was refused is written down."""
        for server in self._servers.values():
            server.stop()
        for guard in self._guards.values():
            guard.refusals.flush(now=True)
        self._routes.close()

    def _rest(self, team: str, agent: str) -> AgentBackoff:
        instance = self._instance
        return AgentBackoff(instance.ledger, team, agent, instance.settings.account("core"), instance.ops(team))

    def _guard(self, team: str, agent: str) -> Guard:
        rate = self._instance.settings.limits.calls_a_minute
        opens = partial(self._containers.opens, agent)
        return Guard(self._instance.ledger, team, agent, calls_a_minute=rate, opens=opens)

    def _session(self, brief: Brief, rest: AgentBackoff) -> AgentSession:
        """What answers an agent's requests to its forge and to the hive."""
        instance, agent, team = self._instance, brief.agent, brief.team
        forge = instance.settings.teams[team].forge
        return AgentSession(
            agent=agent,
            team=team,
            login=lambda: Login(agent, instance.secret_store.token(forge, agent)),
            forge_url=instance.url(forge),
            config_repo=Repo(forge, instance.settings.configs, agent),
            ledger=instance.ledger,
            wake=partial(_pending, instance),
            heard=self._heard,
            epoch=partial(self._containers.epoch, agent),
            serves=partial(self._containers.serves, agent),
            stop=self._stop,
            rest=rest,
            woken=self._woken,
            base=brief.base,
            brief=brief,
            capabilities=brief.capabilities,
            outbound=self._outgoing.texts(team, agent),
            push=self._outgoing.pushes(team, agent),
            hold=RunHolds(lambda: instance.teams[team], brief.reader),
            status=RunReport(instance.ledger, agent, brief.reader),
            log=partial(self._log, team),
            knowledge=instance.settings.knowledge_of(forge),
            peers=lambda: instance.teams[team].agents,
            address=instance.address,
        )

    def _upstream(self, brief: Brief, rest: AgentBackoff) -> model_proxy.Upstream:
        """What answers an agent's requests to its model, within its budget."""
        spending = Budget(self._instance.ledger, brief.team, self._prices, self._owner, brief.caps, self._stop)
        return self._routes.upstream(brief.agent, brief.model, rest, spending)

    def _heard(self, agent: str, sha: str, trouble: str = "") -> None:
        if self._containers.heard(agent, sha, trouble):
            self._woken.notify()

    def _log(self, team: str, agent: str, lines: int) -> str | None:
        """The end of the log of an agent of a team; None for another one."""
        return self._containers.log(agent, lines) if agent in self._instance.settings.teams[team].agents else None

    def _secrets(self) -> frozenset[str]:
        """The secrets that are in this process only."""
        return self._keys.known() | self._containers.keys()


def _pending(instance: Instance, effect: int) -> None:
    instance.queue.push(EFFECT, effect)
    instance.wakeup.notify()
