"""An order as it was given, and what comes of it. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from bots.bot import Context
from bots.commands import messages
from bots.intents import Intent, ReplyLine
from bots.markdown import code
from bots.models import RunView
from bots.slash_commands import SlashCommand, ThreadKind
from forge.conversation import Conversation
from forge.models import Comment


@dataclass(frozen=True, slots=True)
class Invocation:
    """One order in a comment; `at` is unique for it and begins the keys of its deeds."""

    order: SlashCommand
    comment: Comment
    ctx: Context
    at: str
    to: Conversation | None = None
    """The conversation on a line in which it was said."""

    def key(self, action: str) -> str:
        """The key of a deed that this order asks for."""
        return f"{self.order.name}:{action}:{self.at}"

    @property
    def run(self) -> RunView | None:
        """The newest run on this thread."""
        return self.ctx.history.run_for(self.comment.ref)

    @property
    def named(self) -> str:
        """The name that follows the command, empty if none does."""
        return self.order.words[0].removeprefix("@") if self.order.words else ""

    @property
    def place(self) -> ThreadKind:
        """On what kind of thread it was said."""
        if self.comment.ref.repo in self.ctx.team.configs:
            return ThreadKind.CONFIG
        return ThreadKind.PULL if self.ctx.forge.issue(self.comment.ref).is_pull else ThreadKind.ISSUE

    @property
    def names(self) -> str:
        """The agents of the team, to be said."""
        return ", ".join(f"`{name}`" for name in self.ctx.team.agents)


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """Deeds, and the line that tells of them; `good` says whether it is good news once they are done."""

    line: ReplyLine
    intents: tuple[Intent, ...] = ()
    good: bool = True


def yes(call: Invocation, what: str, *intents: Intent, aside: tuple[Intent, ...] = ()) -> CommandOutcome:
    """Deeds that are all needed for `what` to be true, and some `aside` that are not."""
    form = written(call)
    return CommandOutcome(
        ReplyLine(
            messages.DONE.format(form=form, what=what),
            messages.FAILED.format(form=form),
            messages.WAITING.format(form=form),
            tuple(intent.key for intent in intents),
        ),
        (*intents, *aside),
    )


def no(call: Invocation, why: str) -> CommandOutcome:
    """Nothing is done, and why."""
    return CommandOutcome(ReplyLine(messages.NO.format(form=written(call), why=why)), good=False)


def written(call: Invocation) -> str:
    """An order as it was written: what cannot stand in a code span, or is long, is left out."""
    words = " ".join(call.order.words)
    shown = words if words.isprintable() and "`" not in words and len(words) <= 60 else "…"
    return f"/{call.order.name} {shown}".strip()


def quoted(name: str) -> str:
    """A name that somebody wrote, to be said."""
    return code(name[:60])
