"""What the progress comment of a run says, from what the host knows of it. Performs no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from bots.markdown import plain, prose
from forge.models import Ref, State
from hive.ledger import RunProgress, RunSpending, SuspensionReason
from hive.outbox.run_footer import footer

HEADING = "🐝 @{agent} · run {run} · {state}"
QUEUED = "⏳ **queued** since {since}"
WORKING = "🔨 **working** since {since}"
WAITING = "⏸️ **waiting**: {why}"
ASKING = "🙋 **waiting for an operator**: {why}"
DONE = "✅ **done**: {outcome}"
OVER = "🏁 **ended**: {outcome}"
AGAIN = "{why}, tried again at {time}"

ELSEWHERE = "its repository is not where it was"
FOR_REVIEW = "{ref} is being reviewed"
FOR_MERGE = "{ref} can be merged by an operator"
FOR_CONFIG = "{ref} needs a decision"
PARTLY = "{why}; what is not done is said there"
FOR_ANSWER = "it has asked a question, and waits for the answer until {until}"
FOR_ANSWER = "it has asked a question, and goes on with the answer"
FOR_WORD = "it has answered, and a comment here goes on with it"

LAST = {
    "blocked": "it cannot go on; its last comment says why",
    "failed": "its last turn failed; its last comment says why",
    "no-op": "it says that nothing needs to be changed",
    "bounced": "it says that this is not of its lane",
}
"""Why an operator is waited for, by the outcome of the last turn."""

OUTCOMES = {
    "merged": "merged",
    "closed": "closed without a merge",
    "begun again": "a new run has started over",
    "bounced": "reassigned",
}
"""The outcomes of runs in words; others are words already."""

READ = "read the issue"
CHANGE = "make the change"
CHECKS = "checks"
PULL = "pull request"
DRAFT = "pull request {ref}, a draft so far"
REVIEW = "review"
OWN = "**In @{agent}'s words**"
HOW = "<sub>What it did: `hive run {run}` on the hive's host.</sub>"


def progress_text(run: RunProgress, spent: RunSpending | None = None) -> str:
    """The whole comment, without its marker."""
    parts = [
        HEADING.format(agent=run.agent, run=run.id, state=state(run)),
        "\n".join(_box(text, is_done=is_done) for text, is_done in checklist(run)),
    ]
    if run.items:
        own = "\n".join(_box(plain(item.text), is_done=item.is_done) for item in run.items)
        parts.append(f"{OWN.format(agent=run.agent)}\n\n{own}")
    if used := usage(run, spent):
        parts.append(used)
    return "\n\n".join([*parts, HOW.format(run=run.id)])


def digest(run: RunProgress) -> str:
    """A digest of what people wait to see, then one of all that is said: counters and times change more often."""
    quiet = replace(run, steps=min(run.steps, 1), edits=0, commands=0, tokens_in=0, tokens_out=0, again_at=None)
    return ":".join(hashlib.sha256(progress_text(each).encode()).hexdigest()[:16] for each in (quiet, run))


def state(run: RunProgress) -> str:
    """What a run does or waits for, in one line."""
    if not run.is_open:
        line = DONE if run.outcome == "merged" else OVER
        return line.format(outcome=OUTCOMES.get(run.outcome, plain(run.outcome)))
    if run.suspended is not None:
        return WAITING.format(why=_why(run))
    if run.turn:
        return (WORKING if run.is_held else QUEUED).format(since=_time(run.since))
    if run.asks_until is not None:
        return ASKING.format(why=FOR_ANSWER.format(until=_time(run.asks_until)))
    if run.waits_for is not None:
        return ASKING.format(why=FOR_CONFIG.format(ref=f"{run.waits_for.repo.path}#{run.waits_for.number}"))
    if run.last == "asked":
        return WAITING.format(why=FOR_ANSWER)
    if run.blocked or run.last in LAST:
        return ASKING.format(why=plain(run.blocked) or LAST[run.last])
    if run.pull is None:
        return WAITING.format(why=FOR_WORD)
    why = (FOR_MERGE if run.verdict is State.SUCCESS else FOR_REVIEW).format(ref=_here(run, run.pull))
    return ASKING.format(why=PARTLY.format(why=why)) if run.last == "partial" else WAITING.format(why=why)


def checklist(run: RunProgress) -> Iterator[tuple[str, bool]]:
    """The steps that every run has, and whether each is done: by what the host knows, not by what the agent says."""
    yield READ, run.steps > 0
    done = _counted((run.edits, "edit"), (run.commands, "command"))
    yield _with(CHANGE, "" if run.pull else done), run.pull is not None
    yield _with(CHECKS, prose(run.checks)), run.pull is not None and not run.is_draft
    if run.pull is None:
        yield PULL, False
    elif run.is_draft:
        yield DRAFT.format(ref=_here(run, run.pull)), False
    else:
        yield f"{PULL} {_here(run, run.pull)}", True
    says = "" if run.verdict in (None, State.PENDING) else plain(run.verdict_says)
    yield _with(REVIEW, says), run.verdict is State.SUCCESS


def usage(run: RunProgress, spent: RunSpending | None) -> str:
    """What was used: what is booked, or steps and tokens where nothing is."""
    booked = footer(spent) if spent is not None else ""
    tokens = f"{short_count(run.tokens_in)} tokens read, {short_count(run.tokens_out)} written" if run.tokens_in else ""
    return booked or " · ".join(filter(None, (_counted((run.steps, "step")), tokens)))


def _why(run: RunProgress) -> str:
    if run.suspended is SuspensionReason.REPOSITORY_LOST:
        return ELSEWHERE
    why = plain(run.why)
    return why if run.again_at is None else AGAIN.format(why=why, time=_time(run.again_at))


def _here(run: RunProgress, ref: Ref) -> str:
    """A reference as it is written on the thread of the run."""
    return f"#{ref.number}" if ref.repo == run.ref.repo else f"{ref.repo.path}#{ref.number}"


def _box(text: str, *, is_done: bool) -> str:
    return f"- [{'x' if is_done else ' '}] {text}"


def _with(text: str, more: str) -> str:
    return f"{text}: {more}" if more else text


def _counted(*counts: tuple[int, str]) -> str:
    return ", ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in counts if count)


def short_count(count: int) -> str:
    """A number of tokens for people: `18.2k`."""
    return f"{count / 1000:.1f}k" if count >= 1000 else str(count)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
