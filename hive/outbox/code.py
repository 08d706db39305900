"""Handlers of actions on commits, branches and tags."""

from __future__ import annotations

from bots.intents import SetStatus, TagDenied, TagProposal
from bots.markdown import plain_name, visible
from forge.models import FileEdit, Repo
from forge.protocol import Conflict, Forge
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
    return Result(detail={"tag": _tag(forge, repo, name, action.head_sha, message)})


@HANDLERS.on(TagProposal, by_core=True)
def tag_proposal(execution: Execution, action: TagProposal) -> Result:
    """Tag an evaluated head with its number among the heads of its pull request; a taken name gets the head's own."""
    forge, ref = execution.forge, action.ref
    heads = execution.ledger.proposals.heads(str(ref))
    number = heads.index(action.head_sha) + 1 if action.head_sha in heads else len(heads) + 1
    name, message = f"proposal/{ref.number}-{number}", f"evaluated for {ref.repo.path}#{ref.number}"
    return Result(detail={"tag": _tag(forge, ref.repo, name, action.head_sha, message)})


@HANDLERS.on(CreateTag)
def create_tag(execution: Execution, action: CreateTag) -> Result:
    """Create an annotated tag."""
    return Result(detail={"tag": _tag(execution.forge, action.repo, action.name, action.sha, action.message)})


@HANDLERS.on(CommitFile)
def commit_file(execution: Execution, action: CommitFile) -> Result:
    """Commit a file of the hive's own repository."""
    edit = FileEdit(action.path, action.content.encode())
    execution.forge.commit(action.repo, [edit], message=action.message, branch=action.branch, start=action.start)
    return Result(detail={"message": action.message})


def _tag(forge: Forge, repo: Repo, name: str, sha: str, message: str) -> str:
    """Tag a commit; returns the name. Where somebody has put another commit under it, its own abbreviation is added.

    Who may push to a repository may push tags: none of them counts, what was pinned and deployed is in the ledger.
    """
    try:
        forge.tag(repo, name, sha, message)
    except Conflict:
        name = f"{name}-{sha[:7]}"
        forge.tag(repo, name, sha, message)
    return name
