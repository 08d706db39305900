"""One use of a command, and its outcome. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from bots.bot import Context
from bots.commands import messages
from bots.intents import Intent
from bots.markdown import code
from bots.models import ReplyLine
from bots.slash_commands import SlashCommand, ThreadKind
from bots.views import RunView
from forge.conversation import Conversation
from forge.models import Comment


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command in a comment; `at` is unique to it and is part of the keys of its intents."""

    command: SlashCommand
    comment: Comment
    ctx: Context
    at: str
    to: Conversation | None = None
    """The conversation on a line that the comment belongs to."""

    def key(self, action: str) -> str:
        """The key of an intent of this command."""
        return f"{self.command.name}:{action}:{self.at}"

    @property
    def run(self) -> RunView | None:
        """The newest run on this thread."""
        return self.ctx.history.run_for(self.comment.ref)

    @property
    def named(self) -> str:
        """The name after the command; empty without one."""
        return self.command.words[0].removeprefix("@") if self.command.words else ""

    @property
    def place(self) -> ThreadKind:
        """The kind of thread of the comment."""
        if self.comment.ref.repo in self.ctx.team.configs:
            return ThreadKind.CONFIG
        if self.comment.ref.repo in self.ctx.team.own:
            return ThreadKind.OWN
        return ThreadKind.PULL if self.ctx.forge.issue(self.comment.ref).is_pull else ThreadKind.ISSUE

    @property
    def names(self) -> str:
        """The agents of the team, for an answer."""
        return ", ".join(f"`{name}`" for name in self.ctx.team.agents)


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """The intents of a command, and the line of the answer; `good` is whether their success is a success."""

    line: ReplyLine
    intents: tuple[Intent, ...] = ()
    good: bool = True


def yes(call: Invocation, what: str, *intents: Intent, aside: tuple[Intent, ...] = ()) -> CommandOutcome:
    """Success: `what` holds once all `intents` are done; those in `aside` are optional."""
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
    """Refusal: nothing is done, because of `why`."""
    return CommandOutcome(ReplyLine(messages.NO.format(form=written(call), why=why)), good=False)


def written(call: Invocation) -> str:
    """The command as it was written; arguments that are long or do not fit in a code span are left out."""
    words = " ".join(call.command.words)
    shown = words if words.isprintable() and "`" not in words and len(words) <= 60 else "…"
    return f"/{call.command.name} {shown}".strip()


def quoted(name: str) -> str:
    """A name from a comment, quoted for an answer."""
    return code(name[:60])
