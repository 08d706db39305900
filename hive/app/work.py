"""`hive work`: bots, effects and the sweep."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial

from bots.bot import Context
from bots.intents import OpenIssue
from bots.types import RunStatus, RunView, VerdictView
from forge.events import Event, PullChanged, PullClosed, PullMerged, PullReviewed, ReviewAsked
from forge.gitea.changes import GiteaWatcher
from forge.gitea.decode import decode
from forge.gitea.read import GiteaReader
from forge.gitea.write import GiteaForge
from forge.protocol import Refused
from forge.types import Ref, Repo
from forge.webhook import Delivery
from hive.app.gc import WORK, collecting
from hive.app.house import House, wait_for_store
from hive.apply import Applier, owe
from hive.givenup import BY, GivenUp
from hive.inspection import ConfigEvaluator, PullScanner, holders
from hive.labels import StateLabels
from hive.ledger import Ceiling, Ledger, Scope
from hive.loops import Bounds, Breaker
from hive.parking import Attendant, Desk
from hive.pulse import Loops, Pulse
from hive.reconcile.build import Known
from hive.sorting import Reading, Sorter
from hive.sweep import Looker, Office, Sweeper
from hive.vault import NoSecret
from hive.work import JOB, Worker, Workshop
from hive.workspace import Login, Mirror, Workspace

log = logging.getLogger("hive.app.work")


@dataclass(frozen=True, slots=True)
class LedgerHistory:
    """What bots may know of runs."""

    ledger: Ledger

    def run_for(self, ref: Ref) -> RunView | None:
        """The newest run whose issue or pull request is `ref`."""
        run = self.ledger.runs.find(str(ref))
        if run is None:
            return None
        return RunView(
            id=run.id,
            agent=run.agent,
            issue=Ref.parse(run.ref),
            state=run.state,
            pull=Ref.parse(run.pull) if run.pull else None,
            bot_turns=self.ledger.runs.bot_turns(run.id),
            causes=self.ledger.runs.causes(run.id),
        )

    def verdict(self, ref: Ref, context: str) -> VerdictView | None:
        """What was said last of a pull request under the name of a commit status."""
        return self.ledger.verdicts.last(ref, context)

    def status(self, ref: Ref) -> RunStatus | None:
        """How the newest run stands whose issue or pull request is `ref`, or that waits for it."""
        return self.ledger.standings.status(str(ref))

    def resting(self, agent: str) -> tuple[str, ...]:
        """Why an agent's turns rest."""
        mine = [
            parked
            for parked in self.ledger.parking.all()
            if parked.name == agent and parked.scope in (Scope.AGENT, Scope.ACCOUNT)
        ]
        return tuple(parked.reason for parked in mine)


def serve(house: House, stop: threading.Event) -> None:
    """Work until `stop` is set; raises NotReady if another worker has this state directory, Damaged, or LoopDied."""
    wait_for_store(house, stop)
    with house.alone("worker"):
        house.ledger.jobs.release_all()
        house.whereabouts.settle()  # what hive.yaml calls otherwise since then is known by its id before anything is done
        loops = house.loops("work", stop)
        worker = Worker(workshop(house))
        sweeps = threading.Thread(target=sweep, args=(house, loops), name="sweep")
        sweeps.start()
        collector = threading.Thread(target=collecting, args=(house, WORK, loops), name="gc")
        collector.start()
        worker.serve(threads=house.settings.limits.workers, stop=stop, loops=loops)
        for thread in (sweeps, collector):
            thread.join()
        loops.last_words(house.ledger_path)


def workshop(house: House) -> Workshop:
    """Every wire of the worker. A token is read each time: a new one counts from the next question on."""
    teams, current, identity = house.teams, house.names.current, house.ledger.identity

    @cache
    def hand(name: str, login: str, token: str) -> GiteaForge:  # a bound token cannot ask who it is
        return GiteaForge(name=name, url=house.url(name), token=token, me=identity(name, login), current=current)

    @cache
    def eyes(name: str, token: str) -> GiteaReader:
        return GiteaReader(name=name, url=house.url(name), token=token, current=current)

    def forge(team: str, login: str) -> GiteaForge:
        name = house.settings.teams[team].forge
        return hand(name, login, _token(house, name, login))

    def reader(team: str, login: str) -> GiteaReader:
        name = house.settings.teams[team].forge
        return eyes(name, _token(house, name, login))

    core, operators = house.settings.account("core"), {name: team.operators for name, team in teams.items()}
    attendant = Attendant(Desk(house.ledger, reader, core, house.bots_of, house.ops, operators))
    given_up = GivenUp(house.ledger, core, house.ops, teams)
    limits, breaker, ground = house.settings.limits, breaker_of(house), house.whereabouts
    applier = Applier(
        *(house.ledger, forge, teams),
        marker_secret=house.vault.marker_secret(),
        watch=attendant,
        brake=breaker,
        gave_up=given_up.deed,
        listeners=house.listeners,
        ground=ground,
    )
    return Workshop(
        ledger=house.ledger,
        queue=house.queue,
        bots=house.bots,
        context=contexts(house, reader),
        look=looks(house),
        account=house.account,
        applier=applier,
        ground=ground,
        attendant=attendant,
        given_up=given_up,
        breaker=breaker,
        sorter=sorter_of(house),
        bell=house.bell,
        labels=StateLabels(house.ledger, core, teams),
        ceiling=Ceiling(limits.looks_of_team, limits.looks_of_bot),
    )


OF_PULL_REQUESTS = (PullChanged, PullClosed, PullMerged, PullReviewed, ReviewAsked)
"""Events whose page is a pull request's; a forge leads from the page of an issue of that number to it too."""


def page(house: House, event: Event) -> str:
    """The page of what an event is about."""
    kind, repo = "pulls" if isinstance(event, OF_PULL_REQUESTS) else "issues", event.ref.repo
    return f"{house.url(repo.forge)}/{house.names.current(repo).path}/{kind}/{event.ref.number}"


def sorter_of(house: House) -> Sorter:
    """What reads deliveries."""

    def read(delivery: Delivery) -> list[Event]:
        """The events of a delivery, with the names of repositories as the house uses them."""
        return decode(delivery, house.names.named)

    readings = {name: Reading(read, partial(page, house)) for name in house.settings.forges}
    return Sorter(house.ledger, readings, house.settings.team_of, house.listeners, house.origins.of)


def contexts(house: House, reader: Callable[[str, str], GiteaReader]) -> Callable[[str, str], Context]:
    """What bots see of a team: (team, bot)."""
    mirror = mirrors(house, "work")
    scanner = PullScanner(mirror)
    settings = house.settings
    evaluator = ConfigEvaluator(
        mirror, settings.limits, settings.packages_path, lambda agent: known(house, agent, mirror)
    )
    history = LedgerHistory(house.ledger)

    def context(team: str, bot: str) -> Context:
        now = datetime.fromtimestamp(house.ledger.clock(), UTC)
        return Context(reader(team, house.settings.account(bot)), house.teams[team], scanner, evaluator, history, now)

    return context


def known(house: House, agent: str, mirror: Callable[[Repo], Mirror]) -> Known | None:
    """What the declaration of an agent may name; None for an agent of no team."""
    settings = house.settings
    mine = next((team for team in settings.teams.values() if agent in team.agents), None)
    if mine is None:
        return None

    def others() -> Iterator[tuple[str, Repo, str]]:
        for other in mine.agents:
            anchor = house.ledger.deployments.anchor(other) if other != agent else None
            if anchor is not None:
                yield other, Repo(mine.forge, settings.configs, other), anchor.branch

    return Known(tuple(mine.lanes), settings.model.known, lambda: holders(mirror, others()))


def breaker_of(house: House) -> Breaker:
    """What stops a subject on which machines went on too long."""
    core, limits = house.settings.account("core"), house.settings.limits

    def tell(team: str, issue: OpenIssue) -> int:
        return owe(house.ledger, team, core, issue, by=BY)

    return Breaker(house.ledger, Bounds(limits.machine_depth, limits.machine_looks, limits.writes), house.ops, tell)


def _token(house: House, forge: str, login: str) -> str:
    """An account's token; raises Refused for one that cannot be read, which waits for its operator like a revoked one."""
    try:
        return house.vault.token(forge, login)
    except NoSecret as error:
        log.error("token_unusable error=%r", str(error))
        raise Refused(f"no token of {login} can be read here", status=401) from error


def office(house: House) -> Office:
    """What a look needs of the house."""
    return Office(house.ledger, house.settings.team_of, house.listeners, house.origins.of, partial(page, house))


def looks(house: House) -> Callable[[Ref], list[int]]:
    """The looks that deliveries ask for."""

    @cache
    def looker(name: str, token: str) -> Looker:
        url = house.url(name)
        eyes = GiteaWatcher(name=name, url=url, token=token, current=house.names.current, named=house.names.named)
        return Looker(eyes, office(house))

    return lambda ref: looker(ref.repo.forge, core_token(house, ref.repo.forge)).look(ref)


def core_token(house: House, forge: str) -> str:
    """What the account of the hive itself asks with, now."""
    return house.vault.token(forge, house.settings.account("core"))


def watcher(house: House, forge: str) -> GiteaWatcher:
    """The account of the hive itself, asking what changed."""
    token, url = core_token(house, forge), house.url(forge)
    return GiteaWatcher(name=forge, url=url, token=token, current=house.names.current, named=house.names.named)


def sweepers(house: House) -> list[Sweeper]:
    """One for each organisation in which repositories of the configuration are."""
    owners = {(repo.forge, repo.owner) for team in house.settings.teams for repo in house.settings.repos_of(team)}
    watchers = {forge: watcher(house, forge) for forge, _ in owners}
    return [Sweeper(watchers[forge], office(house), forge, owner) for forge, owner in sorted(owners)]


class Rounds:
    """The sweeps of every organisation, one round after another."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._forges = sorted({team.forge for team in house.settings.teams.values()})
        self._tokens: list[str] = []
        self._sweepers: list[Sweeper] = []

    def go(self, stop: threading.Event, pulse: Pulse) -> float:
        """Ask the forges what webhooks did not tell; returns after how many seconds to do so again, 0 while there is more."""
        house = self._house
        try:
            if self._tokens != (now := [core_token(house, forge) for forge in self._forges]):
                self._sweepers, self._tokens = sweepers(house), now
        except NoSecret as error:
            pulse.beat(str(error))
            return float(house.settings.sweep_seconds)
        house.whereabouts.look()
        done = [sweeper.sweep() for sweeper in self._sweepers]
        for job in (job for swept in done for job in swept.jobs):
            house.queue.push(JOB, job)
        pulse.beat(self._trouble())
        if any(swept.more for swept in done):
            return 0.0
        forget(house, stop)
        return float(house.settings.sweep_seconds)

    def _trouble(self) -> str:
        """What has gone wrong for so long that somebody should look: a forge that is away for a minute is no reason."""
        house, said = self._house, list[str]()
        now, late = house.ledger.clock(), house.settings.limits.late_seconds
        for sweeper in self._sweepers:
            state = sweeper.fares()
            if state.failing_since and now - state.failing_since >= late:
                said += state.sentences(now)
        return "; ".join(said)


def sweep(house: House, loops: Loops) -> None:
    """Ask the forges what webhooks did not tell, at once and then every while."""
    rounds = Rounds(house)
    loops.run("sweep", lambda pulse: rounds.go(loops.stop, pulse), every=house.settings.sweep_seconds)


def forget(house: House, stop: threading.Event) -> None:
    """Drop the words of what is older than is kept, a little at a time."""
    before = house.ledger.clock() - house.settings.keep_days * 86_400
    while not stop.is_set() and house.ledger.forget(before):
        pass


def mirrors(house: House, purpose: str) -> Callable[[Repo], Mirror]:
    """Mirrors of repositories for one process, fetched as the account of the hive itself."""
    workspace = Workspace(house.settings.state / "mirrors" / purpose)
    core = house.settings.account("core")

    def mirror(repo: Repo) -> Mirror:
        url = f"{house.url(repo.forge)}/{house.names.current(repo).path}.git"
        return workspace.mirror(repo, url, Login(core, house.vault.token(repo.forge, core)))

    return mirror
