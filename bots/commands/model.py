"""`/model`: which model the agent of a thread thinks with, and which it may."""

from __future__ import annotations

import re
from difflib import get_close_matches

from bots.agent_intents import SetModel
from bots.commands import messages
from bots.commands.invocation import CommandOutcome, Invocation, no, quoted, yes

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}")
OWN_MODEL = "default"
"""The argument that stands for the model of the agent's configuration."""


def use_model(call: Invocation) -> CommandOutcome:
    """Choose another model for the agent of this thread, or list those that there are."""
    run = call.run
    if run is None or run.agent not in call.ctx.team.agents:
        return no(call, messages.NO_RUN)
    known = call.ctx.team.models_of(run.agent)
    if not call.command.words:
        names = ", ".join(map(quoted, known)) or messages.ANY_MODEL
        return yes(call, messages.MODELS.format(agent=run.agent, names=names))
    name = call.command.words[0]
    if not MODEL_NAME.fullmatch(name):
        return no(call, messages.NO_MODEL.format(named=quoted(name)))
    own = name == OWN_MODEL
    if known and not own and name not in known:
        return no(call, messages.UNKNOWN_MODEL.format(agent=run.agent, named=quoted(name), near=_near(name, known)))
    text = messages.OWN_MODEL if own else messages.MODEL
    action = SetModel(call.comment.ref, run.agent, "" if own else name, key=call.key("model"))
    return yes(call, text.format(agent=run.agent, model=f"`{name}`"), action)


def _near(name: str, known: tuple[str, ...]) -> str:
    """The known model with the nearest name, or all of them."""
    found = get_close_matches(name, known, n=1)
    if found:
        return messages.NEAR_MODEL.format(name=quoted(found[0]))
    return messages.THESE_MODELS.format(names=", ".join(map(quoted, known)))
