"""Close an issue that says the same as another one, by an operator's word alone. Performs no I/O."""

from __future__ import annotations

import re

from bots.commands import messages
from bots.commands.invocation import CommandOutcome, Invocation, no, quoted, yes
from bots.intents import Close, SetLabels
from forge.models import Ref
from forge.protocol import NotFound

DUPLICATE = "duplicate"
"""The label of what was closed so: Forgejo and Gitea have it in the sets of labels that they offer."""

_NUMBER = re.compile(r"#?([1-9][0-9]{0,8})")


def duplicate(call: Invocation) -> CommandOutcome:
    """Close this issue as a duplicate of another one in the same repository; its run ends with it."""
    here = call.comment.ref
    *before, last = call.command.words
    number = _NUMBER.fullmatch(last)
    if number is None or before not in ([], ["of"]):
        return no(call, messages.NOT_A_NUMBER.format(named=quoted(" ".join(call.command.words))))
    issue = call.ctx.forge.issue(here)
    if issue.is_pull:
        return no(call, messages.NO_ISSUE)
    if not issue.is_open:
        return no(call, messages.CLOSED.format(where=f"#{here.number}"))
    other = Ref(here.repo, int(number[1]))
    try:
        is_pull = call.ctx.forge.issue(other).is_pull
    except NotFound:
        is_pull = True
    if is_pull or other == here:
        return no(call, messages.NO_OTHER.format(where=f"`#{other.number}`"))
    label = SetLabels(here, add=(DUPLICATE,), key=call.key("label"))
    close = Close(here, key=call.key("close"))
    return yes(call, messages.DUPLICATE.format(where=f"#{other.number}"), close, aside=(label,))
