"""Tell an agent to fix findings of the last review of its pull request, by their numbers. Performs no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from bots.commands import messages
from bots.commands.invocation import CommandOutcome, Invocation, no, quoted, yes
from bots.intents import ContinueRun
from bots.markdown import code, fenced, plain
from bots.models import Level
from bots.request_reading import of_findings
from bots.threads import within
from bots.views import FindingView

_MARKS = "#" + "".join(level.value for level in Level)
"""What people write before a number: `#2`, `🔴2`."""


def fix(call: Invocation) -> CommandOutcome:
    """Give the run that has this pull request a turn about some findings."""
    run, ref = call.run, call.comment.ref
    if run is None or run.state != "open" or run.pull != ref:
        return no(call, messages.NOT_THE_PULL)
    known = {str(each.number): each for each in call.ctx.history.findings(ref)}
    words = tuple(dict.fromkeys(map(bare_number, call.command.words)))
    for word in words:
        if word not in known:
            there = messages.THERE_ARE.format(numbers=", ".join(known)) if known else ""
            return no(call, messages.NO_FINDING.format(named=quoted(word), there=there))
    wanted = [known[word] for word in words]
    author = call.comment.author
    request = of_findings(wanted, author, call.ctx.team)
    message = messages.FIX.format(operator=f"@{author.login}", where=f"#{ref.number}", findings=_told(call, wanted))
    action = ContinueRun(run.id, message, by_person=True, key=call.key("fix"), request=request)
    if call.to is not None:
        action = within(call.to, action, call.ctx.forge)
    what = ", ".join(f"{place(each)} ({plain(each.title)})" for each in wanted)
    return yes(call, messages.FIXING.format(agent=run.agent, what=what), action)


def bare_number(word: str) -> str:
    """The number of a finding, without what people write around it."""
    return word.lstrip(_MARKS).rstrip(",:")


def place(finding: FindingView) -> str:
    """Where a finding is, as code."""
    return code(f"{finding.path}:{finding.line}" if finding.line else finding.path)


def _told(call: Invocation, findings: Sequence[FindingView]) -> str:
    """The findings for a model: texts of an analyser, which quote the change, in fences."""
    review = call.ctx.team.accounts.get("review", call.comment.author)
    parts = []
    for each in findings:
        text = each.title if each.suggestion is None else f"{each.title}\n\n-{each.was}\n+{each.suggestion}"
        told = fenced("finding", text, author=review.login, standing=call.ctx.team.standing(review))
        parts.append(f"On {place(each)}:\n{told}")
    return "\n\n".join(parts)
