"""Webhooks of repositories, of organisations and of the whole forge: the same calls at three places."""

from __future__ import annotations

from forge.embedded.api.call import Call
from forge.embedded.api.forms import Form
from forge.embedded.api.routes import Resource
from forge.embedded.services import hooks, orgs
from forge.embedded.shapes import repos as shapes
from forge.embedded.state import Row

_ABOUT = "events:[]string branch_filter active:bool authorization_header"
CREATE = Form("CreateHookOption", f"type! config!:map {_ABOUT}")
EDIT = Form("EditHookOption", f"config:map {_ABOUT}")


def _place(call: Call) -> Row:
    """The columns that identify the owner of the webhooks."""
    if call.repo:
        return {"repo_id": call.repo["id"]}
    if "org" in call.args:
        return {"owner_id": orgs.get(call.site, call.args["org"])["id"]}
    return {"is_system": 1}


def _create(call: Call) -> Row:
    return hooks.create(call.site, _place(call), call.read(CREATE))


HOOKS = Resource(
    rows=lambda call: hooks.of(call.site, _place(call)),
    shape=shapes.hook,
    create=_create,
    edit=lambda call, hook: hooks.edit(call.site, hook, call.read(EDIT)),
    delete=lambda call, hook: hooks.delete(call.site, hook),
)
