"""Rows of the route table: path, handler, and what a caller needs for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response

from forge.embedded import rules
from forge.embedded.api.call import Call
from forge.embedded.instance import ForgeInstance, Refusal
from forge.embedded.rules import Mode
from forge.embedded.services import orgs
from forge.embedded.state import Row

Json = dict[str, Any]
Handler = Callable[[Call], Any]
Need = Callable[[Call], object]


def anyone(call: Call) -> None:
    """Needs nothing."""


def login(call: Call) -> Row:
    """Needs a user."""
    return call.actor


def site_admin(call: Call) -> None:
    """Needs a site admin."""
    if not call.actor["is_admin"]:
        raise Refusal(403, "user should be the site admin")


def repo_admin(call: Call) -> None:
    """Needs an admin of the repository."""
    if not (call.actor and call.granted.administers):
        raise Refusal(403, "user should be an owner or a collaborator with admin write of a repository")


def repo_owner(call: Call) -> None:
    """Needs an owner of the repository."""
    if call.actor and call.granted.mode < Mode.OWNER:
        raise Refusal(403, "user should be the owner of the repo")


def org_owner(call: Call) -> Row:
    """Needs an owner of the organisation; answers the organisation."""
    return _ranked(call, Mode.OWNER, "Must be an organization owner")


def org_member(call: Call) -> Row:
    """Needs a member of the organisation; answers the organisation."""
    return _ranked(call, Mode.READ, "Must be an organization member")


def _ranked(call: Call, lowest: Mode, refusal: str) -> Row:
    org = orgs.get(call.site, call.args["org"])
    if orgs.rank(call.site, org, call.actor) < lowest:
        raise Refusal(403, refusal)
    return org


def writes(*units: str) -> Need:
    """Needs write access to one of these units."""

    def need(call: Call) -> None:
        if not (call.actor and call.granted.writes(*units)):
            raise Refusal(403, "user should have a permission to write to a repo")

    return need


def code_writer(call: Call) -> None:
    """Needs write access to the code, in the words of the contents API."""
    if not (call.actor and call.granted.writes(rules.CODE)):
        raise Refusal(403, "user should have a permission to write to this branch")


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One line of the table: method and path, its handler, the token scope it takes, what else it needs.

    `~` stands for `/repos/<owner>/<repo>`. `status` is that of a value, or with `bare` of an empty answer.
    """

    line: str
    handler: Handler
    scope: str = ""
    need: Need = anyone
    status: int = 200
    bare: bool = False

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.line.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path, written out."""
        return self.line.partition(" ")[2].replace("~", "/repos/<owner>/<repo>", 1)

    @property
    def level(self) -> str:
        """What a token needs of the scope."""
        return "read" if self.method == "GET" else "write"


@dataclass(frozen=True, slots=True)
class Resource:
    """Rows of one kind: how they are listed, serialised, created, changed and deleted."""

    rows: Callable[[Call], list[Row]]
    shape: Callable[[ForgeInstance, Row], Any]
    create: Callable[[Call], Row]
    edit: Callable[[Call, Row], Row]
    delete: Callable[[Call, Row], object]

    def routes(self, place: str, scope: str, *, reads: Need, writes: Need) -> tuple[ApiRoute, ...]:
        """The five routes of the resource below a path; rows are known by `<id>`."""
        one = f"{place}/<id>"
        return (
            ApiRoute(f"GET {place}", self._index, scope, reads),
            ApiRoute(f"POST {place}", lambda call: self.shape(call.site, self.create(call)), scope, writes, 201),
            ApiRoute(f"GET {one}", lambda call: self.shape(call.site, self._one(call)), scope, reads),
            ApiRoute(
                f"PATCH {one}", lambda call: self.shape(call.site, self.edit(call, self._one(call))), scope, writes
            ),
            ApiRoute(f"DELETE {one}", lambda call: self.delete(call, self._one(call)), scope, writes, 204, bare=True),
        )

    def _one(self, call: Call) -> Row:
        return call.one(self.rows(call))

    def _index(self, call: Call) -> Response:
        return call.paged(self.rows(call), lambda row: self.shape(call.site, row))
