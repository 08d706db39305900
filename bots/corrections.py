"""The corrections bot: remembers what people label an issue after the hive has routed it. It changes nothing. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bots.agent_intents import RecordCorrection
from bots.bot import Bot, Context
from bots.intents import Intent
from bots.models import Team
from forge.events import IssueLabeled
from forge.models import Issue, TimelineEvent, User

TYPE = "type/"

bot = Bot("corrections", may={RecordCorrection})


@bot.on(IssueLabeled)
def remember(event: IssueLabeled, ctx: Context) -> Iterator[Intent]:
    """A person has changed the kind or the lane that the hive had given to an issue."""
    if event.ref.repo not in ctx.team.repos or ctx.team.is_machine(event.actor):
        return
    issue = ctx.forge.issue(event.ref)
    if issue.is_pull:
        return
    rows = [row for row in ctx.forge.timeline(event.ref) if row.kind == "label"]
    by = corrected_by(issue, rows, ctx.team)
    if by is None:
        return
    kinds = [label for label in issue.labels if label.startswith(TYPE)]
    lanes = [lane.name for lane in ctx.team.lanes if lane.label in issue.labels]
    kind, lane = (found[0] if len(found) == 1 else "" for found in (kinds, lanes))  # two of them say nothing
    if kind or lane:
        yield RecordCorrection(event.ref, kind, lane, by.login, key=f"{event.ref}:{rows[-1].id}")


def corrected_by(issue: Issue, rows: Sequence[TimelineEvent], team: Team) -> User | None:
    """Who changed a kind or lane that a machine of the hive had set, if that is the newest change of one.

    An author who is no operator may have had the label set by a form: that corrects nothing.
    """
    lanes = {lane.label for lane in team.lanes}
    ours = [row for row in rows if row.label.startswith(TYPE) or row.label in lanes]
    was_routed = any(row.actor is not None and team.is_machine(row.actor) for row in ours)
    last = ours[-1].actor if ours else None
    if not was_routed or last is None or team.is_machine(last):
        return None
    return last if last.id in team.operators or last.id != issue.author.id else None
