"""Handlers of actions on commits, branches, tags and pull requests."""

from __future__ import annotations

from functools import partial

from bots.intents import SetStatus, TagDenied
from bots.markdown import plain_name, visible
from forge.protocol import Conflict
from hive.outbox.actions import CommitFile, CreateTag, EditPull, OpenPull
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()


@HANDLERS.on(SetStatus, by_core=True)
def set_status(execution: Execution, action: SetStatus) -> Result:
    """Set a commit status."""
    status = action.status
    execution.forge.set_status(action.repo, action.sha, status)
    return Result(detail={"context": status.context, "says": status.description, "sha": action.sha})


@HANDLERS.on(OpenPull)
def open_pull(execution: Execution, action: OpenPull) -> Result:
    """Open a run's pull request, or find the open one of its branch."""
    pull = execution.forge.open_pull(
        action.repo, head=action.head, base=action.base, title=action.title, body=action.body
    )
    ref, runs = str(pull.ref), execution.ledger.runs
    settle = partial(runs.set_dependency if action.proposes else runs.set_pull, action.run, ref)
    return Result(pull.html_url, {"ref": ref, "url": pull.html_url}, {"opened": ref}, settle=settle)


@HANDLERS.on(EditPull)
def edit_pull(execution: Execution, action: EditPull) -> Result:
    """Change the title or the body of a run's pull request, as long as it is open."""
    if not execution.forge.issue(action.ref).is_open:
        raise Superseded(f"{action.ref} is closed")
    execution.forge.edit(action.ref, title=action.title, body=action.body)
    return Result(detail={"title": action.title is not None, "body": action.body is not None})


@HANDLERS.on(TagDenied, by_core=True)
def tag_denied(execution: Execution, action: TagDenied) -> Result:
    """Tag a rejected head; a second head of the same pull request gets a name of its own."""
    forge, repo, name = execution.forge, action.ref.repo, f"denied/{action.ref.number}"
    message = f"denied by {plain_name(action.by.login)}\n\n{visible(action.why)[:1000]}".strip()
    try:
        forge.tag(repo, name, action.head_sha, message)
    except Conflict:
        name = f"{name}-{action.head_sha[:7]}"
        forge.tag(repo, name, action.head_sha, message)
    return Result(detail={"tag": name})


@HANDLERS.on(CreateTag)
def create_tag(execution: Execution, action: CreateTag) -> Result:
    """Create an annotated tag."""
    execution.forge.tag(action.repo, action.name, action.sha, action.message)
    return Result(detail={"tag": action.name})


@HANDLERS.on(CommitFile)
def commit_file(execution: Execution, action: CommitFile) -> Result:
    """Commit a file of the hive's own repository."""
    content = action.content.encode()
    execution.forge.put_file(action.repo, action.path, content, message=action.message, branch=action.branch)
    return Result(detail={"message": action.message})
