"""Handlers of actions on the base of all containers: the comment about its rollout, and proposals of what the host holds now."""

from __future__ import annotations

import hashlib
from functools import partial

from bots.markdown import listed
from forge import event_keys
from forge.models import FileEdit
from forge.protocol import NotFound
from hive.config import BadYaml
from hive.config.base_yaml import FILE, read_base, with_lock
from hive.ledger.cascades import DELETED
from hive.outbox.actions import ProposeBaseUpdate, ShowCascade
from hive.outbox.cascade_text import cascade_text
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()

MAIN = "main"
BY_PERSON = "a person has deleted the comment"
TITLE = "Update the base of all containers"
BODY = """\
The programs that every container holds are others on the host by now:

{changes}

Merging this rebuilds the containers of all agents one after another, the lead first. One that cannot be rebuilt goes on as it is, and so do all until then.
"""
FIRST = "Nothing was recorded of them so far."
MOST = 50


@HANDLERS.on(ShowCascade)
def show_cascade(execution: Execution, action: ShowCascade) -> Result:
    """Show a cascade as it stands now, in its one comment."""
    cascades = execution.ledger.cascades
    cascade = cascades.get(action.cascade)
    if cascade is None or cascade.comment == DELETED:
        raise Superseded(BY_PERSON)
    marker = execution.marker_of(f"cascade:{cascade.id}")
    body = f"{cascade_text(cascade, cascades.steps(cascade.id))}\n\n{marker}"
    posted = execution.forge.comment(action.ref, body, marker=marker) if cascade.comment == 0 else None
    number = cascade.comment if posted is None else posted.id
    try:
        execution.forge.edit_comment(action.ref, number, body)
    except NotFound:
        execution.forge.issue(action.ref)  # if it is gone itself, or hidden, that is another matter
        return Result(detail={"why": BY_PERSON}, settle=partial(cascades.posted, cascade.id, DELETED))
    key = event_keys.commented(action.ref.repo.forge, number)
    settle = partial(cascades.posted, cascade.id, number)
    return Result("" if posted is None else posted.html_url, {"id": number}, event_key=key, settle=settle)


@HANDLERS.on(ProposeBaseUpdate)
def propose_base_update(execution: Execution, action: ProposeBaseUpdate) -> Result:
    """Open a pull request with another lock, unless the base says so already; an open one for the same lock stays the only one."""
    forge, lock = execution.forge, dict(action.lock)
    try:
        before = forge.file(action.repo, FILE, MAIN).decode("utf-8", "replace")
    except NotFound:
        before = ""
    try:
        old = dict(read_base(before).lock) if before else {}
        text = with_lock(before, lock)
    except BadYaml as error:
        raise Superseded(f"the base cannot be edited: {error}") from error
    if old == lock:
        raise Superseded("the base says so already")
    branch = f"hive/base-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    forge.commit(action.repo, [FileEdit(FILE, text.encode())], message=TITLE, branch=branch, start=MAIN)
    changed = [name for name in sorted(old.keys() | lock.keys()) if old.get(name) != lock.get(name)]
    said = listed(f"{name}: {old.get(name, 'new')} → {lock.get(name, 'gone')}" for name in changed[:MOST])
    body = BODY.format(changes=said if old else f"{FIRST}\n\n{said}").strip()
    pull = forge.open_pull(action.repo, head=branch, base=MAIN, title=TITLE, body=body)
    return Result(pull.html_url, {"ref": str(pull.ref)}, {"opened": str(pull.ref)})
