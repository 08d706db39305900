"""Triage: labels a new issue, assigns the agent of its lane, and says why in one comment, which follows the issue's edits.

It asks once for what is missing, and offers issues that say the same. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from bots.agent_intents import GiveWork
from bots.bot import Bot, Context
from bots.classification import DecidedBy
from bots.holds import INJECTION
from bots.intents import Intent, SetLabels
from bots.issue_terms import TriageNote
from bots.mentions import is_announcement
from bots.triage import comment
from bots.triage.backfill import old_issue, old_pull
from bots.triage.cleaning import clean
from bots.triage.decision import Decision, decide, suspects_injection
from bots.triage.forms import empty_fields, sections, still_empty, template_of
from bots.triage.labels import missing_labels, of_people, swapped_labels, was_removed
from bots.triage.terms import terms_of
from bots.triage_intents import IndexIssue, ShowTriage
from forge.events import CommentPosted, Event, IssueEdited, IssueOpened, IssueTakenIn
from forge.issue_templates import IssueTemplate
from forge.models import Issue, Ref, TimelineEvent
from forge.protocol import NotFound

ALIKE = 0.8
"""How like an issue has to be to be offered as the same: of those that were read, seven of ten were."""

MOST_OFFERED = 3
RECENT = timedelta(days=1)
"""For so long edits of an issue count of which nothing has been said."""

NEEDS = {"repro": "Steps to reproduce", "version": "Version", "logs": "Logs"}
"""What a report of a bug lacks, as headings."""

bot = Bot("triage", may={SetLabels, GiveWork, ShowTriage, IndexIssue})


@bot.on(IssueOpened)
def route_issue(event: IssueOpened, ctx: Context) -> Iterator[Intent]:
    """Label, assign and comment; what a person has decided already stays."""
    if ctx.team.is_machine(event.actor):  # what the hive itself files it has given to somebody already
        return
    issue = routable(event.ref, ctx)
    if issue is None:
        return
    note = ctx.history.triage_note(event.ref)
    if note is not None:  # it was reopened
        yield from look_again(issue, note, event, ctx)
        return
    template = template_of(issue.body, templates_for(issue, ctx))
    decision = decided(issue, template, ctx)
    labels = tuple(missing_labels(issue, decision))
    if labels:
        yield SetLabels(event.ref, add=labels, key=f"labels:{event.ref}")
    if decision.injection_suspected:  # by itself: it is refused where `hive init` has not made the label yet
        yield SetLabels(event.ref, add=(INJECTION,), key=f"risk:{event.ref}")
    yield IndexIssue(event.ref, terms_of(clean(issue.title, issue.body)), key=f"index:{event.key}")
    head = "" if issue.assignees else comment.head(issue, decision, ctx.team)
    asked = () if decision.injection_suspected else lacking(issue, template, decision, ctx)
    new = TriageNote(head, asked, composed(issue, head, asked, decision, ctx))
    yield from show(issue, new, TriageNote(), event.key)
    if not issue.assignees and ctx.team.is_trusted(issue.author):
        yield GiveWork(event.ref, decision.lane.agent, decision.lane.name, key=f"assign:{event.ref}")


@bot.on(IssueEdited)
def follow_edit(event: IssueEdited, ctx: Context) -> Iterator[Intent]:
    """Look again at an issue that was edited: the comment follows, and nothing is said twice.

    Of an older one of which nothing was said only words to a machine are marked, as those of a new issue are.
    """
    issue = None if ctx.team.is_machine(event.actor) else routable(event.ref, ctx)
    if issue is None:
        return
    note = ctx.history.triage_note(event.ref)
    if note is not None or ctx.now - issue.created_at < RECENT:
        yield from look_again(issue, note or TriageNote(), event, ctx)
    elif (
        INJECTION not in issue.labels
        and suspects_injection(issue.title, issue.body)
        and not was_removed(INJECTION, ctx.forge.timeline(event.ref), ctx.team)
    ):
        yield SetLabels(event.ref, add=(INJECTION,), key=f"risk:{event.key}")


@bot.on(IssueTakenIn, listens_to_bots={"core"})
def take_in(event: IssueTakenIn, ctx: Context) -> Iterator[Intent]:
    """Label what is older than the hive, without a word; its agent gets it only where an operator wants that."""
    issue = ctx.forge.issue(event.ref)
    if not issue.is_open or event.ref.repo not in ctx.team.repos or is_announcement(issue, ctx.team):
        return
    rows = ctx.forge.timeline(event.ref)
    if issue.is_pull:
        paths = [change.path for change in ctx.forge.files(event.ref)]
        yield from old_pull(issue, decided(issue, None, ctx), paths, rows, ctx.team)
    else:
        decision = decided(issue, template_of(issue.body, templates_for(issue, ctx)), ctx)
        has_run = ctx.history.run_for(event.ref) is not None
        yield from old_issue(issue, decision, rows, ctx.team, wake=event.wake and not has_run)


@bot.on(CommentPosted)
def hear_answer(event: CommentPosted, ctx: Context) -> Iterator[Intent]:
    """What the author says after the question is the answer to it."""
    note = ctx.history.triage_note(event.ref)
    if note is None or not note.asked or note.settled or ctx.team.is_machine(event.actor):
        return
    issue = routable(event.ref, ctx)
    if issue is not None and event.actor.id == issue.author.id:
        answer = next((each.body for each in ctx.forge.comments(event.ref) if each.id == event.comment_id), "")
        told = replace(issue, body=f"{issue.body}\n\n{answer}")
        yield from look_again(told, replace(note, asked=()), event, ctx)


def routable(ref: Ref, ctx: Context) -> Issue | None:
    """An open issue of the team's repositories that is no announcement."""
    if ref.repo not in ctx.team.repos:
        return None
    issue = ctx.forge.issue(ref)
    return None if issue.is_pull or not issue.is_open or is_announcement(issue, ctx.team) else issue


def look_again(issue: Issue, note: TriageNote, event: Event, ctx: Context) -> Iterator[Intent]:
    """Decide once more. What people have set or taken away stays, and so does all of an issue that was handed over."""
    rows = ctx.forge.timeline(issue.ref)
    bare = replace(issue, labels=of_people(issue, rows, ctx.team))
    template = template_of(issue.body, templates_for(issue, ctx))
    decision = decided(bare, template, ctx)
    run = ctx.history.run_for(issue.ref)
    is_handed_over = bool(issue.assignees) or (run is not None and run.state == "open")
    if not is_handed_over:
        yield from relabel(issue, decision, rows, event, ctx)
    if decision.injection_suspected and INJECTION not in issue.labels and not was_removed(INJECTION, rows, ctx.team):
        yield SetLabels(issue.ref, add=(INJECTION,), key=f"risk:{event.key}")
    yield IndexIssue(issue.ref, terms_of(clean(issue.title, issue.body)), key=f"index:{event.key}")
    head = note.head if is_handed_over else comment.head(bare, decision, ctx.team)
    left = () if decision.injection_suspected else remaining(issue, note, template, decision)
    new = TriageNote(head, note.asked if left else (), composed(issue, head, left, decision, ctx))
    yield from show(issue, new, note, event.key)


def relabel(
    issue: Issue, decision: Decision, rows: list[TimelineEvent], event: Event, ctx: Context
) -> Iterator[Intent]:
    """Labels of the hive's own follow the text; next to people's, and where people took one away, none is set."""
    add, remove = swapped_labels(issue, decision, rows, ctx.team)
    if add or remove:
        yield SetLabels(issue.ref, add=add, remove=remove, key=f"labels:{event.key}")


def templates_for(issue: Issue, ctx: Context) -> list[IssueTemplate]:
    """The repository's templates, if an issue can have been written with one."""
    return ctx.forge.issue_templates(issue.ref.repo) if sections(issue.body) else []


def decided(issue: Issue, template: IssueTemplate | None, ctx: Context) -> Decision:
    """The decision about an issue; what people, rules and templates have said already is asked of no classifier."""
    hints = () if template is None else template.labels
    found = decide(issue, ctx.team, hints=hints)
    if found.by is not DecidedBy.DEFAULT:
        return found
    return decide(issue, ctx.team, ctx.classifier.guess(issue.ref.repo, issue.title, issue.body), hints=hints)


def lacking(issue: Issue, template: IssueTemplate | None, decision: Decision, ctx: Context) -> tuple[str, ...]:
    """What to ask the author for: empty fields of the template, else what a report of a bug lacks.

    Operators know what they leave out: of them only what a form requires is asked, and of the hive's own accounts nothing.
    """
    is_operator = issue.author.id in ctx.team.operators
    if ctx.team.is_machine(issue.author):
        return ()
    if template is not None:
        return empty_fields(issue.body, template, author_decides=is_operator)
    return () if is_operator else tuple(NEEDS[need] for need in decision.needs)


def remaining(issue: Issue, note: TriageNote, template: IssueTemplate | None, decision: Decision) -> tuple[str, ...]:
    """What of that was asked for is still missing; nothing else is ever asked for."""
    left = still_empty(issue.body, note.asked, template)
    found = {name for need, name in NEEDS.items() if need not in decision.needs} if template is None else set()
    return tuple(name for name in left if name not in found)


def composed(issue: Issue, head: str, left: tuple[str, ...], decision: Decision, ctx: Context) -> str:
    """The comment's text."""
    others = [] if decision.injection_suspected else same(issue, ctx)
    return comment.whole((head, comment.asked(issue, left), comment.offered(others)))


def show(issue: Issue, new: TriageNote, old: TriageNote, key: str) -> Iterator[Intent]:
    """The comment, if it says something else than before."""
    if not old.settled and new.body != old.body and (new.body or old.body):
        yield ShowTriage(issue.ref, replace(new, body=new.body or comment.DONE), issue.updated_at, key=f"show:{key}")


def same(issue: Issue, ctx: Context) -> list[Issue]:
    """The issues of this repository that seem to be the same, as the forge shows them now."""
    found: list[Issue] = []
    for each in ctx.history.similar_issues(issue.ref, terms_of(clean(issue.title, issue.body))):
        if each.score < ALIKE or len(found) == MOST_OFFERED:
            break
        try:
            other = ctx.forge.issue(Ref(issue.ref.repo, each.number))
        except NotFound:
            continue
        if not other.is_pull:
            found.append(other)
    return found
