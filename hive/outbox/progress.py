"""The progress comment of a run: posted once, edited in place, and not posted again where a person has deleted it."""

from __future__ import annotations

from functools import partial

from forge import event_keys
from forge.models import Comment
from forge.protocol import NotFound
from hive.ledger import Ledger, RunProgress
from hive.outbox.actions import ShowProgress
from hive.outbox.enqueue import enqueue
from hive.outbox.progress_text import digest, progress_text
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()
BY = "progress"
NOBODY_SAW = "the run was over before anything was shown"
DELETED = "a person has deleted the comment"


def enqueue_progress(ledger: Ledger, actor: str, run: RunProgress, key: str) -> int:
    """Have the comment of a run written as the run stands then; returns the effect's id."""
    with ledger.transaction():
        effect = enqueue(ledger, run.team, actor, ShowProgress(run.ref, run.id, key=f"{run.id}:{key}"), by=BY)
        ledger.progress.enqueued(run.id, effect, digest(run))
    return effect


@HANDLERS.on(ShowProgress)
def show_progress(execution: Execution, action: ShowProgress) -> Result:
    """Show a run as it stands now, in its one comment."""
    progress = execution.ledger.progress
    found = progress.of(action.run)
    if found is None or found[1].is_deleted:
        raise Superseded(DELETED)
    run, shown = found
    marker = execution.marker_of(f"progress:{run.id}")
    body = f"{progress_text(run, execution.ledger.spending.of_run(run.id))}\n\n{marker}"
    posted = _post(execution, run, body, marker) if shown.comment == 0 else None
    number = shown.comment if posted is None else posted.id
    try:
        execution.forge.edit_comment(run.ref, number, body)
    except NotFound:
        execution.forge.issue(run.ref)  # if it is gone itself, or hidden, that is another matter
        return Result(detail={"why": DELETED}, settle=partial(progress.deleted, run.id))
    settle = partial(progress.posted, run.id, number, digest(run), is_over=not run.is_open)
    key = event_keys.commented(run.ref.repo.forge, number)
    return Result("" if posted is None else posted.html_url, {"id": number}, event_key=key, settle=settle)


def _post(execution: Execution, run: RunProgress, body: str, marker: str) -> Comment:
    """Post the comment, or find the one that was posted before a crash."""
    issue = execution.forge.issue(run.ref)
    if not run.is_open or not issue.is_open:
        raise Superseded(NOBODY_SAW)
    return execution.forge.comment(run.ref, body, marker=marker, seen=issue)
