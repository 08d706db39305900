"""The commands bot: does what operators say in comments, and answers on the comment itself. Performs no I/O.

Who said it is decided by pinned ids, as the forge tells the comment's author now. Strangers and
members are not answered at all: who may say nothing must not make the hive speak. A comment that
was edited is no command, since whoever may write issues can edit everybody's; its text is the one
that was told of when it was posted, as an edit within the same second leaves its times alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches

from bots import threads
from bots.bot import AGENTS, Bot, Context
from bots.commands import messages
from bots.commands.handlers import ACTS
from bots.commands.invocation import CommandOutcome, Invocation, no
from bots.intents import (
    Assign,
    Close,
    ContinueRun,
    Deploy,
    EndRun,
    Intent,
    Pause,
    React,
    Reply,
    ReplyLine,
    RequestBotReview,
    ResetContext,
    Restart,
    Resume,
    ResumeRuns,
    SetLabels,
    SetModel,
    StartRun,
    TagDenied,
    Unassign,
)
from bots.models import Team
from bots.slash_commands import KNOWN, SlashCommand, is_altered, slash_commands
from forge.events import CommentPosted
from forge.models import Comment, User
from forge.protocol import NotFound

SEEN = "eyes"
DONE = "+1"
SORRY = "confused"
"""What forges have for 👀, ✅ and 😕: they allow a few reactions only, and ✅ is not one of them."""

MOST = 5
"""Commands in one comment."""
LATE = timedelta(days=1)
"""A command that the hive learns of later is not done: what it was meant for has passed."""

_MARKER = re.compile(r"<!-- hive:[0-9a-f]{24} -->")

bot = Bot(
    "commands",
    may={
        *(
            Close,
            TagDenied,
            ResumeRuns,
            React,
            Reply,
            SetLabels,
            Assign,
            Unassign,
            RequestBotReview,
            StartRun,
            ContinueRun,
            EndRun,
            Deploy,
        ),
        *(Pause, Resume, Restart, SetModel, ResetContext),
    },
    listens_to_bots={AGENTS},
)


@bot.on(CommentPosted)
def obey(event: CommentPosted, ctx: Context) -> Iterator[Intent]:
    """Do what a comment commands, each order once, and say what became of it."""
    if not may_speak(event.actor, ctx.team):
        return
    answer: threads.ThreadReply | None = None
    try:
        comment = ctx.forge.comment_by_id(event.ref, event.comment_id)
    except NotFound:
        answer = threads.reply(ctx.forge, event.ref, event.comment_id)
        if answer is None:
            return
        comment = answer.comment
    heard = audible(comment, ctx.team)
    if not heard or is_altered(comment, event.digest):
        return
    at = f"{event.ref}:{comment.id}"
    to = None if answer is None else answer.conversation
    acts = [act(Invocation(order, comment, ctx, f"{at}:{number}", to)) for number, order in enumerate(heard[:MOST])]
    if len(heard) > MOST:
        acts = [CommandOutcome(ReplyLine(messages.TOO_MANY.format(most=MOST)), good=False)]
    if answer is None:
        yield React(event.ref, comment.id, SEEN, key=f"seen:{at}")
    for each in acts:
        yield from each.intents
    yield Reply(event.ref, comment.id, tuple(each.line for each in acts), key=f"reply:{at}", to=to)
    after = tuple(key for each in acts for key in each.line.after)
    word = DONE if all(each.good for each in acts) else SORRY
    if answer is not None:  # its id is no comment's, and what a forge says to a reaction to it is not known
        return
    yield React(event.ref, comment.id, word, key=f"told:{at}", after=after, otherwise=SORRY)


def audible(comment: Comment, team: Team) -> tuple[SlashCommand, ...]:
    """The orders that a comment's author may give: all for operators, few for agents, none for everybody else.

    An agent's words are written by the hive, so its marker says nothing about them; on anybody
    else's comment it says that the words were copied from the hive.
    """
    if is_altered(comment) or not may_speak(comment.author, team):
        return ()
    if team.agent_of(comment.author) is not None:
        return tuple(
            order for order in slash_commands(comment.body) if order.command is not None and order.command.agents
        )
    return () if _MARKER.search(comment.body) else slash_commands(comment.body)


def may_speak(user: User, team: Team) -> bool:
    """Whether an account may command anything: an operator or an agent, and never a bot's own."""
    own = any(user.id == account.id for account in team.accounts.values())
    return not own and (user.id in team.operators or team.agent_of(user) is not None)


def act(call: Invocation) -> CommandOutcome:
    """What comes of one order."""
    command = call.order.command
    if command is None:
        return unknown(call.order.name)
    if call.ctx.now - call.comment.created_at > LATE:
        return no(call, messages.TOO_LATE)
    if not command.takes(call.order.words):
        return no(call, messages.USAGE.format(form=command.form))
    return ACTS[command.name](call)


def unknown(name: str) -> CommandOutcome:
    """The nearest name is a guess, so it is only told."""
    near = get_close_matches(name, KNOWN, 1)
    said = messages.MEANT.format(name=name, near=near[0]) if near else messages.UNKNOWN.format(name=name)
    return CommandOutcome(ReplyLine(said), good=False)
