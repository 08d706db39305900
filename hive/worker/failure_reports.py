"""What is told of work that was given up: on the pull request that waits for a verdict, else to the operators in one issue a day.

Nothing is told of what is gone, of what a newer look stands for, nor of a telling that failed.
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
DEED_TITLE = "🔴 {login} could not: {kind} in {repo}"
DEED = """\
{error}

It is not tried again. The deed was owed for {where} under the key {key}; more of its kind on this day is in the audit log only.
"""
TRIED = "🔴 {login} tried {times} times to do something here ({kind}), and the forge never let it through. It is not tried again."
LOOK_TITLE = "🔴 The bot {bot} failed at {kind}"
LOOK = """\
{error}

It is not tried again. The look (`job:{job}`) was owed for {where}; more of its kind on this day is in the audit log only.
"""
NOT_LOOKED_AT = """\
🔴 **Not looked at** · `{context}` at `{sha}`

{error}

It is not tried again by itself: push a commit, or say `/review`.
"""
NOT_LOOKED_AT_STATUS = "🔴 not looked at: {error}"

OF_A_HEAD = (PullChanged, ReviewAsked)
"""Events after which whoever gives verdicts owes one."""


@dataclass(frozen=True, slots=True)
class ReviewTarget:
    """The pull request that a look was for: as the forge shows it, if it does, and the commit status that waits for its verdict."""

    context: str
    pull: PullRequest | None


@dataclass(frozen=True, slots=True)
class FailureReporter:
    """Enqueues what is told; `core` is whose words they are, `ops` where a team's operators are told."""

    ledger: Ledger
    core: str
    ops: Callable[[str], Repo]
    teams: Collection[str]

    def effect_failed(self, effect: Effect, where: str, error: ForgeError) -> None:
        """Tell of a deed that cannot be done: once a day for an account, a kind and a repository."""
        ours = effect.kind == OpenIssue.WIRE and effect.key.startswith(f"{BY}:")
        if ours or isinstance(error, NotFound):
            return  # what is told could not be told, or its subject is gone: that needs nobody
        subject = where.partition("#")[0]
        title = DEED_TITLE.format(login=effect.actor, kind=_words(effect.kind), repo=subject.partition(":")[2])
        body = DEED.format(error=code(str(error)), where=code(where), key=code(effect.key))
        self._open_issue(effect.team, title, body, f"{effect.actor}:{effect.kind}:{subject}")
        if isinstance(error, Unavailable) and effect.ref and not effect.key.startswith(f"{BY}:"):
            said = TRIED.format(login=effect.actor, kind=_words(effect.kind), times=effect.attempts)
            key = f"tried:{effect.ref}:{effect.actor}:{effect.kind}:{self._day()}"
            self._enqueue(effect.team, PostAnswer(Ref.parse(effect.ref), said, key=key))

    def job_failed(self, job: Job, error: Exception, subject: ReviewTarget | None = None) -> None:
        """Tell of a look that was given up; belongs into the transaction that says so of its job.

        Who waits for a verdict of `subject` is told there, once for a head; of all else the operators, once a day for a bot
        and a kind of event.
        """
        if job.team not in self.teams or self.ledger.hopeless.is_outlived(job):
            return
        if subject is not None and isinstance(job.event, OF_A_HEAD) and self._post_verdict(job, subject, error):
            return
        of_ours = job.event.ref.repo == self.ops(job.team) and not job.by_person
        if of_ours or isinstance(error, NotFound):
            return
        kind = type(job.event).WIRE
        body = LOOK.format(error=code(describe(error)), job=job.id, where=code(str(job.event.ref)))
        self._open_issue(
            job.team, LOOK_TITLE.format(bot=job.bot, kind=_words(kind)), body, f"look:{job.bot}:{kind}", job
        )

    def _post_verdict(self, job: Job, subject: ReviewTarget, error: Exception) -> bool:
        """Say on a pull request that its head was not looked at; False if nobody knows which head it has."""
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
        says = NOT_LOOKED_AT_STATUS.format(error=" ".join(shown(describe(error)).split()))[:MAX_DESCRIPTION]
        status = CommitStatus(context, State.ERROR, says, pull.html_url if pull is not None else "")
        key, before = f"not-looked-at:{ref}:{context}", last.head_sha if last is not None else ""
        verdict = SetVerdict(ref, head, base, base_sha, status, key=f"{key}:{job.id}", before=before)
        words = NOT_LOOKED_AT.format(context=context, sha=head[:7], error=code(describe(error))).strip()
        for action in (verdict, PostComment(ref, words, key=f"{key}:{head}")):
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
    """An error in words: a forge's are words already, those of a bot's fault need its name. At the most 300 characters."""
    words = str(error) if isinstance(error, ForgeError) else f"{type(error).__name__}: {error}"
    return words[:300]


def _words(wire_name: str) -> str:
    return wire_name.replace("_", " ")
