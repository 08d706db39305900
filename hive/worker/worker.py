"""The worker: runs bots on jobs, stores their intents, has them executed. Touches no container.

A job and its effects are stored in one transaction. A bot that fails affects no other: its job is
retried or fails, and no other job waits for it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bots.bot import KeyClash, NotGranted
from bots.intents import Intent
from forge.events import PullChanged
from forge.models import Issue, Ref
from forge.protocol import ForgeError, NotFound, Unavailable
from hive import backoff
from hive.ledger import Act, Job, StaleLease
from hive.ledger.errors import STORE_ERRORS, is_unavailable
from hive.ledger.jobs import LEASE_SECONDS, MAX_ATTEMPTS, MAX_DEATHS
from hive.outbox.enqueue import enqueue
from hive.outbox.subject_state import UNSEEN, SubjectState
from hive.poller import REFRESH
from hive.replay import Recording, recorded
from hive.supervisor.heartbeat import Heartbeat, Loops
from hive.worker.burst_guard import BurstGuard
from hive.worker.dispatch import BATCH
from hive.worker.failure_reports import ReviewTarget
from hive.worker.worker_deps import WorkerDeps

log = logging.getLogger("hive.worker.worker")

JOB = "job"
EFFECT = "effect"
HEARTBEAT = "beat"
HEARTBEAT_SECONDS = 10.0
"""How often the job threads are asked for a heartbeat: by a task like any other, so that it proves that tasks run."""

BACKSTOP_SECONDS = 1.0
"""How often the ledger is scanned for due rows without a wake-up, and how late a stop is noticed."""

OF_A_HEAD = (PullChanged,)
"""Events whose jobs are superseded by a newer one: what was found on an older head is not posted."""

BOT_FAULTS = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError),
)
"""Exceptions of a faulty bot; they fail its job."""


class WorkerCrashed(Exception):
    """The worker process died at every attempt of a job."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """The effects of a job, the issues that it read, and the next job if it was claimed in the same transaction."""

    effects: tuple[int, ...] = ()
    seen: dict[Ref, Issue] = field(default_factory=dict)
    next_job: Job | None = None


NOTHING = JobResult()


@dataclass(slots=True)
class _BackstopState:
    """When the backstop last did its periodic work, and how many deliveries its last pass read."""

    read: int = BATCH
    """A full batch at first, so that deliveries left by a dead worker need no wake-up."""
    scanned: float = -math.inf
    renewed: float = field(default_factory=time.monotonic)
    asked: float = -math.inf


class Worker:
    """Runs jobs and effects until it is stopped."""

    def __init__(self, deps: WorkerDeps) -> None:
        self._deps = deps
        self._running: dict[int, Job] = {}
        self._stranded: deque[Job] = deque()
        self._round = _BackstopState()
        self._threads = 1
        self._burst_guard = BurstGuard()

    def serve(self, *, threads: int, stop: threading.Event, loops: Loops | None = None) -> None:
        """Work until `stop` is set; jobs that run then are finished, all others stay in the ledger."""
        loops = loops or Loops(None, "work", stop)
        self._deps.wakeup.listen()
        self._deps.run_display.reset()
        self._threads = threads
        backstop = threading.Thread(target=loops.run, args=("backstop", self._backstop), name="backstop")
        backstop.start()
        jobs = loops.heartbeat("jobs", every=HEARTBEAT_SECONDS)
        handlers: dict[str, Callable[[int], None]] = {
            JOB: enduring(loops, lambda _: self.drain(stop)),
            EFFECT: enduring(loops, self.apply),
            HEARTBEAT: lambda _: jobs.beat(),
        }
        self._deps.queue.serve(handlers, workers=threads, stop=stop, ready=self._due_jobs)
        backstop.join()
        self._deps.wakeup.close()

    def drain(self, stop: threading.Event) -> None:
        """Drain the queue: claim and run due jobs by priority until none is left. A wake-up names no job."""
        claimed: Job | None = None
        while not stop.is_set() or claimed is not None:
            job = claimed or self._claim_next()
            if job is None:
                return
            claimed = self._run(job, claim_next=not stop.is_set())

    def _claim_next(self) -> Job | None:
        return self._deps.ledger.jobs.claim_next(self._deps.ceiling, alone=self._burst_guard.is_active)

    def run_job(self, job_id: int) -> None:
        """Run one job now, if it can be claimed, and its effects."""
        job = self._deps.ledger.jobs.claim(job_id)
        if job is not None:
            self._run(job, claim_next=False)

    def _run(self, job: Job, *, claim_next: bool) -> Job | None:
        """Run a job and its effects; returns the next job if it was claimed along with the end of this one."""
        self._running[job.id] = job
        try:
            result = self._run_bot(job, claim_next=claim_next)
        except StaleLease as lost:
            log.warning("job_lost id=%d bot=%s why=%s", job.id, job.bot, lost)
            return None
        except STORE_ERRORS as error:
            if is_unavailable(error):
                self._stranded.append(job)
            raise
        finally:
            del self._running[job.id]
        for effect in result.effects:
            self._deps.executor.apply(effect, result.seen)
        return result.next_job

    def apply(self, effect_id: int) -> None:
        """Perform one effect, if it is still pending."""
        self._deps.executor.apply(effect_id)

    def check_outages(self) -> None:
        """Resume suspended work where the outage is over."""
        self._deps.outage_monitor.check()

    def _run_bot(self, job: Job, *, claim_next: bool) -> JobResult:
        """Let the bot handle the event; an empty result if that failed. Raises Lost."""
        try:
            return self._handle(job, claim_next=claim_next)
        except ForgeError as error:
            self._failed(job, error)
        except (NotGranted, KeyClash, *BOT_FAULTS) as error:
            self._give_up(job, error)
        return NOTHING

    def _handle(self, job: Job, *, claim_next: bool) -> JobResult:
        ledger = self._deps.ledger
        if self._deps.loop_guard.blocks_job(job):
            ledger.jobs.release(job, "its subject is suspended")
            return NOTHING
        if not self._deps.repository_guard.is_available(job.event.ref.repo):
            ledger.jobs.release(job, "its repository is not where it was")
            return NOTHING
        if job.bot == REFRESH:
            self._deps.refresh(job.event.ref)
            ledger.jobs.finish(job)
            return NOTHING
        bot = self._deps.bots.get(job.bot)
        if bot is None:
            raise LookupError(f"no bot named {job.bot} is configured any more")
        ctx, recording = recorded(self._deps.context(job.team, job.bot))
        intents = bot.handle(job.event, ctx)
        if intents:
            return self._store(job, intents, recording)
        return self._finish_noop(job, recording, claim_next=claim_next)

    def _store(self, job: Job, intents: list[Intent], recording: Recording) -> JobResult:
        """Store the effects of a job and finish it, in one transaction."""
        ledger, packed = self._deps.ledger, recording.pack()
        with ledger.transaction():
            if isinstance(job.event, OF_A_HEAD) and ledger.jobs.is_superseded(job):
                ledger.jobs.supersede(job)
                return NOTHING
            effects = []
            for intent in intents:
                actor = self._deps.account(job.bot, type(intent).WIRE)
                effects.append(enqueue(ledger, job.team, actor, intent, by=job.bot, job=job.id, depth=job.depth))
            ledger.recordings.store(job.id, job.team, packed)
            ledger.jobs.finish(job)
        return JobResult(tuple(effects), recording.issues)

    def _finish_noop(self, job: Job, recording: Recording, *, claim_next: bool) -> JobResult:
        """Finish a job without intents, and claim the next one in the same transaction.

        It is not synced to disk: if a power cut undoes it, the job runs again without any effect.
        """
        ledger, packed = self._deps.ledger, b"" if recording.is_empty else recording.pack()
        with ledger.transaction(durable=False):
            if packed:
                ledger.recordings.store(job.id, job.team, packed)
            ledger.jobs.finish(job)
            return JobResult(next_job=self._claim_next() if claim_next else None)

    def _failed(self, job: Job, error: ForgeError) -> None:
        """Suspend during an outage, supersede what is gone, retry what may pass, fail everything else."""
        login, ledger = self._deps.account(job.bot, ""), self._deps.ledger
        if self._deps.outage_monitor.suspend_if_outage(job.team, login, error):
            ledger.jobs.release(job, str(error))
            return
        if isinstance(error, NotFound) and self._deps.repository_guard.may_have_moved(job.event.ref.repo):
            error = Unavailable(str(error))
        if isinstance(error, NotFound):
            state = self._deps.outage_monitor.subject_state(job.team, login, job.event.ref)
            if state is SubjectState.GONE:
                ledger.jobs.supersede(job, "its subject is gone")
                return
            error = Unavailable(UNSEEN.format(login=login)) if state is SubjectState.HIDDEN else error
        if isinstance(error, Unavailable) and job.attempts < MAX_ATTEMPTS:
            ledger.jobs.retry(job, str(error), backoff.JOBS.delay(job.attempts, at_least=error.retry_after))
        else:
            self._give_up(job, error)

    def _give_up(self, job: Job, error: Exception) -> None:
        # A deleted issue is not the bot's fault.
        level = logging.INFO if isinstance(error, NotFound) else logging.ERROR
        log.log(level, "job_failed id=%d bot=%s event=%s error=%r", job.id, job.bot, job.event.key, error)
        subject, ledger = self._review_target(job), self._deps.ledger
        with ledger.transaction():
            ledger.jobs.fail(job, f"{type(error).__name__}: {error}")
            facts = {"key": job.event.key, "error": str(error)[:300]}
            ledger.audit.add(job.bot, Act.JOB_FAILED, team=job.team, ref=str(job.event.ref), **facts)
            if job.bot in self._deps.bots or job.bot == REFRESH:  # failures of a removed bot are not reported
                self._deps.failure_reports.job_failed(job, error, subject)

    def _review_target(self, job: Job) -> ReviewTarget | None:
        """The pull request that waits for a verdict from this job."""
        bot = self._deps.bots.get(job.bot)
        if bot is None or not bot.verdict:
            return None
        try:
            return ReviewTarget(bot.verdict, self._deps.context(job.team, job.bot).forge.pull(job.event.ref))
        except (ForgeError, LookupError):  # a team that is no longer configured has no forge
            return ReviewTarget(bot.verdict, None)

    def dispatch(self) -> None:
        """Dispatch new deliveries, and wake threads for their jobs."""
        self._wake_threads(self._deps.dispatcher.dispatch())

    def _backstop(self, heartbeat: Heartbeat) -> float:
        """Dispatch deliveries as they arrive; once a second look for due rows without a wake-up, or of a dead worker."""
        at = self._round
        notified = self._deps.wakeup.wait(0.0 if at.read == BATCH else BACKSTOP_SECONDS)
        made, at.read = self._deps.dispatcher.dispatch_batch()
        over = self._burst_guard.record(at.read)
        self._wake_threads(made)
        if notified and not made:
            self._deps.queue.wake()  # the wake-up was for a task that another process pushed
        now = time.monotonic()
        if over or now - at.scanned >= BACKSTOP_SECONDS:
            self._scan()
            at.scanned = now
        if now - at.renewed >= LEASE_SECONDS / 4:
            for job in list(self._running.values()):
                self._deps.ledger.jobs.renew(job)
            at.renewed = now
        if now - at.asked >= HEARTBEAT_SECONDS:
            self._deps.queue.push(HEARTBEAT, 0)
            at.asked = now
        heartbeat.beat()
        return 0.0

    def _wake_threads(self, jobs: list[int]) -> None:
        """Wake one thread a job, at most all of them: each drains the queue."""
        for job in jobs[: self._threads]:
            self._deps.queue.push(JOB, job)

    def _due_jobs(self) -> list[int]:
        """Due jobs, at most one a thread. Also opens the thread's connection, so that no delivery waits for that."""
        return self._deps.ledger.jobs.due(self._threads, self._deps.ceiling)

    def _release_stranded(self) -> None:
        """Release jobs that a ledger outage interrupted; they keep their attempts."""
        while self._stranded:
            with contextlib.suppress(StaleLease):
                self._deps.ledger.jobs.release(self._stranded[0], "the ledger was away")
            self._stranded.popleft()

    def fail_deadly(self) -> None:
        """Fail jobs that killed their worker at every attempt."""
        for job in self._deps.ledger.dead_letters.crashing():
            with contextlib.suppress(StaleLease):
                self._give_up(job, WorkerCrashed(f"its worker died at each of the last {MAX_DEATHS} attempts"))

    def _scan(self) -> None:
        self._release_stranded()
        self.fail_deadly()
        self.check_outages()
        self._deps.question_expiry.expire()
        self._deps.verdict_retrier.retry()
        self._deps.run_display.sync()
        self._deps.ledger.checkpoint()
        self._wake_threads(self._due_jobs())
        for effect in self._deps.ledger.effects.due():
            self._deps.queue.push(EFFECT, effect)


def enduring(loops: Loops, handler: Callable[[int], None]) -> Callable[[int], None]:
    """Make a handler survive a ledger outage: what it left undone stays in the ledger and is found again."""
    heartbeat = Loops(None, "work", loops.stop).heartbeat("jobs")

    def handle(row: int) -> None:
        with loops.enduring(heartbeat):
            handler(row)
            heartbeat.beat()

    return handle
