"""The only writer to a forge: takes what is owed from the ledger and does it, once.

A deed is confirmed by what the forge then says; one that the world has overtaken is dropped, one
that could not be tried is tried again, one that is refused stops and is recorded.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard

from bots import intents
from bots.markdown import plain_name, visible
from bots.models import Team, Verdict
from forge import dedup_keys
from forge.events import Event
from forge.models import Ref, ReviewState, State
from forge.protocol import Conflict, Forge, ForgeError, NotFound, Unavailable
from hive.codec import Codec
from hive.ledger import Act, Effect, Ledger, Lost
from hive.outbox import actions
from hive.outbox.actions import ACTIONS, repo_of, subject_of
from hive.outbox.conversations import post, reachable, resolve_fixed
from hive.outbox.guards import OutagePolicy, WriteGuard
from hive.outbox.local_actions import LOCAL_ACTIONS, LocalExecutor, Result, Superseded
from hive.outbox.replies import NotReady, follow_up, outcome, react, reply
from hive.outbox.repository_guard import RepositoryGuard
from hive.outbox.review_requests import request_review
from hive.outbox.state_labels import show
from hive.outbox.subject_state import UNSEEN, SubjectState
from hive.outbox.verdict_status import VerdictPublisher

log = logging.getLogger("hive.outbox.executor")

MAX_ATTEMPTS = 20
LONG = 80
"""Characters of an answer that is not said twice in a row."""
PATIENCE_SECONDS = 5.0
"""How long a deed that tells of others waits for them before it looks again."""


STATES = {
    Verdict.BLOCKED: ReviewState.REQUEST_CHANGES,
    Verdict.NOT_REVIEWED: ReviewState.REQUEST_CHANGES,
    Verdict.REMARKS: ReviewState.APPROVED,
    Verdict.GOOD: ReviewState.APPROVED,
}
"""How a verdict is said: a rejection blocks until the same account approves, so what is not red approves."""


def enqueue(
    ledger: Ledger,
    team: str,
    actor: str,
    action: actions.Action,
    *,
    by: str,
    job: int | None = None,
    turn: int | None = None,
    depth: int = 0,
) -> int:
    """Write down a deed that `actor`'s account owes; `by` is the bot or part of the hive that wants it.

    It came of a `job` or of a `turn`, in a chain of so many machines.
    """
    kind, ref = type(action), subject_of(action)
    if isinstance(action, intents.SetVerdict):
        ledger.verdicts.keep(action)  # it counts from when it was decided: whoever looks next has to know of it
    return ledger.effects.enqueue(
        *(team, actor, kind.WIRE, f"{by}:{action.key}", Codec(kind).dumps(action)),
        job=job,
        turn=turn,
        ref=ref if "#" in ref else "",
        depth=depth,
    )


class EffectExecutor:
    """Does deeds, with the hands of the accounts they are owed by."""

    def __init__(
        self,
        ledger: Ledger,
        forges: Callable[[str, str], Forge],
        teams: Mapping[str, Team],
        *,
        marker_secret: bytes,
        watch: OutagePolicy,
        write_guard: WriteGuard,
        gave_up: Callable[[Effect, str, ForgeError], None],
        listeners: Callable[[str, Event], Iterable[str]],
        repository_guard: RepositoryGuard,
    ) -> None:
        """`forges` gives the forge of a team as an account sees it now: (team, login).

        `gave_up` tells of a deed that is not tried again: (effect, where, error). `ground` tells where repositories are.
        """
        self._ledger = ledger
        self._repository_guard = repository_guard
        self._home = LocalExecutor(ledger, listeners)
        self._board = VerdictPublisher(ledger)
        self._watch = watch
        self._write_guard = write_guard
        self._gave_up = gave_up
        self._forges = forges
        self._teams = teams
        self._secret = marker_secret

    def apply(self, effect_id: int) -> None:
        """Do one deed if it is due; whatever happens is in the ledger afterwards."""
        effect = self._ledger.effects.claim(effect_id)
        if effect is None:
            return
        try:
            self._try(effect, Codec(ACTIONS[effect.kind]).loads(effect.payload))
        except Lost as lost:
            log.warning("effect_lost id=%d kind=%s why=%s", effect.id, effect.kind, lost)

    def _try(self, effect: Effect, action: actions.Action) -> None:
        if not isinstance(action, LOCAL_ACTIONS) and self._write_guard.blocks_action(effect):
            self._ledger.effects.rest(effect, "its subject was stopped")
            return
        try:
            if isinstance(action, LOCAL_ACTIONS):
                # With its record or not at all: done again, it might undo what was said since.
                with self._ledger.transaction():
                    self._record(effect, action, self._home.do(effect, action), state="done")
                return
            done = self._do(effect, action)
        except Superseded as why:
            self._record(effect, action, Result(detail={"why": str(why)}), state="superseded")
        except NotReady as why:
            self._ledger.effects.rest(effect, str(why), PATIENCE_SECONDS)
        except ForgeError as error:
            self._failed(effect, action, error)
        else:
            self._record(effect, action, done, state="done")

    def _record(self, effect: Effect, action: actions.Action, done: Result, *, state: str) -> None:
        with self._ledger.transaction():
            result = done.result or {}
            self._ledger.effects.finish(
                effect, result, state=state, event_key=done.made, ref=str(result.get("ref", ""))
            )
            self._settle(action, done.result or {})
            self._ledger.audit.add(
                effect.actor,
                effect.kind if state == "done" else Act.EFFECT_SUPERSEDED,
                team=effect.team,
                ref=subject_of(action),
                url=done.url,
                **{"key": effect.key, **(done.detail or {})},
            )

    def _settle(self, action: actions.Action, result: Mapping[str, Any]) -> None:
        """What the ledger itself has to know of a deed, in the transaction that calls it done."""
        if not isinstance(action, actions.OpenPull) or not result:
            return
        if action.proposes:
            self._ledger.runs.wait_for(action.run, str(result["ref"]))
        else:
            self._ledger.runs.set_pull(action.run, str(result["ref"]))

    def _failed(self, effect: Effect, action: actions.Action, error: ForgeError) -> None:
        if self._watch.takes(effect.team, effect.actor, error):
            self._ledger.effects.rest(effect, str(error))
        elif effect.attempts < MAX_ATTEMPTS and self._heals(action, error):
            self._postpone(effect, error)
        elif isinstance(error, NotFound) and effect.ref:
            self._not_found(effect, action, error)
        else:
            self._fail(effect, action, error)

    def _not_found(self, effect: Effect, action: actions.Action, error: NotFound) -> None:
        """A deed on what is gone is moot; one on what its account may not see any more is tried again for a while."""
        became = self._watch.became_of(effect.team, effect.actor, Ref.parse(effect.ref))
        if became is SubjectState.GONE:
            self._record(effect, action, Result(detail={"why": f"{effect.ref} is gone"}), state="superseded")
        elif became is SubjectState.HIDDEN and effect.attempts < MAX_ATTEMPTS:
            self._postpone(effect, Unavailable(UNSEEN.format(login=effect.actor)))
        else:
            self._fail(effect, action, error)

    def _heals(self, action: actions.Action, error: ForgeError) -> bool:
        if isinstance(error, NotFound):
            return self._repository_guard.astray(repo_of(action))
        return isinstance(error, Unavailable | Conflict)

    def _postpone(self, effect: Effect, error: ForgeError) -> None:
        asked = error.retry_after if isinstance(error, Unavailable) else 0.0
        delay = max(asked, min(60.0, 0.25 * 2**effect.attempts)) * random.uniform(0.8, 1.2)
        log.warning("effect_postponed id=%d kind=%s attempt=%d error=%r", *_facts(effect, error))
        self._ledger.effects.postpone(effect, str(error), delay)

    def _fail(self, effect: Effect, action: actions.Action, error: ForgeError) -> None:
        log.error("effect_failed id=%d kind=%s attempt=%d error=%r", *_facts(effect, error))
        with self._ledger.transaction():
            self._ledger.effects.fail(effect, str(error))
            self._ledger.audit.add(
                effect.actor,
                Act.EFFECT_FAILED,
                team=effect.team,
                ref=subject_of(action),
                key=effect.key,
                error=str(error),
            )
            self._gave_up(effect, subject_of(action), error)

    def _do(self, effect: Effect, action: actions.Action) -> Result:
        """One deed; the forge's own checks make a second try of it harmless."""
        if not self._repository_guard.here(repo_of(action)):
            raise NotReady("its repository is not where it was")
        forge = self._forges(effect.team, effect.actor)
        if effect.job is not None and needs_open_subject(action) and not forge.issue(action.ref).is_open:
            raise Superseded(f"{action.ref} was closed meanwhile")
        match action:
            case intents.PostComment() | actions.PostAnswer():
                if isinstance(action, actions.PostAnswer) and self._is_echo(effect, action):
                    raise Superseded("these were its last words here")
                to = reachable(forge, action.to) if isinstance(action, actions.PostAnswer) else None
                comment = post(forge, action.ref, to, self._marked(action.body, effect), self._marker(effect))
                made = dedup_keys.commented(action.ref.repo.forge, comment.id)
                return Result(comment.html_url, {"id": comment.id, "url": comment.html_url}, made=made)
            case intents.React() | intents.Reply() | actions.AddToIssue():
                return self._tell(forge, effect, action)
            case intents.SetLabels():
                forge.label(action.ref, add=action.add, remove=action.remove)
                return Result(detail={"add": action.add, "remove": action.remove})
            case intents.SyncStateLabels():
                return show(forge, self._ledger, action)
            case intents.Assign():
                forge.assign(action.ref, [self._teams[effect.team].agents[agent].login for agent in action.agents])
                return Result(detail={"agents": action.agents})
            case intents.Unassign():
                forge.unassign(action.ref, [self._teams[effect.team].agents[agent].login for agent in action.agents])
                return Result(detail={"agents": action.agents})
            case intents.PostReview():
                return self._review(forge, effect, action)
            case intents.RequestReview():
                return request_review(forge, action, lambda words: self._marked(words, effect), self._marker(effect))
            case intents.OpenIssue():
                body = f"{action.body}\n\n🙋 {self._teams[effect.team].call()}"
                body, marker = self._marked(body, effect), self._marker(effect)
                return Result(result={"ref": str(forge.open_issue(action.repo, action.title, body, marker=marker).ref)})
            case actions.OpenPull():
                pull = forge.open_pull(
                    action.repo, head=action.head, base=action.base, title=action.title, body=action.body
                )
                return Result(pull.html_url, {"ref": str(pull.ref), "url": pull.html_url}, {"opened": str(pull.ref)})
            case intents.Close():
                forge.close(action.ref)
                return Result()
            case actions.ResolveFixedConversations():
                core = self._teams[effect.team].accounts["core"].login
                ended = resolve_fixed(forge, lambda: self._forges(effect.team, core), self._ledger, action)
                return Result(detail={"remarks": ended})
            case _:
                return self._do_code(forge, action)

    def _is_echo(self, effect: Effect, action: actions.PostAnswer) -> bool:
        """Whether an agent said just this last on the thread: at length, as a short answer may be the right one twice."""
        last = self._ledger.effects.last_done(effect)
        return (
            last is not None
            and len(action.body) >= LONG
            and Codec(actions.PostAnswer).loads(last.payload).body == action.body
        )

    def _do_code(self, forge: Forge, action: actions.Action) -> Result:
        """What is done to commits, branches and tags."""
        match action:
            case intents.SetStatus():
                forge.set_status(action.repo, action.sha, action.status)
                return Result(
                    detail={"context": action.status.context, "says": action.status.description, "sha": action.sha}
                )
            case intents.SetVerdict():
                context, is_open = action.status.context, action.status.state is State.PENDING
                shown = self._board.show(forge, action.ref.repo, (action.head_sha, action.before), context)
                said = "" if is_open else shown.get(action.head_sha, "")
                return Result(detail={"context": context, "says": said, "sha": action.head_sha})
            case intents.RefreshVerdict():
                self._board.show(forge, action.ref.repo, action.heads, action.context)
                return Result(detail={"context": action.context})
            case intents.TagDenied():
                return Result(detail={"tag": tag_denied(forge, action)})
            case actions.CreateTag():
                forge.tag(action.repo, action.name, action.sha, action.message)
                return Result(detail={"tag": action.name})
            case actions.CommitFile():
                forge.put_file(
                    action.repo, action.path, action.content.encode(), message=action.message, branch=action.branch
                )
                return Result(detail={"message": action.message})
            case _:
                raise AssertionError(f"no executor for {type(action).WIRE}")

    def _tell(self, forge: Forge, effect: Effect, action: intents.React | intents.Reply | actions.AddToIssue) -> Result:
        """Say what became of other deeds of the same bot, or more on an issue that one of them opened."""
        if isinstance(action, actions.AddToIssue):
            words = self._marked(action.body, effect)
            told = follow_up(forge, self._ledger, action, words, self._marker(effect))
            return Result(told.html_url, detail={"closed": action.closes})
        if isinstance(action, intents.React):
            return Result(detail={"reaction": react(forge, action, outcome(self._ledger, effect, action.after))})
        became = [outcome(self._ledger, effect, line.after) for line in action.lines]
        comment, said = reply(forge, action, became, self._mark(f"reply:{action.ref}:{action.comment_id}"))
        return Result(
            comment.html_url, {"id": comment.id, "url": comment.html_url}, {"says": said.partition("\n")[0][:200]}
        )

    def _review(self, forge: Forge, effect: Effect, action: intents.PostReview) -> Result:
        pull = forge.pull(action.ref)
        if not pull.is_open or pull.head_sha != action.head_sha:
            raise Superseded(f"{action.ref} is no longer at {action.head_sha[:7]}")
        if action.base not in {"", pull.base_branch}:
            raise Superseded(f"{action.ref} no longer goes to {action.base}")
        state = STATES[action.verdict]
        if pull.author.login == effect.actor:  # a forge refuses to let anybody judge his own change
            state = ReviewState.COMMENT
        review = forge.review(
            action.ref,
            head_sha=action.head_sha,
            state=state,
            body=self._marked(action.body, effect),
            comments=action.comments,
            marker=self._marker(effect),
        )
        made = dedup_keys.reviewed(action.ref.repo.forge, review.id)
        return Result(review.html_url, {"id": review.id}, {"verdict": action.summary}, made)

    def _marker(self, effect: Effect) -> str:
        """A signed mark by which an own comment is found again after a crash; it proves nothing else."""
        return self._mark(effect.key)

    def _mark(self, key: str) -> str:
        digest = hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()[:24]
        return f"<!-- hive:{digest} -->"

    def _marked(self, body: str, effect: Effect) -> str:
        return f"{body}\n\n{self._marker(effect)}"


def needs_open_subject(action: actions.Action) -> TypeGuard[intents.PostComment | intents.Assign]:
    """Whether a deed makes no sense on what was closed meanwhile: words about work to do, and work itself."""
    return isinstance(action, intents.Assign) or (isinstance(action, intents.PostComment) and not action.if_closed)


def tag_denied(forge: Forge, action: intents.TagDenied) -> str:
    """Tag a head that was refused, and return the tag's name: another head of the same pull request has its own."""
    message = f"denied by {plain_name(action.by.login)}\n\n{visible(action.why)[:1000]}".strip()
    name = f"denied/{action.ref.number}"
    try:
        forge.tag(action.ref.repo, name, action.head_sha, message)
    except Conflict:
        name = f"{name}-{action.head_sha[:7]}"
        forge.tag(action.ref.repo, name, action.head_sha, message)
    return name


def _facts(effect: Effect, error: ForgeError) -> tuple[int, str, int, str]:
    return effect.id, effect.kind, effect.attempts, str(error)[:200]
