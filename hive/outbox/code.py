"""Handlers of actions on commits, branches and tags."""

from __future__ import annotations

from bots.intents import SetStatus, TagDenied
from bots.markdown import plain_name, visible
from forge.models import FileEdit
from forge.protocol import Conflict
from hive.outbox.actions import CommitFile, CreateTag
from hive.outbox.registry import Execution, Registry, Result

HANDLERS = Registry()


@HANDLERS.on(SetStatus, by_core=True)
def set_status(execution: Execution, action: SetStatus) -> Result:
    """Set a commit status."""
    status = action.status
    execution.forge.set_status(action.repo, action.sha, status)
    return Result(detail={"context": status.context, "says": status.description, "sha": action.sha})


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
    edit = FileEdit(action.path, action.content.encode())
    execution.forge.commit(action.repo, [edit], message=action.message, branch=action.branch, start=action.start)
    return Result(detail={"message": action.message})
