"""Ask for a review, and answer one: dismiss a finding, or have it explained. Performs no I/O."""

from __future__ import annotations

from bots.commands import messages
from bots.commands.fix import bare_number
from bots.commands.invocation import CommandOutcome, Invocation, no, quoted, yes
from bots.intents import RequestBotReview
from bots.markdown import code, plain, prose
from bots.models import Level
from bots.review_intents import DismissFinding
from bots.review_rounds import FindingState, RememberedFinding

REVIEW_BOT = "review"
MAX_REASON = 500


def review(call: Invocation) -> CommandOutcome:
    """Review a pull request again; `full` says what earlier rounds withheld, and checks what they remember."""
    if call.named not in {"", "full"}:
        return no(call, messages.USAGE.format(form="/review [full]"))
    ref = call.comment.ref
    issue = call.ctx.forge.issue(ref)
    if not issue.is_pull:
        return no(call, messages.NO_PULL)
    if not issue.is_open:
        return no(call, messages.CLOSED.format(where=f"#{ref.number}"))
    sha = call.ctx.forge.pull(ref).head_sha
    asked = RequestBotReview(ref, call.comment.author, key=call.key("ask"), full=call.named == "full")
    return yes(call, messages.REVIEWING.format(sha=f"`{sha[:7]}`"), asked)


def dismiss(call: Invocation) -> CommandOutcome:
    """Dismiss a finding for its reason; the verdict is decided again."""
    found = _found(call, call.command.words[0], only_open=True)
    if isinstance(found, CommandOutcome):
        return found
    why = " ".join(call.command.words[1:])[:MAX_REASON]
    by, ref, item = call.comment.author, call.comment.ref, found.finding
    dismissed = DismissFinding(ref, found.number, found.context, item.rule, item.path, by, why, key=call.key("dismiss"))
    again = RequestBotReview(ref, by, key=call.key("again"), bot=REVIEW_BOT)
    what = messages.DISMISSED.format(number=found.number, what=plain(item.title), why=plain(why))
    return yes(call, what, dismissed, aside=(again,))


def explain(call: Invocation) -> CommandOutcome:
    """Tell all that is known of a finding."""
    found = _found(call, call.command.words[0], only_open=False)
    if isinstance(found, CommandOutcome):
        return found
    item = found.finding
    where = code(f"{item.path}:{item.line}" if item.line else item.path)
    text = messages.EXPLAINED.format(
        number=found.number,
        level=messages.LEVELS[item.effective_level],
        title=plain(item.title),
        where=where,
        why=" ".join(filter(None, map(prose, (item.why, item.evidence)))) or messages.NO_MORE,
        source=f"{plain(item.engine)} · {plain(item.rule)} · {item.category.value}",
        state=_state(found),
    )
    quick = item.level is Level.YELLOW and item.effective_level is Level.RED
    return yes(call, text + (messages.QUICK.format(seconds=item.fix_seconds) if quick else ""))


def _found(call: Invocation, word: str, *, only_open: bool) -> RememberedFinding | CommandOutcome:
    """The finding of a number, or the answer that there is none."""
    last = call.ctx.history.review(call.comment.ref)
    every = () if last is None else last.findings
    known = {str(each.number): each for each in every if each.is_open or not only_open}
    found = known.get(bare_number(word))
    if found is None:
        there = messages.THERE_ARE.format(numbers=", ".join(known)) if known else ""
        return no(call, messages.NO_FINDING.format(named=quoted(word), there=there))
    return found


def _state(found: RememberedFinding) -> str:
    text = messages.FINDING_STATES[found.state]
    by = plain(found.by) if found.state is FindingState.DISMISSED else ""
    return text.format(since=found.since, sha=found.head[:7], by=by, why=plain(found.why))
