"""The pages of hooks: what was sent, what came back, and sending it again. Shows no secret."""

from __future__ import annotations

import json

from flask import Response

from forge.embedded.instance import Missing, Refusal
from forge.embedded.pages import look
from forge.embedded.pages.visit import Page, Visit
from forge.embedded.rules import Mode
from forge.embedded.services import hooks, orgs
from forge.embedded.state import Row

_SHOWN = 30


def _index(visit: Visit) -> Response:
    return visit.show("hooks.html", hooks=[_described(hook) for hook in _hooks(visit)])


def _show(visit: Visit) -> Response:
    hook = _one(visit)
    sql = "SELECT * FROM deliveries WHERE hook_id = ? ORDER BY id DESC LIMIT ?"
    return visit.show("hook.html", hook=_described(hook), deliveries=visit.site.state.rows(sql, hook["id"], _SHOWN))


def _replay(visit: Visit) -> Response:
    hook = _one(visit)
    again = hooks.replay(visit.site, hook, visit.args["uuid"])
    return visit.go(f"{visit.home}/settings/hooks/{hook['id']}#{again['uuid']}")


def _hooks(visit: Visit) -> list[Row]:
    """Those of the repository, and for who owns its owner those that hear of all its repositories."""
    if not (visit.actor and visit.granted.administers):
        raise Refusal(403, "Only those who administer the repository see its hooks.")
    found = hooks.of(visit.site, {"repo_id": visit.repo["id"]})
    owner = visit.site.must("users", visit.repo["owner_id"])
    owns = (
        orgs.rank(visit.site, owner, visit.actor) == Mode.OWNER if owner["is_org"] else owner["id"] == visit.actor["id"]
    )
    return found + hooks.of(visit.site, {"owner_id": owner["id"]}) if owns else found


def _one(visit: Visit) -> Row:
    for hook in _hooks(visit):
        if hook["id"] == visit.number:
            return hook
    raise Missing


def _described(hook: Row) -> Row:
    """A hook without its secret, its authorization, and what may be secret in its address."""
    kept = {name: hook[name] for name in ("id", "active", "type", "created", "owner_id")}
    return kept | {"place": look.stripped(hook["url"]), "events": json.loads(hook["events"])}


_ALL = "~/settings/hooks"
PAGES = (
    Page(f"GET {_ALL}", _index, login=True),
    Page(f"GET {_ALL}/<number>", _show, login=True),
    Page(f"POST {_ALL}/<number>/replay/<uuid>", _replay, login=True),
)
