"""Handlers of what triage says and remembers: one comment on an issue, edited in place, and the terms of its text."""

from __future__ import annotations

from functools import partial

from bots.triage_intents import IndexIssue, ShowTriage
from forge import event_keys
from forge.protocol import NotFound
from hive.ledger.triage_notes import GONE
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()
BY_PERSON = "a person has deleted the comment"


@HANDLERS.on(ShowTriage)
def show_triage(execution: Execution, action: ShowTriage) -> Result:
    """Post the comment once, or edit it; one that people have deleted does not come back, and nothing older is shown."""
    notes, ref, as_of = execution.ledger.triage_notes, str(action.ref), action.as_of.timestamp()
    comment, shown = notes.comment(ref)
    if comment == GONE:
        raise Superseded(BY_PERSON)
    if comment and shown > as_of:
        raise Superseded("it already tells of a newer state of the issue")
    issue = execution.forge.issue(action.ref)
    if not issue.is_open:
        raise Superseded(f"{ref} was closed in the meantime")
    marker = execution.marker_of(f"triage:{ref}")
    body = f"{action.note.body}\n\n{marker}"
    if not comment:
        made = execution.forge.comment(action.ref, body, marker=marker, seen=issue)
        comment, url, said = made.id, made.html_url, made.body
    else:
        url, said = "", ""
    try:
        if said != body:
            execution.forge.edit_comment(action.ref, comment, body)
    except NotFound:
        if not execution.forge.sees_subjects(action.ref.repo):
            raise
        return Result(detail={"why": BY_PERSON}, settle=partial(notes.said, ref, GONE, action.note, as_of))
    key = event_keys.commented(action.ref.repo.forge, comment)
    settle = partial(notes.said, ref, comment, action.note, as_of)
    return Result(url, {"id": comment, "url": url}, event_key=key, settle=settle)


@HANDLERS.on(IndexIssue, local=True)
def index_issue(execution: Execution, action: IndexIssue) -> Result:
    """Remember the terms of an issue."""
    terms = action.terms
    execution.ledger.issue_index.put(str(action.ref.repo), action.ref.number, terms.title, terms.body)
    return Result()
