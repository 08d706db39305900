"""Triage: labels a new issue, assigns the agent of its lane, and explains why. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from bots.agent_intents import GiveWork
from bots.bot import Bot, Context
from bots.classification import DecidedBy
from bots.holds import INJECTION
from bots.intents import Intent, PostComment, SetLabels
from bots.markdown import code
from bots.mentions import is_announcement
from bots.models import Team
from bots.triage.backfill import old_issue, old_pull
from bots.triage.decision import Decision, decide, suspects_injection
from forge.events import IssueEdited, IssueOpened, IssueTakenIn
from forge.models import Issue

ROUTED = """\
🧭 **{kind}** in **{lane}** → @{agent}

{why}
"""
WAITING = """\
🧭 **{kind}** in **{lane}**, for @{agent}

{why}

{operators}: the work starts when you assign @{agent}.
"""
BECAUSE = "- {what} because of {words}"
BY_DEFAULT = "- {what} because nothing in it points elsewhere"

UNSURE = "- its kind is not clear: say so with a label `type/…`"

bot = Bot("triage", may={SetLabels, GiveWork, PostComment}, listens_to_bots={"core"})


@bot.on(IssueOpened)
def route_issue(event: IssueOpened, ctx: Context) -> Iterator[Intent]:
    """Label, assign and comment; what a person has decided already stays."""
    if ctx.team.is_machine(event.actor):  # what the hive itself files it has given to somebody already
        return
    issue = ctx.forge.issue(event.ref)
    if issue.is_pull or not issue.is_open or event.ref.repo not in ctx.team.repos or is_announcement(issue, ctx.team):
        return
    decision = decided(issue, ctx)
    labels = tuple(wanted_labels(issue, decision))
    if labels:
        yield SetLabels(event.ref, add=labels, key=f"labels:{event.ref}")
    if decision.injection_suspected:  # by itself: it is refused where `hive init` has not made the label yet
        yield SetLabels(event.ref, add=(INJECTION,), key=f"risk:{event.ref}")
    if issue.assignees:
        return
    trusted = ctx.team.is_trusted(issue.author)
    yield PostComment(event.ref, comment(decision, ROUTED if trusted else WAITING, ctx.team), key=f"route:{event.ref}")
    if trusted:
        yield GiveWork(event.ref, decision.lane.agent, decision.lane.name, key=f"assign:{event.ref}")


def decided(issue: Issue, ctx: Context) -> Decision:
    """The decision about an issue; what people and rules have said already is asked of no classifier."""
    found = decide(issue, ctx.team)
    if found.by is not DecidedBy.DEFAULT:
        return found
    return decide(issue, ctx.team, ctx.classifier.guess(issue.ref.repo, issue.title, issue.body))


@bot.on(IssueEdited)
def look_again(event: IssueEdited, ctx: Context) -> Iterator[Intent]:
    """An edit routes nothing again; words to a machine that it brings are marked as those of a new issue are."""
    issue = ctx.forge.issue(event.ref)
    if issue.is_pull or not issue.is_open or event.ref.repo not in ctx.team.repos or INJECTION in issue.labels:
        return
    if suspects_injection(issue.title, issue.body):
        yield SetLabels(event.ref, add=(INJECTION,), key=f"risk:{event.ref}")


@bot.on(IssueTakenIn)
def take_in(event: IssueTakenIn, ctx: Context) -> Iterator[Intent]:
    """Label what is older than the hive, without a word; its agent gets it only where an operator wants that."""
    issue = ctx.forge.issue(event.ref)
    if not issue.is_open or event.ref.repo not in ctx.team.repos or is_announcement(issue, ctx.team):
        return
    decision = decided(issue, ctx)
    rows = ctx.forge.timeline(event.ref)
    if issue.is_pull:
        yield from old_pull(issue, decision, [change.path for change in ctx.forge.files(event.ref)], rows, ctx.team)
    else:
        has_run = ctx.history.run_for(event.ref) is not None
        yield from old_issue(issue, decision, rows, ctx.team, wake=event.wake and not has_run)


def wanted_labels(issue: Issue, decision: Decision) -> Iterator[str]:
    """The labels that are missing; next to a person's own `type/…` or `area/…` none is added."""
    kind = () if decision.kind is None else (decision.kind.label,)
    for labels in (kind, decision.areas):
        scopes = tuple({label.split("/")[0] + "/" for label in labels})
        if not any(have.startswith(scopes) for have in issue.labels):
            yield from labels


def comment(decision: Decision, template: str, team: Team) -> str:
    """The comment that explains a decision."""
    lane, kind = decision.lane, decision.kind
    why = [UNSURE if kind is None else because(kind.label, decision.kind_words)]
    why.append(because(lane.label, decision.lane_words))
    called = ", ".join(f"@{login}" for login in lane.operators) or team.call()
    word = "issue" if kind is None else kind.label.split("/")[-1]
    return template.format(kind=word, lane=lane.name, agent=lane.agent, operators=called, why="\n".join(why)).strip()


def because(what: str, words: tuple[str, ...]) -> str:
    """One reason."""
    if not words:
        return BY_DEFAULT.format(what=code(what))
    return BECAUSE.format(what=code(what), words=", ".join(map(code, words[:5])))
