"""The worker: lets bots look, stores what they want, and has it done. Touches no container.

A job and the effects it makes are one transaction. A bot that fails fails alone: its job is tried
again or given up, and no other waits for it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bots.bot import Bot, Context, KeyClash, NotGranted
from bots.intents import Intent
from forge.events import PullChanged
from forge.models import Ref
from forge.protocol import ForgeError, NotFound, Unavailable
from hive.ledger import Act, Ceiling, Job, Ledger, Lost
from hive.ledger.faults import STORE_ERRORS, is_away
from hive.ledger.jobs import LEASE_SECONDS, MAX_ATTEMPTS, MAX_DEATHS
from hive.outbox.enqueue import enqueue
from hive.outbox.executor import EffectExecutor
from hive.outbox.guards import RepositoryGuard
from hive.outbox.subject_state import UNSEEN, SubjectState
from hive.poller import REFRESH
from hive.queue.task_queue import Queue
from hive.queue.wakeup import Wakeup
from hive.replay import Recording, recorded
from hive.supervisor.heartbeat import Heartbeat, Loops
from hive.worker.burst_guard import BurstGuard
from hive.worker.dispatch import BATCH, Dispatcher
from hive.worker.failure_reports import FailureReporter, ReviewTarget
from hive.worker.label_sync import LabelSync
from hive.worker.loop_guard import LoopGuard
from hive.worker.outages import OutageMonitor

log = logging.getLogger("hive.worker.worker")

JOB = "job"
EFFECT = "effect"
HEARTBEAT = "beat"
BEAT_SECONDS = 10.0
"""How often the threads that look are asked for a sign of life: a task like any other, so that it comes when tasks are taken."""

BACKSTOP_SECONDS = 1.0
"""How often the ledger is scanned for rows that nobody was nudged for, and how late a stop is noticed."""

OF_A_HEAD = (PullChanged,)
"""Events after which what was seen of an older head is not worth saying."""

BOT_FAULTS = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError),
)
"""What a mistake in a bot looks like, and what is too much for it."""


class WorkerCrashed(Exception):
    """Whoever looked did not live to tell, at each attempt."""


@dataclass(frozen=True, slots=True)
class WorkerDeps:
    """What the worker needs of the house.

    `context` is what a bot sees of a team: (team, bot); `account` the login whose hand does what a
    bot wants, or, for no intent, whose eyes it has: (bot, intent). `look` finds out what happened at a
    ref that a delivery only named, and owes the jobs of it. `ground` tells where repositories are.
    """

    ledger: Ledger
    queue: Queue
    bots: Mapping[str, Bot]
    context: Callable[[str, str], Context]
    refresh: Callable[[Ref], object]
    account: Callable[[str, str], str]
    executor: EffectExecutor
    outage_monitor: OutageMonitor
    failure_reports: FailureReporter
    loop_guard: LoopGuard
    dispatcher: Dispatcher
    wakeup: Wakeup
    label_sync: LabelSync
    repository_guard: RepositoryGuard
    ceiling: Ceiling = field(default_factory=Ceiling)


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came of a look: deeds that are owed now, and the job that was taken next in the same breath."""

    effects: tuple[int, ...] = ()
    next_job: Job | None = None


NOTHING = JobResult()


@dataclass(slots=True)
class _BackstopState:
    """When the backstop last did what it does now and then, and how many deliveries it read in its last pass."""

    read: int = BATCH
    """As if more waited: what a worker that died held need not wait for a bell."""
    scanned: float = -math.inf
    renewed: float = field(default_factory=time.monotonic)
    asked: float = -math.inf


class Worker:
    """Takes jobs and effects until it is told to stop."""

    def __init__(self, deps: WorkerDeps) -> None:
        self._deps = deps
        self._held: dict[int, Job] = {}
        self._stranded: deque[Job] = deque()
        self._round = _BackstopState()
        self._threads = 1
        self._burst_guard = BurstGuard()

    def serve(self, *, threads: int, stop: threading.Event, loops: Loops | None = None) -> None:
        """Work until `stop` is set; what is held then is finished, and the rest left to who comes next."""
        loops = loops or Loops(None, "work", stop)
        self._deps.wakeup.listen()
        self._deps.label_sync.reset()
        self._threads = threads
        backstop = threading.Thread(target=loops.run, args=("backstop", self._backstop), name="backstop")
        backstop.start()
        looks = loops.heartbeat("looks", every=BEAT_SECONDS)
        handlers: dict[str, Callable[[int], None]] = {
            JOB: enduring(loops, lambda _: self.drain(stop)),
            EFFECT: enduring(loops, self.apply),
            HEARTBEAT: lambda _: looks.beat(),
        }
        self._deps.queue.serve(handlers, workers=threads, stop=stop, ready=self._due_jobs)
        backstop.join()
        self._deps.wakeup.close()

    def drain(self, stop: threading.Event) -> None:
        """Take what should be looked at first, one job after another, until nothing is due: a nudge names no winner."""
        following: Job | None = None
        while not stop.is_set() or following is not None:
            job = following or self._next()
            if job is None:
                return
            following = self._run(job, go_on=not stop.is_set())

    def _next(self) -> Job | None:
        return self._deps.ledger.jobs.claim_next(self._deps.ceiling, alone=self._burst_guard.is_active)

    def run_job(self, job_id: int) -> None:
        """Let a bot look at this event now, if that may be, and do what it wants."""
        job = self._deps.ledger.jobs.claim(job_id)
        if job is not None:
            self._run(job, go_on=False)

    def _run(self, job: Job, *, go_on: bool) -> Job | None:
        """Look, and do what is owed then; the job that follows, if it was taken along."""
        self._held[job.id] = job
        try:
            ended = self._run_bot(job, go_on=go_on)
        except Lost as lost:
            log.warning("job_lost id=%d bot=%s why=%s", job.id, job.bot, lost)
            return None
        except STORE_ERRORS as error:
            if is_away(error):
                self._stranded.append(job)
            raise
        finally:
            del self._held[job.id]
        for effect in ended.effects:
            self.apply(effect)
        return ended.next_job

    def apply(self, effect_id: int) -> None:
        """Do one deed, if it is still owed."""
        self._deps.executor.apply(effect_id)

    def check_outages(self) -> None:
        """Let go on what rested, where that has become possible."""
        self._deps.outage_monitor.check()

    def _run_bot(self, job: Job, *, go_on: bool) -> JobResult:
        """What came of a look; nothing if it failed. Raises Lost."""
        try:
            return self._handle(job, go_on=go_on)
        except ForgeError as error:
            self._failed(job, error)
        except (NotGranted, KeyClash, *BOT_FAULTS) as error:
            self._give_up(job, error)
        return NOTHING

    def _handle(self, job: Job, *, go_on: bool) -> JobResult:
        ledger = self._deps.ledger
        if self._deps.loop_guard.blocks_job(job):
            ledger.jobs.rest(job, "its subject was stopped")
            return NOTHING
        if not self._deps.repository_guard.is_available(job.event.ref.repo):
            ledger.jobs.rest(job, "its repository is not where it was")
            return NOTHING
        if job.bot == REFRESH:
            self._deps.refresh(job.event.ref)
            ledger.jobs.finish(job)
            return NOTHING
        bot = self._deps.bots.get(job.bot)
        if bot is None:
            raise LookupError(f"no bot named {job.bot} is configured any more")
        ctx, recording = recorded(self._deps.context(job.team, job.bot))
        wanted = bot.handle(job.event, ctx)
        return self._store(job, wanted, recording) if wanted else self._finish_noop(job, recording, go_on=go_on)

    def _store(self, job: Job, wanted: list[Intent], recording: Recording) -> JobResult:
        """The deeds that a bot wants and the end of its look, in one transaction: all of it or nothing."""
        ledger, packed = self._deps.ledger, recording.pack()
        with ledger.transaction():
            if isinstance(job.event, OF_A_HEAD) and ledger.jobs.is_overtaken(job):
                ledger.jobs.supersede(job)
                return NOTHING
            pending = []
            for intent in wanted:
                actor = self._deps.account(job.bot, type(intent).WIRE)
                pending.append(enqueue(ledger, job.team, actor, intent, by=job.bot, job=job.id, depth=job.depth))
            ledger.recordings.keep(job.id, job.team, packed)
            ledger.jobs.finish(job)
        return JobResult(tuple(pending))

    def _finish_noop(self, job: Job, recording: Recording, *, go_on: bool) -> JobResult:
        """The end of a look that wants nothing, and the beginning of the next one, if this worker goes on.

        An end that a power cut takes back is one more look, which nobody notices: it need not wait for the disk.
        """
        ledger, packed = self._deps.ledger, b"" if recording.is_empty else recording.pack()
        with ledger.transaction(durable=False):
            if packed:
                ledger.recordings.keep(job.id, job.team, packed)
            ledger.jobs.finish(job)
            return JobResult(next_job=self._next() if go_on else None)

    def _failed(self, job: Job, error: ForgeError) -> None:
        """What is gone needs nobody; what only time or an operator can heal is looked at again; the rest is given up."""
        login, ledger = self._deps.account(job.bot, ""), self._deps.ledger
        if self._deps.outage_monitor.suspend_if_outage(job.team, login, error):
            ledger.jobs.rest(job, str(error))
            return
        if isinstance(error, NotFound) and self._deps.repository_guard.may_have_moved(job.event.ref.repo):
            error = Unavailable(str(error))
        if isinstance(error, NotFound):
            became = self._deps.outage_monitor.subject_state(job.team, login, job.event.ref)
            if became is SubjectState.GONE:
                ledger.jobs.supersede(job, "what it was about is gone")
                return
            error = Unavailable(UNSEEN.format(login=login)) if became is SubjectState.HIDDEN else error
        if isinstance(error, Unavailable) and job.attempts < MAX_ATTEMPTS:
            ledger.jobs.postpone(job, str(error), max(error.retry_after, min(60.0, 0.5 * 2**job.attempts)))
        else:
            self._give_up(job, error)

    def _give_up(self, job: Job, error: Exception) -> None:
        # A ref that is gone (a deleted issue) is no fault of the bot; everything else is one to be seen.
        level = logging.INFO if isinstance(error, NotFound) else logging.ERROR
        log.log(level, "job_failed id=%d bot=%s event=%s error=%r", job.id, job.bot, job.event.key, error)
        subject, ledger = self._review_target(job), self._deps.ledger
        with ledger.transaction():
            ledger.jobs.fail(job, f"{type(error).__name__}: {error}")
            facts = {"key": job.event.key, "error": str(error)[:300]}
            ledger.audit.add(job.bot, Act.JOB_FAILED, team=job.team, ref=str(job.event.ref), **facts)
            if (
                job.bot in self._deps.bots or job.bot == REFRESH
            ):  # a bot that was taken out of the configuration is missed by nobody
                self._deps.failure_reports.job_failed(job, error, subject)

    def _review_target(self, job: Job) -> ReviewTarget | None:
        """The pull request of a look from which a verdict is waited for."""
        bot = self._deps.bots.get(job.bot)
        if bot is None or not bot.verdict:
            return None
        try:
            return ReviewTarget(bot.verdict, self._deps.context(job.team, job.bot).forge.pull(job.event.ref))
        except (ForgeError, LookupError):  # a team that is no longer configured has no forge
            return ReviewTarget(bot.verdict, None)

    def dispatch(self) -> None:
        """Read the deliveries that came, and nudge for the jobs they made."""
        self._wake_threads(self._deps.dispatcher.dispatch())

    def _backstop(self, heartbeat: Heartbeat) -> float:
        """Read what comes as soon as the bell rings; nudge for rows that nobody was nudged for, or whose worker died."""
        at = self._round
        notified = self._deps.wakeup.wait(0.0 if at.read == BATCH else BACKSTOP_SECONDS)
        made, at.read = self._deps.dispatcher.dispatch_batch()
        over = self._burst_guard.record(at.read)
        self._wake_threads(made)
        if notified and not made:
            self._deps.queue.wake()  # it rang for what another process pushed
        now = time.monotonic()
        if over or now - at.scanned >= BACKSTOP_SECONDS:
            self._scan()
            at.scanned = now
        if now - at.renewed >= LEASE_SECONDS / 4:
            for job in list(self._held.values()):
                self._deps.ledger.jobs.renew(job)
            at.renewed = now
        if now - at.asked >= BEAT_SECONDS:
            self._deps.queue.push(HEARTBEAT, 0)
            at.asked = now
        heartbeat.beat()
        return 0.0

    def _wake_threads(self, jobs: list[int]) -> None:
        """Wake as many workers as there are jobs: each goes on by itself until nothing is due."""
        for job in jobs[: self._threads]:
            self._deps.queue.push(JOB, job)

    def _due_jobs(self) -> list[int]:
        """As many jobs as there are workers; it also makes a thread's connection, so that no delivery waits for that."""
        return self._deps.ledger.jobs.due(self._threads, self._deps.ceiling)

    def _release_stranded(self) -> None:
        """Looks that the ledger broke off wait again, and have lost no attempt."""
        while self._stranded:
            with contextlib.suppress(Lost):
                self._deps.ledger.jobs.rest(self._stranded[0], "the ledger was away")
            self._stranded.popleft()

    def fail_deadly(self) -> None:
        """Looks that killed their worker each time are given up."""
        for job in self._deps.ledger.hopeless.deadly():
            with contextlib.suppress(Lost):
                self._give_up(job, WorkerCrashed(f"its worker died at each of the last {MAX_DEATHS} attempts"))

    def _scan(self) -> None:
        self._release_stranded()
        self.fail_deadly()
        self.check_outages()
        self._deps.label_sync.sync()
        self._deps.ledger.checkpoint()
        self._wake_threads(self._due_jobs())
        for effect in self._deps.ledger.effects.due():
            self._deps.queue.push(EFFECT, effect)


def enduring(loops: Loops, handler: Callable[[int], None]) -> Callable[[int], None]:
    """A handler for which a ledger that is away is no error: whatever it should have done is owed, and found again."""
    heartbeat = Loops(None, "work", loops.stop).heartbeat("looks")

    def handle(row: int) -> None:
        with loops.enduring(heartbeat):
            handler(row)
            heartbeat.beat()

    return handle
