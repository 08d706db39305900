"""`hive work`: bots, outbox and polling."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial

from bots.agent_intents import forge_of_roster, roster_of
from bots.bot import Context, Reviewer
from bots.classification import Classifier
from bots.configurations import ConfigurationView, TombstoneView
from bots.intents import OpenIssue
from bots.issue_terms import IssueTerms, SimilarIssue, TriageNote
from bots.queued_issue import QueuedIssue
from bots.review_rounds import ReviewRound
from bots.views import BudgetView, FindingView, QuestionView, RunStatus, RunView, VerdictView
from forge.events import Event
from forge.gitea.decode_deliveries import decode
from forge.gitea.reader import GiteaReader
from forge.gitea.writer import GiteaForge
from forge.models import Ref, Repo
from forge.protocol import Refused
from forge.webhook import Delivery
from hive.app.backfill import taking_in
from hive.app.evaluators import evaluators
from hive.app.gc import WORK, collecting
from hive.app.learning import learning
from hive.app.polls import page, poll, refreshers
from hive.app.rebuild_queue import base_view
from hive.classify.classifier import MODELS, LearnedClassifier
from hive.git_mirror.mirror import Login, Mirror, MirrorCache
from hive.inspect.pull_scanner import PullScanner
from hive.instance import model_keys
from hive.instance.instance import Instance, wait_for_store
from hive.instance.rosters import end_with_roster, rostered
from hive.ledger import ConcurrencyLimit, Ledger, Scope
from hive.ledger.budgets import WORKERS
from hive.outbox.enqueue import enqueue
from hive.outbox.executor import EffectExecutor
from hive.outbox.registry import Services
from hive.outbox.verdict_status import VerdictPublisher
from hive.queue.wakeup import HOST_WAKEUP, Wakeup
from hive.scan.own_engines import engines_of
from hive.secret_store import NoSecret
from hive.supervisor.heartbeat import Loops
from hive.worker.dispatch import DeliveryDecoder, Dispatcher
from hive.worker.failure_reports import BY, FailureReporter
from hive.worker.loop_guard import LoopGuard, LoopLimits
from hive.worker.outages import OutageDeps, OutageMonitor
from hive.worker.question_expiry import QuestionExpiry
from hive.worker.run_display import RunDisplay
from hive.worker.suppression_proposer import LOOK_SECONDS, SuppressionProposer
from hive.worker.verdict_retrier import VerdictRetrier
from hive.worker.worker import Worker
from hive.worker.worker_deps import WorkerDeps

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
            bot_turns=self.ledger.runs.count_bot_turns(run.id),
            causes=self.ledger.runs.turn_keys(run.id),
            wake=run.wake,
            is_urgent=run.priority > 0,
        )

    def question(self, run: int) -> QuestionView | None:
        """The question whose answer a run waits for."""
        found = self.ledger.questions.open_of(run)
        if found is None:
            return None
        return QuestionView(found.id, found.question, found.options, found.addressee, found.comment)

    def verdict(self, ref: Ref, context: str) -> VerdictView | None:
        """The last verdict of a pull request for a status context."""
        return self.ledger.verdicts.last(ref, context)

    def status(self, ref: Ref) -> RunStatus | None:
        """How the newest run stands whose issue or pull request is `ref`, or that waits for it."""
        return self.ledger.run_states.status(str(ref))

    def findings(self, ref: Ref) -> tuple[FindingView, ...]:
        """The open findings of the review of a pull request, by number."""
        last = self.review(ref)
        return () if last is None else tuple(each.view for each in last.open)

    def review(self, ref: Ref) -> ReviewRound | None:
        """The last round of a pull request's review, with what was dismissed since; None before the first."""
        return self.ledger.review_memory.last(str(ref))

    def budget(self, ref: Ref) -> BudgetView | None:
        """What the newest run of a thread has spent, and all that it counts for."""
        return self.ledger.spending.budget(str(ref))

    def configuration(self, agent: str, ref: Ref) -> ConfigurationView:
        """How an agent's configuration stands, or the base of a roster's name, and the heads of a pull request that were evaluated."""
        if forge := forge_of_roster(agent):
            return base_view(self.ledger, forge)
        baseline, last = self.ledger.deployments.baseline(agent), self.ledger.deployments.newest(agent)
        held = self.ledger.suspensions.of(baseline.team, Scope.DEPLOYMENTS, agent) if baseline is not None else []
        stands = ConfigurationView(
            baseline.running_sha if baseline is not None else "",
            self.ledger.proposals.heads(str(ref)),
            suspended=held[0].detail if held else "",
        )
        if last is None:
            return stands
        return replace(stands, last=last.sha, pulls=last.pulls, failed=last.has_failed, waits=last.is_waiting)

    def tombstone(self, agent: str) -> TombstoneView | None:
        """How an agent was destroyed; None if it was not."""
        found = self.ledger.rosters.tombstone(agent)
        return None if found is None else TombstoneView(agent, found.purge_asked_at is not None)

    def queue_of(self, agent: str, most: int) -> tuple[int, tuple[QueuedIssue, ...]]:
        """How many issues an agent may be given, and those that wait for it."""
        queue = self.ledger.ready_queue
        waiting = (QueuedIssue(Ref.parse(entry.ref), entry.lane, entry.is_labelled) for entry in queue.waiting(agent))
        return queue.room(agent, most), tuple(waiting)

    def triage_note(self, ref: Ref) -> TriageNote | None:
        """What triage has said on an issue."""
        return self.ledger.triage_notes.of(str(ref))

    def similar_issues(self, ref: Ref, terms: IssueTerms) -> tuple[SimilarIssue, ...]:
        """Issues of the same repository that are like it."""
        return tuple(self.ledger.issue_index.similar(str(ref.repo), ref.number, terms.title, terms.body))

    def queued_agents(self, team: str) -> tuple[str, ...]:
        """The agents of a team for whom issues wait."""
        return tuple(self.ledger.ready_queue.agents(team))

    def suspension_reasons(self, agent: str) -> tuple[str, ...]:
        """Why an agent is suspended."""
        mine = [
            suspension
            for suspension in self.ledger.suspensions.all()
            if suspension.name == agent and suspension.scope in (Scope.AGENT, Scope.ACCOUNT)
        ]
        return tuple(suspension.waiting for suspension in mine)


def serve(instance: Instance, stop: threading.Event) -> None:
    """Work until `stop` is set; raises StartupError if another worker uses this state directory, Damaged, or LoopDied."""
    wait_for_store(instance, stop)
    instance = rostered(instance)
    with instance.alone("worker"):
        instance.ledger.expire_leases()
        instance.ledger.budgets.settle_dead(WORKERS)
        instance.repository_tracker.pin_all()  # what hive.yaml calls otherwise since then is known by its id before anything is done
        loops = instance.loops("work", stop)
        worker = Worker(worker_deps(instance))
        model_keys.forget()
        changes = threading.Thread(target=end_with_roster, args=(instance, loops), name="roster")
        changes.start()
        sweeps = threading.Thread(target=poll, args=(instance, loops), name="sweep")
        sweeps.start()
        collector = threading.Thread(target=collecting, args=(instance, WORK, loops), name="gc")
        collector.start()
        lessons = threading.Thread(target=learn, args=(instance, loops), name="lessons")
        lessons.start()
        learner = threading.Thread(target=learning, args=(instance, loops), name="learn")
        learner.start()
        backfill = threading.Thread(target=taking_in, args=(instance, loops), name="backfill")
        backfill.start()
        worker.serve(threads=instance.settings.limits.workers, stop=stop, loops=loops)
        for thread in (sweeps, collector, changes, lessons, learner, backfill):
            thread.join()
        loops.last_words(instance.ledger_path)


def learn(instance: Instance, loops: Loops) -> None:
    """Propose what reviews should not say any more, once a week, until the process stops."""
    settings, core = instance.settings, instance.settings.account("core")

    def reader(team: str) -> GiteaReader:
        name = settings.teams[team].forge
        token = _token(instance, name, core)
        return GiteaReader(name=name, url=instance.url(name), token=token, current=instance.names.current)

    repos = {team: settings.repos_of(team) for team in settings.teams}
    loops.run("lessons", SuppressionProposer(instance.ledger, core, repos, reader).go, every=LOOK_SECONDS)


def worker_deps(instance: Instance) -> WorkerDeps:
    """Every wire of the worker. A token is read each time: a new one counts from the next question on."""
    teams, current, identity = instance.teams, instance.names.current, instance.ledger.identity

    @cache
    def writer_of(name: str, login: str, token: str) -> GiteaForge:  # a bound token cannot ask who it is
        return GiteaForge(name=name, url=instance.url(name), token=token, me=identity(name, login), current=current)

    @cache
    def reader_of(name: str, token: str) -> GiteaReader:
        return GiteaReader(name=name, url=instance.url(name), token=token, current=current)

    def forge(team: str, login: str) -> GiteaForge:
        return writer_of(name := instance.settings.teams[team].forge, login, _token(instance, name, login))

    def reader(team: str, login: str) -> GiteaReader:
        name = instance.settings.teams[team].forge
        return reader_of(name, _token(instance, name, login))

    core, operators = instance.settings.account("core"), {name: team.operators for name, team in teams.items()}
    outage_monitor = OutageMonitor(OutageDeps(instance.ledger, reader, core, instance.bots_of, instance.ops, operators))
    given_up = FailureReporter(instance.ledger, core, instance.ops, teams)
    secret, verdicts = instance.secret_store.marker_secret(), VerdictPublisher(instance.ledger)
    executor = EffectExecutor(
        Services(instance.ledger, forge, teams, instance.listeners, verdicts, secret),
        outages=outage_monitor,
        write_guard=(loop_guard := loop_guard_of(instance)),
        repository_guard=instance.repository_tracker,
        gave_up=given_up.effect_failed,
        wake_host=Wakeup(instance.settings.state / HOST_WAKEUP).notify,
    )
    return WorkerDeps(
        ledger=instance.ledger,
        queue=instance.queue,
        bots=instance.bots,
        context=contexts(instance, reader),
        refresh=refreshers(instance),
        account=instance.account,
        executor=executor,
        repository_guard=instance.repository_tracker,
        outage_monitor=outage_monitor,
        failure_reports=given_up,
        loop_guard=loop_guard,
        dispatcher=dispatcher_of(instance),
        wakeup=instance.wakeup,
        run_display=RunDisplay(instance.ledger, core, teams),
        question_expiry=QuestionExpiry(instance.ledger, core),
        verdict_retrier=VerdictRetrier(instance.ledger, instance.bots, teams),
        ceiling=ConcurrencyLimit(instance.settings.limits.jobs_per_team, instance.settings.limits.jobs_per_bot),
    )


def dispatcher_of(instance: Instance) -> Dispatcher:
    """What reads deliveries."""

    def read(delivery: Delivery) -> list[Event]:
        """The events of a delivery, with the configured names of repositories."""
        return decode(delivery, instance.names.named)

    readings = {name: DeliveryDecoder(read, partial(page, instance)) for name in instance.settings.forges}
    return Dispatcher(
        *(instance.ledger, readings, instance.settings.team_of, instance.listeners, instance.origins.of),
        deploys=partial(_deploys, instance),
        wake_host=Wakeup(instance.settings.state / HOST_WAKEUP).notify,
    )


def _deploys(instance: Instance, team: str, repo: Repo) -> str | None:
    """The agent of a configuration, or the name under which a roster is deployed; None for any other repository."""
    here = instance.teams[team]
    return roster_of(repo.forge) if repo == here.roster else here.configs.get(repo)


def contexts(instance: Instance, reader: Callable[[str, str], GiteaReader]) -> Callable[[str, str], Context]:
    """What bots see of a team: (team, bot)."""
    mirror = mirrors(instance, "work")
    engines = engines_of(instance.settings.review.engines)
    scanner = PullScanner(mirror, workers=instance.settings.limits.workers, engines=engines)
    evaluator = evaluators(instance, mirror, reader)
    history = LedgerHistory(instance.ledger)
    classifier = classifier_of(instance)
    reviewer = reviewer_of(instance, mirror)

    def context(team: str, bot: str) -> Context:
        now = datetime.fromtimestamp(instance.ledger.clock(), UTC)
        facts = (instance.teams[team], scanner, evaluator, history, classifier, now, reviewer)
        return Context(reader(team, instance.settings.account(bot)), *facts)

    return context


def classifier_of(instance: Instance) -> Classifier:
    """What says what issues are: learned models, and behind them a language model if there is one."""
    learned = LearnedClassifier(instance.settings.state / MODELS)
    if not instance.settings.triage.model:
        return learned
    from hive.app.model_triage import AskingClassifier  # noqa: PLC0415  it brings what the gateway of the host is made of

    return AskingClassifier.of(instance, learned)


def reviewer_of(instance: Instance, mirror: Callable[[Repo], Mirror]) -> Reviewer | None:
    """The model that reads pull requests, None without one: then nothing of it is loaded."""
    if not instance.settings.review.model:
        return None
    from hive.app.model_review import PullReviewer  # noqa: PLC0415  it brings what the gateway of the host is made of

    return PullReviewer.of(instance, mirror)


def loop_guard_of(instance: Instance) -> LoopGuard:
    """The loop guard, which suspends a subject on which bots keep answering one another."""
    core, limits = instance.settings.account("core"), instance.settings.limits

    def tell(team: str, issue: OpenIssue) -> int:
        return enqueue(instance.ledger, team, core, issue, by=BY)

    return LoopGuard(
        instance.ledger, LoopLimits(limits.machine_depth, limits.machine_jobs, limits.writes), instance.ops, tell
    )


def _token(instance: Instance, forge: str, login: str) -> str:
    """An account's token; raises Refused for an unreadable one, which is suspended like a revoked one."""
    try:
        return instance.secret_store.token(forge, login)
    except NoSecret as error:
        log.error("token_unusable error=%r", str(error))
        raise Refused(f"no token of {login} can be read here", status=401) from error


def mirrors(instance: Instance, purpose: str) -> Callable[[Repo], Mirror]:
    """Mirrors of repositories for one process, fetched as the account of the hive itself."""
    workspace = MirrorCache(instance.settings.state / "mirrors" / purpose)
    core = instance.settings.account("core")

    def mirror(repo: Repo) -> Mirror:
        url = f"{instance.url(repo.forge)}/{instance.names.current(repo).path}.git"
        return workspace.mirror(repo, url, Login(core, instance.secret_store.token(repo.forge, core)))

    return mirror
