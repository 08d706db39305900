"""An order as it was given, and what comes of it. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from bots.bot import Context
from bots.commands import phrases
from bots.intents import Intent, Line
from bots.orders import Order, Place
from bots.types import RunView
from bots.words import code
from forge.conversation import Conversation
from forge.types import Comment


@dataclass(frozen=True, slots=True)
class Call:
    """One order in a comment; `at` is unique for it and begins the keys of its deeds."""

    order: Order
    comment: Comment
    ctx: Context
    at: str
    to: Conversation | None = None
    """The conversation on a line in which it was said."""

    def key(self, deed: str) -> str:
        """The key of a deed that this order asks for."""
        return f"{self.order.name}:{deed}:{self.at}"

    @property
    def run(self) -> RunView | None:
        """The newest run on this thread."""
        return self.ctx.history.run_for(self.comment.ref)

    @property
    def named(self) -> str:
        """The name that follows the command, empty if none does."""
        return self.order.words[0].removeprefix("@") if self.order.words else ""

    @property
    def place(self) -> Place:
        """On what kind of thread it was said."""
        if self.comment.ref.repo in self.ctx.team.configs:
            return Place.CONFIG
        return Place.PULL if self.ctx.forge.issue(self.comment.ref).is_pull else Place.ISSUE

    @property
    def names(self) -> str:
        """The agents of the team, to be said."""
        return ", ".join(f"`{name}`" for name in self.ctx.team.agents)


@dataclass(frozen=True, slots=True)
class Act:
    """Deeds, and the line that tells of them; `good` says whether it is good news once they are done."""

    line: Line
    intents: tuple[Intent, ...] = ()
    good: bool = True


def yes(call: Call, what: str, *intents: Intent, aside: tuple[Intent, ...] = ()) -> Act:
    """Deeds that are all needed for `what` to be true, and some `aside` that are not."""
    form = written(call)
    return Act(
        Line(
            phrases.DONE.format(form=form, what=what),
            phrases.FAILED.format(form=form),
            phrases.WAITING.format(form=form),
            tuple(intent.key for intent in intents),
        ),
        (*intents, *aside),
    )


def no(call: Call, why: str) -> Act:
    """Nothing is done, and why."""
    return Act(Line(phrases.NO.format(form=written(call), why=why)), good=False)


def written(call: Call) -> str:
    """An order as it was written: what cannot stand in a code span, or is long, is left out."""
    words = " ".join(call.order.words)
    shown = words if words.isprintable() and "`" not in words and len(words) <= 60 else "…"
    return f"/{call.order.name} {shown}".strip()


def quoted(name: str) -> str:
    """A name that somebody wrote, to be said."""
    return code(name[:60])
