"""Handlers of actions on the pull requests of runs: opened once, then edited in place, beside what people change in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bots.acceptance import acceptance_criteria
from forge.models import PullRequest
from hive.ledger import RunProgress
from hive.outbox.actions import EditPull, OpenPull
from hive.outbox.progress_text import usage
from hive.outbox.pull_report import pull_body
from hive.outbox.pull_text import PullRevision, PullText, is_draft, new_text, revised
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()


@HANDLERS.on(OpenPull)
def open_pull(execution: Execution, action: OpenPull) -> Result:
    """Open a run's pull request, or bring the open one up to date: title, body, and whether it is a draft."""
    found = execution.ledger.progress.of(action.run)
    run = None if found is None or action.proposes else found[0]
    if run is None:
        pull = _opened(execution, action, PullText(action.title, action.body))
        settle = partial(execution.ledger.runs.set_dependency, action.run, str(pull.ref))
        return _result(pull, settle)
    block = _block(execution, action, run)
    text = new_text(action.title, block, draft=action.is_draft, sign=execution.sign)
    pull = _opened(execution, action, text) if run.pull is None else execution.forge.pull(run.pull)
    if not pull.is_open:
        raise Superseded(f"{pull.ref} is closed")
    if (pull.title, pull.body) != (text.title, text.body):
        text = _revise(execution, pull, PullRevision(action.title, block, action.is_draft))
    checked = "" if action.report is None else action.report.checked

    def settle_pull() -> None:
        execution.ledger.runs.set_pull(action.run, str(pull.ref))
        execution.ledger.progress.note_pull(action.run, checks=checked, is_draft=is_draft(text.title))

    return _result(pull, settle_pull)


@HANDLERS.on(EditPull)
def edit_pull(execution: Execution, action: EditPull) -> Result:
    """Change the title or the hive's part of the body of a run's pull request, as long as it is open."""
    pull = execution.forge.pull(action.ref)
    if not pull.is_open:
        raise Superseded(f"{action.ref} is closed")
    _revise(execution, pull, PullRevision(action.title, action.body))
    return Result(detail={"title": action.title is not None, "body": action.body is not None})


def _opened(execution: Execution, action: OpenPull, text: PullText) -> PullRequest:
    return execution.forge.open_pull(action.repo, head=action.head, base=action.base, title=text.title, body=text.body)


def _block(execution: Execution, action: OpenPull, run: RunProgress) -> str:
    """The hive's part of the body; the criteria are those of the issue as it is now."""
    if action.report is None:
        return action.body
    criteria = acceptance_criteria(execution.forge.issue(run.ref).body)
    return pull_body(action.report, criteria, used=usage(run, execution.ledger.spending.of_run(run.id)), run=run.id)


def _revise(execution: Execution, pull: PullRequest, wanted: PullRevision) -> PullText:
    text = revised(PullText(pull.title, pull.body), wanted, execution.sign)
    execution.forge.edit(pull.ref, title=text.title, body=text.body)
    return text


def _result(pull: PullRequest, settle: Callable[[], None]) -> Result:
    ref = str(pull.ref)
    return Result(pull.html_url, {"ref": ref, "url": pull.html_url}, {"opened": ref}, settle=settle)
