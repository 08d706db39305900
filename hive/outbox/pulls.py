"""Handlers of actions on the pull requests of runs: opened once, then edited in place, beside what people change in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bots.acceptance import acceptance_criteria
from forge.models import PullRequest
from hive.codec import Codec
from hive.ledger import RunProgress
from hive.outbox.actions import EditPull, OpenPull
from hive.outbox.progress_text import usage
from hive.outbox.pull_report import LaterChange, pull_body
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
    title, block = _told(execution, action, run)
    text = new_text(title, block, draft=action.is_draft, sign=execution.sign)
    pull = _opened(execution, action, text) if run.pull is None else execution.forge.pull(run.pull)
    if not pull.is_open:
        raise Superseded(f"{pull.ref} is closed")
    if (pull.title, pull.body) != (text.title, text.body):
        text = _revise(execution, pull, _wanted(action, title, block, is_new=run.pull is None))
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


def _wanted(action: OpenPull, title: str, block: str, *, is_new: bool) -> PullRevision:
    """What an open pull request should become; work that was only saved as a draft leaves the words that are there."""
    if action.is_draft and action.report is None and not is_new:
        return PullRevision(is_draft=True)
    return PullRevision(title, block, action.is_draft)


def _told(execution: Execution, action: OpenPull, run: RunProgress) -> tuple[str, str]:
    """The title, and the hive's part of the body; the criteria are those of the issue as it is now.

    What was first submitted as ready stays the title and the description; later submits are told of below it.
    """
    if action.report is None:
        return action.title, action.body
    first, *later = _submits(execution, action)
    report = replace(action.report, summary=(first.report or action.report).summary)
    since = [LaterChange(each.title, each.report.summary) for each in later if each.report is not None]
    criteria = acceptance_criteria(execution.forge.issue(run.ref).body)
    used = usage(run, execution.ledger.spending.of_run(run.id))
    return first.title, pull_body(report, criteria, used=used, run=run.id, later=since)


def _submits(execution: Execution, action: OpenPull) -> list[OpenPull]:
    """What was submitted on this branch as ready, the newest of each turn, and this last; a draft is forgotten with the next."""
    branch = action.key.rsplit(":", 2)[0]
    codec, by = Codec(OpenPull), execution.effect.key.removesuffix(action.key)
    found: dict[str, OpenPull] = {}
    for effect in execution.ledger.effects.done_before(execution.effect, f"{by}{branch}:"):
        earlier = codec.loads(effect.payload)
        if earlier.report is not None and not earlier.is_draft:
            found[_turn(earlier)] = earlier
    found.pop(_turn(action), None)
    return [*found.values(), action]


def _turn(action: OpenPull) -> str:
    """The turn of an action, from its key."""
    return action.key.rsplit(":", 2)[1]


def _revise(execution: Execution, pull: PullRequest, wanted: PullRevision) -> PullText:
    text = revised(PullText(pull.title, pull.body), wanted, execution.sign)
    execution.forge.edit(pull.ref, title=text.title, body=text.body)
    return text


def _result(pull: PullRequest, settle: Callable[[], None]) -> Result:
    ref = str(pull.ref)
    return Result(pull.html_url, {"ref": ref, "url": pull.html_url}, {"opened": ref}, settle=settle)
