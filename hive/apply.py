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
from bots.types import Team, Verdict
from bots.words import plain_name, visible
from forge import keys
from forge.events import Event
from forge.protocol import Conflict, Forge, ForgeError, NotFound, Unavailable
from forge.types import Ref, ReviewState, State
from hive import deeds
from hive.asking import ask
from hive.codec import Codec
from hive.conversing import place, resolve_mended, say
from hive.deeds import ACTIONS, repo_of, where
from hive.ground import Ground
from hive.guards import Brake, Watch
from hive.home import AT_HOME, Done, Dropped, Home
from hive.ledger import Act, Effect, Ledger, Lost
from hive.missing import UNSEEN, Fate
from hive.states import show
from hive.telling import NotYet, fate, follow_up, react, reply
from hive.verdicts import VerdictBoard

log = logging.getLogger("hive.apply")

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


def owe(
    ledger: Ledger,
    team: str,
    actor: str,
    deed: deeds.Deed,
    *,
    by: str,
    job: int | None = None,
    turn: int | None = None,
    depth: int = 0,
) -> int:
    """Write down a deed that `actor`'s account owes; `by` is the bot or part of the hive that wants it.

    It came of a `job` or of a `turn`, in a chain of so many machines.
    """
    kind, ref = type(deed), where(deed)
    if isinstance(deed, intents.SetVerdict):
        ledger.verdicts.keep(deed)  # it counts from when it was decided: whoever looks next has to know of it
    return ledger.effects.owe(
        *(team, actor, kind.WIRE, f"{by}:{deed.key}", Codec(kind).dumps(deed)),
        job=job,
        turn=turn,
        ref=ref if "#" in ref else "",
        depth=depth,
    )


class Applier:
    """Does deeds, with the hands of the accounts they are owed by."""

    def __init__(
        self,
        ledger: Ledger,
        forges: Callable[[str, str], Forge],
        teams: Mapping[str, Team],
        *,
        marker_secret: bytes,
        watch: Watch,
        brake: Brake,
        gave_up: Callable[[Effect, str, ForgeError], None],
        listeners: Callable[[str, Event], Iterable[str]],
        ground: Ground,
    ) -> None:
        """`forges` gives the forge of a team as an account sees it now: (team, login).

        `gave_up` tells of a deed that is not tried again: (effect, where, error). `ground` tells where repositories are.
        """
        self._ledger = ledger
        self._ground = ground
        self._home = Home(ledger, listeners)
        self._board = VerdictBoard(ledger)
        self._watch = watch
        self._brake = brake
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

    def _try(self, effect: Effect, deed: deeds.Deed) -> None:
        if not isinstance(deed, AT_HOME) and self._brake.stops_deed(effect):
            self._ledger.effects.rest(effect, "its subject was stopped")
            return
        try:
            if isinstance(deed, AT_HOME):
                # With its record or not at all: done again, it might undo what was said since.
                with self._ledger.transaction():
                    self._record(effect, deed, self._home.do(effect, deed), state="done")
                return
            done = self._do(effect, deed)
        except Dropped as why:
            self._record(effect, deed, Done(detail={"why": str(why)}), state="superseded")
        except NotYet as why:
            self._ledger.effects.rest(effect, str(why), PATIENCE_SECONDS)
        except ForgeError as error:
            self._failed(effect, deed, error)
        else:
            self._record(effect, deed, done, state="done")

    def _record(self, effect: Effect, deed: deeds.Deed, done: Done, *, state: str) -> None:
        with self._ledger.transaction():
            result = done.result or {}
            self._ledger.effects.finish(
                effect, result, state=state, event_key=done.made, ref=str(result.get("ref", ""))
            )
            self._settle(deed, done.result or {})
            self._ledger.audit.add(
                effect.actor,
                effect.kind if state == "done" else Act.EFFECT_SUPERSEDED,
                team=effect.team,
                ref=where(deed),
                url=done.url,
                **{"key": effect.key, **(done.detail or {})},
            )

    def _settle(self, deed: deeds.Deed, result: Mapping[str, Any]) -> None:
        """What the ledger itself has to know of a deed, in the transaction that calls it done."""
        if not isinstance(deed, deeds.OpenPull) or not result:
            return
        if deed.proposes:
            self._ledger.runs.wait_for(deed.run, str(result["ref"]))
        else:
            self._ledger.runs.set_pull(deed.run, str(result["ref"]))

    def _failed(self, effect: Effect, deed: deeds.Deed, error: ForgeError) -> None:
        if self._watch.takes(effect.team, effect.actor, error):
            self._ledger.effects.rest(effect, str(error))
        elif effect.attempts < MAX_ATTEMPTS and self._heals(deed, error):
            self._postpone(effect, error)
        elif isinstance(error, NotFound) and effect.ref:
            self._not_found(effect, deed, error)
        else:
            self._fail(effect, deed, error)

    def _not_found(self, effect: Effect, deed: deeds.Deed, error: NotFound) -> None:
        """A deed on what is gone is moot; one on what its account may not see any more is tried again for a while."""
        became = self._watch.became_of(effect.team, effect.actor, Ref.parse(effect.ref))
        if became is Fate.GONE:
            self._record(effect, deed, Done(detail={"why": f"{effect.ref} is gone"}), state="superseded")
        elif became is Fate.HIDDEN and effect.attempts < MAX_ATTEMPTS:
            self._postpone(effect, Unavailable(UNSEEN.format(login=effect.actor)))
        else:
            self._fail(effect, deed, error)

    def _heals(self, deed: deeds.Deed, error: ForgeError) -> bool:
        if isinstance(error, NotFound):
            return self._ground.astray(repo_of(deed))
        return isinstance(error, Unavailable | Conflict)

    def _postpone(self, effect: Effect, error: ForgeError) -> None:
        asked = error.retry_after if isinstance(error, Unavailable) else 0.0
        delay = max(asked, min(60.0, 0.25 * 2**effect.attempts)) * random.uniform(0.8, 1.2)
        log.warning("effect_postponed id=%d kind=%s attempt=%d error=%r", *_facts(effect, error))
        self._ledger.effects.postpone(effect, str(error), delay)

    def _fail(self, effect: Effect, deed: deeds.Deed, error: ForgeError) -> None:
        log.error("effect_failed id=%d kind=%s attempt=%d error=%r", *_facts(effect, error))
        with self._ledger.transaction():
            self._ledger.effects.fail(effect, str(error))
            self._ledger.audit.add(
                effect.actor, Act.EFFECT_FAILED, team=effect.team, ref=where(deed), key=effect.key, error=str(error)
            )
            self._gave_up(effect, where(deed), error)

    def _do(self, effect: Effect, deed: deeds.Deed) -> Done:
        """One deed; the forge's own checks make a second try of it harmless."""
        if not self._ground.here(repo_of(deed)):
            raise NotYet("its repository is not where it was")
        forge = self._forges(effect.team, effect.actor)
        if effect.job is not None and of_the_open(deed) and not forge.issue(deed.ref).is_open:
            raise Dropped(f"{deed.ref} was closed meanwhile")
        match deed:
            case intents.PostComment() | deeds.Answer():
                if isinstance(deed, deeds.Answer) and self._is_echo(effect, deed):
                    raise Dropped("these were its last words here")
                to = place(forge, deed.to) if isinstance(deed, deeds.Answer) else None
                comment = say(forge, deed.ref, to, self._marked(deed.body, effect), self._marker(effect))
                made = keys.commented(deed.ref.repo.forge, comment.id)
                return Done(comment.html_url, {"id": comment.id, "url": comment.html_url}, made=made)
            case intents.React() | intents.Reply() | deeds.FollowUp():
                return self._tell(forge, effect, deed)
            case intents.SetLabels():
                forge.label(deed.ref, add=deed.add, remove=deed.remove)
                return Done(detail={"add": deed.add, "remove": deed.remove})
            case intents.ShowState():
                return show(forge, self._ledger, deed)
            case intents.Assign():
                forge.assign(deed.ref, [self._teams[effect.team].agents[agent].login for agent in deed.agents])
                return Done(detail={"agents": deed.agents})
            case intents.Unassign():
                forge.unassign(deed.ref, [self._teams[effect.team].agents[agent].login for agent in deed.agents])
                return Done(detail={"agents": deed.agents})
            case intents.PostReview():
                return self._review(forge, effect, deed)
            case intents.RequestReview():
                return ask(forge, deed, lambda words: self._marked(words, effect), self._marker(effect))
            case intents.OpenIssue():
                body = f"{deed.body}\n\n🙋 {self._teams[effect.team].call()}"
                body, marker = self._marked(body, effect), self._marker(effect)
                return Done(result={"ref": str(forge.open_issue(deed.repo, deed.title, body, marker=marker).ref)})
            case deeds.OpenPull():
                pull = forge.open_pull(deed.repo, head=deed.head, base=deed.base, title=deed.title, body=deed.body)
                return Done(pull.html_url, {"ref": str(pull.ref), "url": pull.html_url}, {"opened": str(pull.ref)})
            case intents.Close():
                forge.close(deed.ref)
                return Done()
            case deeds.ResolveMended():
                core = self._teams[effect.team].accounts["core"].login
                ended = resolve_mended(forge, lambda: self._forges(effect.team, core), self._ledger, deed)
                return Done(detail={"remarks": ended})
            case _:
                return self._do_code(forge, deed)

    def _is_echo(self, effect: Effect, deed: deeds.Answer) -> bool:
        """Whether an agent said just this last on the thread: at length, as a short answer may be the right one twice."""
        last = self._ledger.effects.last_done(effect)
        return last is not None and len(deed.body) >= LONG and Codec(deeds.Answer).loads(last.payload).body == deed.body

    def _do_code(self, forge: Forge, deed: deeds.Deed) -> Done:
        """What is done to commits, branches and tags."""
        match deed:
            case intents.SetStatus():
                forge.set_status(deed.repo, deed.sha, deed.status)
                return Done(detail={"context": deed.status.context, "says": deed.status.description, "sha": deed.sha})
            case intents.SetVerdict():
                context, is_open = deed.status.context, deed.status.state is State.PENDING
                shown = self._board.show(forge, deed.ref.repo, (deed.head_sha, deed.before), context)
                said = "" if is_open else shown.get(deed.head_sha, "")
                return Done(detail={"context": context, "says": said, "sha": deed.head_sha})
            case intents.ShowVerdict():
                self._board.show(forge, deed.ref.repo, deed.heads, deed.context)
                return Done(detail={"context": deed.context})
            case intents.TagDenied():
                return Done(detail={"tag": tag_denied(forge, deed)})
            case deeds.MakeTag():
                forge.tag(deed.repo, deed.name, deed.sha, deed.message)
                return Done(detail={"tag": deed.name})
            case deeds.CommitFile():
                forge.put_file(deed.repo, deed.path, deed.content.encode(), message=deed.message, branch=deed.branch)
                return Done(detail={"message": deed.message})
            case _:
                raise AssertionError(f"no executor for {type(deed).WIRE}")

    def _tell(self, forge: Forge, effect: Effect, deed: intents.React | intents.Reply | deeds.FollowUp) -> Done:
        """Say what became of other deeds of the same bot, or more on an issue that one of them opened."""
        if isinstance(deed, deeds.FollowUp):
            words = self._marked(deed.body, effect)
            told = follow_up(forge, self._ledger, deed, words, self._marker(effect))
            return Done(told.html_url, detail={"closed": deed.closes})
        if isinstance(deed, intents.React):
            return Done(detail={"reaction": react(forge, deed, fate(self._ledger, effect, deed.after))})
        became = [fate(self._ledger, effect, line.after) for line in deed.lines]
        comment, said = reply(forge, deed, became, self._mark(f"reply:{deed.ref}:{deed.comment_id}"))
        return Done(
            comment.html_url, {"id": comment.id, "url": comment.html_url}, {"says": said.partition("\n")[0][:200]}
        )

    def _review(self, forge: Forge, effect: Effect, deed: intents.PostReview) -> Done:
        pull = forge.pull(deed.ref)
        if not pull.is_open or pull.head_sha != deed.head_sha:
            raise Dropped(f"{deed.ref} is no longer at {deed.head_sha[:7]}")
        if deed.base not in {"", pull.base_branch}:
            raise Dropped(f"{deed.ref} no longer goes to {deed.base}")
        state = STATES[deed.verdict]
        if pull.author.login == effect.actor:  # a forge refuses to let anybody judge his own change
            state = ReviewState.COMMENT
        review = forge.review(
            deed.ref,
            head_sha=deed.head_sha,
            state=state,
            body=self._marked(deed.body, effect),
            comments=deed.comments,
            marker=self._marker(effect),
        )
        made = keys.reviewed(deed.ref.repo.forge, review.id)
        return Done(review.html_url, {"id": review.id}, {"verdict": deed.summary}, made)

    def _marker(self, effect: Effect) -> str:
        """A signed mark by which an own comment is found again after a crash; it proves nothing else."""
        return self._mark(effect.key)

    def _mark(self, key: str) -> str:
        digest = hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()[:24]
        return f"<!-- hive:{digest} -->"

    def _marked(self, body: str, effect: Effect) -> str:
        return f"{body}\n\n{self._marker(effect)}"


def of_the_open(deed: deeds.Deed) -> TypeGuard[intents.PostComment | intents.Assign]:
    """Whether a deed makes no sense on what was closed meanwhile: words about work to do, and work itself."""
    return isinstance(deed, intents.Assign) or (isinstance(deed, intents.PostComment) and not deed.if_closed)


def tag_denied(forge: Forge, deed: intents.TagDenied) -> str:
    """Tag a head that was refused, and return the tag's name: another head of the same pull request has its own."""
    message = f"denied by {plain_name(deed.by.login)}\n\n{visible(deed.why)[:1000]}".strip()
    name = f"denied/{deed.ref.number}"
    try:
        forge.tag(deed.ref.repo, name, deed.head_sha, message)
    except Conflict:
        name = f"{name}-{deed.head_sha[:7]}"
        forge.tag(deed.ref.repo, name, deed.head_sha, message)
    return name


def _facts(effect: Effect, error: ForgeError) -> tuple[int, str, int, str]:
    return effect.id, effect.kind, effect.attempts, str(error)[:200]
