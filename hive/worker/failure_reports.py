"""Report work that failed for good: on the pull request that waits for a verdict, else in one issue a day.

Nothing is reported about deleted subjects, jobs that a newer job replaces, and failed reports.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from bots.intents import OpenIssue, PostComment, SetVerdict
from bots.markdown import code, plain, shown
from forge.events import PullChanged, ReviewAsked
from forge.models import CommitStatus, PullRequest, Ref, Repo, State
from forge.protocol import ForgeError, NotFound, Unavailable
from hive.ledger import Effect, Job, Ledger
from hive.outbox.actions import Action, PostAnswer
from hive.outbox.enqueue import enqueue
from hive.outbox.verdict_status import MAX_DESCRIPTION

BY = "hive"
EFFECT_TITLE = "🔴 {login} could not: {kind} in {repo}"
EFFECT = """\
{error}

It is not retried. The action was for {where} (key {key}); further failures of this kind today are in the audit log only.
"""
GAVE_UP = (
    "🔴 {login} tried {times} times to do something here ({kind}), and the forge never accepted it. It is not retried."
)
JOB_TITLE = "🔴 The bot {bot} failed at {kind}"
JOB = """\
{error}

It is not retried. The job (`job:{job}`) was for {where}; further failures of this kind today are in the audit log only.
"""
NOT_REVIEWED = """\
🔴 **Not reviewed** · `{context}` at `{sha}`

{error}

It is reviewed again by itself after a while, and at once if you push a commit or comment `/review`.
"""
NOT_REVIEWED_STATUS = "🔴 not reviewed: {error}"

OF_A_HEAD = (PullChanged, ReviewAsked)
"""Events after which a bot that gives verdicts must give one."""


@dataclass(frozen=True, slots=True)
class ReviewTarget:
    """The pull request of a failed job, and the commit status that waits for its verdict; `pull` is None if unreadable."""

    context: str
    pull: PullRequest | None


@dataclass(frozen=True, slots=True)
class FailureReporter:
    """Enqueues reports as the account `core`; `ops` is the repository where a team's operators are notified."""

    ledger: Ledger
    core: str
    ops: Callable[[str], Repo]
    teams: Collection[str]

    def effect_failed(self, effect: Effect, where: str, error: ForgeError) -> None:
        """Report an action that failed: once a day for each account, kind and repository."""
        is_report = effect.kind == OpenIssue.WIRE and effect.key.startswith(f"{BY}:")
        if is_report or isinstance(error, NotFound):
            return
        subject = where.partition("#")[0]
        title = EFFECT_TITLE.format(login=effect.actor, kind=_words(effect.kind), repo=subject.partition(":")[2])
        body = EFFECT.format(error=code(str(error)), where=code(where), key=code(effect.key))
        self._open_issue(effect.team, title, body, f"{effect.actor}:{effect.kind}:{subject}")
        if isinstance(error, Unavailable) and effect.ref and not effect.key.startswith(f"{BY}:"):
            text = GAVE_UP.format(login=effect.actor, kind=_words(effect.kind), times=effect.attempts)
            key = f"gave-up:{effect.ref}:{effect.actor}:{effect.kind}:{self._day()}"
            self._enqueue(effect.team, PostAnswer(Ref.parse(effect.ref), text, key=key))

    def job_failed(self, job: Job, error: Exception, subject: ReviewTarget | None = None) -> None:
        """Report a job that failed; call it in the transaction that marks the job as failed.

        If `subject` waits for a verdict, the report is posted there, once a head. Otherwise the operators are notified
        once a day for each bot and kind of event.
        """
        if job.team not in self.teams or self.ledger.dead_letters.is_replaced(job):
            return
        if subject is not None and isinstance(job.event, OF_A_HEAD) and self._post_verdict(job, subject, error):
            return
        is_own = job.event.ref.repo == self.ops(job.team) and not job.by_person
        if is_own or isinstance(error, NotFound):
            return
        kind = type(job.event).WIRE
        body = JOB.format(error=code(describe(error)), job=job.id, where=code(str(job.event.ref)))
        self._open_issue(job.team, JOB_TITLE.format(bot=job.bot, kind=_words(kind)), body, f"job:{job.bot}:{kind}", job)

    def _post_verdict(self, job: Job, subject: ReviewTarget, error: Exception) -> bool:
        """Report on a pull request that its head was not reviewed; False if its head is unknown."""
        ref, context, pull = job.event.ref, subject.context, subject.pull
        if pull is not None and (pull.merged or not pull.is_open):
            return True
        last = self.ledger.verdicts.last(ref, context)
        if pull is not None:
            head, base, base_sha = pull.head_sha, pull.base_branch, pull.base_sha
        elif last is not None and not isinstance(error, NotFound):
            head, base, base_sha = last.head_sha, last.base, last.base_sha
        else:
            return False
        says = NOT_REVIEWED_STATUS.format(error=" ".join(shown(describe(error)).split()))[:MAX_DESCRIPTION]
        status = CommitStatus(context, State.ERROR, says, pull.html_url if pull is not None else "")
        key, before = f"not-reviewed:{ref}:{context}", last.head_sha if last is not None else ""
        verdict = SetVerdict(*(ref, head, base, base_sha, status), key=f"{key}:{job.id}", before=before, may_pass=True)
        text = NOT_REVIEWED.format(context=context, sha=head[:7], error=code(describe(error))).strip()
        for action in (verdict, PostComment(ref, text, key=f"{key}:{head}")):
            self._enqueue(job.team, action, job)
        return True

    def _open_issue(self, team: str, title: str, body: str, what: str, job: Job | None = None) -> None:
        issue = OpenIssue(self.ops(team), plain(title), body, key=f"gave-up:{what}:{self._day()}")
        self._enqueue(team, issue, job)

    def _enqueue(self, team: str, action: Action, job: Job | None = None) -> None:
        number, depth = (job.id, job.depth) if job is not None else (None, 0)
        enqueue(self.ledger, team, self.core, action, by=BY, job=number, depth=depth)

    def _day(self) -> str:
        return str(datetime.fromtimestamp(self.ledger.clock(), UTC).date())


def describe(error: Exception) -> str:
    """An error as a sentence of at most 300 characters; errors of a faulty bot bear their name."""
    text = str(error) if isinstance(error, ForgeError) else f"{type(error).__name__}: {error}"
    return text[:300]


def _words(wire_name: str) -> str:
    return wire_name.replace("_", " ")
