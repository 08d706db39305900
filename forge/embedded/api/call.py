"""One call of the API: who asks, for what, and what the answer looks like; and the table row that leads to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Request, Response

from forge.embedded import rules
from forge.embedded.api.forms import Form, moment
from forge.embedded.identity import Identity
from forge.embedded.instance import ForgeInstance, Missing, Refusal
from forge.embedded.rules import NO_ACCESS, Access, Mode
from forge.embedded.state import Row

PAGE, MOST = 30, 50


@dataclass
class Call:
    """A request with what was found out about it before its handler runs."""

    site: ForgeInstance
    request: Request
    args: dict[str, str]
    identity: Identity
    repo: Row = field(default_factory=dict)
    granted: Access = NO_ACCESS

    @property
    def viewer(self) -> Row | None:
        """Who asks, None for nobody in particular."""
        return self.identity.user

    @property
    def actor(self) -> Row:
        """Who acts; refuses nobody in particular."""
        if self.identity.user is None:
            raise Refusal(401, "token is required")
        return self.identity.user

    def query(self, name: str, default: str = "") -> str:
        """A parameter of the query."""
        return self.request.args.get(name, default)

    def flag(self, name: str) -> bool:
        """A yes or no of the query."""
        return self.query(name).lower() in {"1", "true", "on"}

    def moment(self, name: str) -> int | None:
        """A time of the query."""
        return moment(self.query(name)) if self.query(name) else None

    def number(self, name: str) -> int:
        """A number of the path; what is none is not there."""
        if not self.args[name].isdigit():
            raise Missing
        return int(self.args[name])

    def read(self, form: Form) -> Row:
        """The body."""
        return form.read(self.request)

    def paged(self, rows: Sequence[Any], shape: Callable[[Any], Any], *, links: bool = False) -> Response:
        """One page of a list, with the headers that tell of the others: a real forge gives `links` on some lists only."""
        page, limit = self.page
        shown = [shape(row) for row in rows[(page - 1) * limit : page * limit]]
        headers = {"X-Total-Count": str(len(rows))}
        if links and (told := self._links(page, limit, len(rows))):
            headers["Link"] = told
        return answer(shown, headers=headers)

    @property
    def page(self) -> tuple[int, int]:
        """Which page of how many rows is asked for."""
        limit = min(_positive(self.query("limit")) or PAGE, MOST)
        return _positive(self.query("page")) or 1, limit

    def _links(self, page: int, limit: int, total: int) -> str:
        last = -(-total // limit)
        if last <= 1:
            return ""
        wanted = {"next": page + 1, "last": last} if page < last else {}
        wanted |= {"first": 1, "prev": min(page - 1, last)} if page > 1 else {}
        place = f"{self.site.url}{self.request.path}"
        query = self.request.args.to_dict()
        urls = {
            name: f"{place}?{urlencode(sorted((query | {'page': str(number)}).items()))}"
            for name, number in wanted.items()
        }
        return ",".join(f'<{url}>; rel="{name}"' for name, url in urls.items())


def _positive(text: str) -> int:
    return int(text) if text.isdigit() else 0


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A value as JSON."""
    text = json.dumps(value, ensure_ascii=False) + "\n"
    return Response(text, status, headers, content_type="application/json;charset=utf-8")


def empty(status: int, headers: dict[str, str] | None = None) -> Response:
    """Nothing, without saying of what type."""
    response = Response(status=status, headers=headers)
    response.headers.pop("Content-Type")
    return response


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


def writes(*units: str) -> Need:
    """Needs the right to change one of these units."""

    def need(call: Call) -> None:
        if not (call.actor and call.granted.writes(*units)):
            raise Refusal(403, "user should have a permission to write to a repo")

    return need


def code_writer(call: Call) -> None:
    """Needs the right to change code, in the words of the contents API."""
    if not (call.actor and call.granted.writes(rules.CODE)):
        raise Refusal(403, "user should have a permission to write to this branch")


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table: method and path, who handles it, which scope of a token it takes, what else it needs.

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
        """The rest of the line, written out."""
        return self.line.partition(" ")[2].replace("~", "/repos/<owner>/<repo>", 1)

    @property
    def level(self) -> str:
        """What a token needs of the scope."""
        return "read" if self.method == "GET" else "write"
