"""What the worker works with: the ledger, the bots, and who looks after what. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bots.bot import Bot, Context
from forge.models import Ref
from hive.ledger import ConcurrencyLimit, Ledger
from hive.outbox.executor import EffectExecutor
from hive.outbox.guards import RepositoryGuard
from hive.queue.task_queue import Queue
from hive.queue.wakeup import Wakeup
from hive.worker.dispatch import Dispatcher
from hive.worker.failure_reports import FailureReporter
from hive.worker.loop_guard import LoopGuard
from hive.worker.outages import OutageMonitor
from hive.worker.question_expiry import QuestionExpiry
from hive.worker.run_display import RunDisplay
from hive.worker.verdict_retrier import VerdictRetrier


@dataclass(frozen=True, slots=True)
class WorkerDeps:
    """What the worker needs.

    `context` is what a bot sees of a team: (team, bot). `account` is the login that performs an intent of a bot, or
    with an empty intent the login that it reads with: (bot, wire name). `refresh` finds out what happened at a ref
    that a delivery only named, and enqueues the jobs of it.
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
    run_display: RunDisplay
    question_expiry: QuestionExpiry
    verdict_retrier: VerdictRetrier
    repository_guard: RepositoryGuard
    ceiling: ConcurrencyLimit = field(default_factory=ConcurrencyLimit)
