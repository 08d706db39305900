"""The commands bot: performs slash commands in comments of operators, and answers them. Performs no I/O.

The author is identified by the pinned id that the forge reports now. Everybody else gets no answer, so that strangers
cannot make the hive post comments. An edited comment is not a command, since everybody with write access to issues
can edit comments of others. An edit within the second of posting leaves no trace in the times, so the text is also
compared with the digest of the delivery.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches

from bots import threads
from bots.agent_intents import (
    Deploy,
    DeployNow,
    Pause,
    ProposeAgent,
    ProposeRevert,
    PurgeAgent,
    RaiseBudget,
    RecordCorrection,
    ResetContext,
    Restart,
    Resume,
    ResumeDeployments,
    RetryDeployment,
    SetModel,
    SuspendDeployments,
)
from bots.bot import AGENTS, Bot, Context, Where
from bots.commands import messages
from bots.commands.handlers import HANDLERS
from bots.commands.invocation import CommandOutcome, Invocation, no
from bots.intents import (
    AnswerQuestion,
    Assign,
    Close,
    ContinueRun,
    EndRun,
    Intent,
    React,
    Reply,
    RequestBotReview,
    ResumeRuns,
    SetLabels,
    StartRun,
    TagDenied,
    Unassign,
)
from bots.models import ReplyLine, Team
from bots.review_intents import DismissFinding
from bots.slash_commands import KNOWN, SlashCommand, is_altered, slash_commands
from forge.events import CommentPosted
from forge.models import Comment, User
from forge.protocol import NotFound

SEEN = "eyes"
DONE = "+1"
SORRY = "confused"
"""Forge reactions for 👀, ✅ and 😕: forges allow only a few, and ✅ is not among them."""

MOST = 5
"""Commands in one comment."""
LATE = timedelta(days=1)
"""A command that arrives later than this is not performed: its reason has passed."""

_MARKER = re.compile(r"<!-- hive:[0-9a-f]{24} -->")

bot = Bot(
    "commands",
    may={
        *(
            AnswerQuestion,
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
            DismissFinding,
        ),
        *(Pause, Resume, Restart, SetModel, ResetContext, RaiseBudget, RecordCorrection, ProposeAgent, PurgeAgent),
        *(ProposeRevert, RetryDeployment, DeployNow, SuspendDeployments, ResumeDeployments),
    },
    listens_to_bots={AGENTS},
    where=Where.BOTH,
)


@bot.on(CommentPosted)
def perform_commands(event: CommentPosted, ctx: Context) -> Iterator[Intent]:
    """Perform each command of a comment once, and report the outcome."""
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
    commands = permitted_commands(comment, ctx.team)
    if not commands or is_altered(comment, event.digest):
        return
    at = f"{event.ref}:{comment.id}"
    to = None if answer is None else answer.conversation
    found = enumerate(commands[:MOST])
    outcomes = [run_command(Invocation(command, comment, ctx, f"{at}:{number}", to)) for number, command in found]
    if len(commands) > MOST:
        outcomes = [CommandOutcome(ReplyLine(messages.TOO_MANY.format(most=MOST)), good=False)]
    if answer is None:
        yield React(event.ref, comment.id, SEEN, key=f"seen:{at}")
    for outcome in outcomes:
        yield from outcome.intents
    yield Reply(event.ref, comment.id, tuple(outcome.line for outcome in outcomes), key=f"reply:{at}", to=to)
    after = tuple(key for outcome in outcomes for key in outcome.line.after)
    reaction = DONE if all(outcome.good for outcome in outcomes) else SORRY
    if answer is not None:  # its id is not a comment's, and how a forge answers a reaction to it is unknown
        return
    yield React(event.ref, comment.id, reaction, key=f"outcome:{at}", after=after, otherwise=SORRY)


def permitted_commands(comment: Comment, team: Team) -> tuple[SlashCommand, ...]:
    """The commands that a comment's author may use: all for operators, a few for agents, none for others.

    The hive itself posts the comments of agents, so its marker is expected there. In a comment of an operator the
    marker means that the text was copied from the hive.
    """
    if is_altered(comment) or not may_speak(comment.author, team):
        return ()
    if team.agent_of(comment.author) is not None:
        found = slash_commands(comment.body)
        return tuple(command for command in found if command.spec is not None and command.spec.agents)
    return () if _MARKER.search(comment.body) else slash_commands(comment.body)


def may_speak(user: User, team: Team) -> bool:
    """Whether an account may use commands at all: an operator or an agent, and never a bot's own account."""
    own = any(user.id == account.id for account in team.accounts.values())
    return not own and (user.id in team.operators or team.agent_of(user) is not None)


def run_command(call: Invocation) -> CommandOutcome:
    """The outcome of one command."""
    spec = call.command.spec
    if spec is None:
        return unknown(call.command.name)
    if call.ctx.now - call.comment.created_at > LATE:
        return no(call, messages.TOO_LATE)
    if not spec.takes(call.command.words):
        return no(call, messages.USAGE.format(form=spec.form))
    return HANDLERS[spec.name](call)


def unknown(name: str) -> CommandOutcome:
    """An unknown command; the nearest name is suggested, not performed."""
    near = get_close_matches(name, KNOWN, 1)
    text = messages.MEANT.format(name=name, near=near[0]) if near else messages.UNKNOWN.format(name=name)
    return CommandOutcome(ReplyLine(text), good=False)
