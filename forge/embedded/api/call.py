"""One API call: its caller, its arguments, and the form of its response."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Request, Response

from forge.embedded.api.forms import Form, moment
from forge.embedded.identity import Identity
from forge.embedded.instance import ForgeInstance, Missing, Refusal
from forge.embedded.rules import NO_ACCESS, Access
from forge.embedded.state import Row

PAGE, MOST = 30, 50


@dataclass
class Call:
    """A request, with its caller and permissions."""

    site: ForgeInstance
    request: Request
    args: dict[str, str]
    identity: Identity
    repo: Row = field(default_factory=dict)
    granted: Access = NO_ACCESS

    @property
    def viewer(self) -> Row | None:
        """The caller; None for anonymous requests."""
        return self.identity.user

    @property
    def actor(self) -> Row:
        """The caller; anonymous requests are refused."""
        if self.identity.user is None:
            raise Refusal(401, "token is required")
        return self.identity.user

    def query(self, name: str, default: str = "") -> str:
        """A parameter of the query."""
        return self.request.args.get(name, default)

    def moment(self, name: str) -> int | None:
        """A time of the query."""
        return moment(self.query(name)) if self.query(name) else None

    def number(self, name: str) -> int:
        """A number in the path; anything else is not found."""
        if not self.args[name].isdigit():
            raise Missing
        return int(self.args[name])

    def read(self, form: Form) -> Row:
        """The body."""
        return form.read(self.request)

    def one(self, rows: Sequence[Row]) -> Row:
        """The row whose id is in the path; raises Missing."""
        found = [row for row in rows if row["id"] == self.number("id")]
        if not found:
            raise Missing
        return found[0]

    def paged(self, rows: Sequence[Any], shape: Callable[[Any], Any], *, links: bool = False) -> Response:
        """One page of a list and its total; `links` adds the header that real forges send with some lists only."""
        page, limit = self.page
        shown = [shape(row) for row in rows[(page - 1) * limit : page * limit]]
        headers = {"X-Total-Count": str(len(rows))}
        if links and (other_pages := self._links(page, limit, len(rows))):
            headers["Link"] = other_pages
        return answer(shown, headers=headers)

    @property
    def page(self) -> tuple[int, int]:
        """The requested page, and the number of rows on it."""
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
    """A JSON response."""
    text = json.dumps(value, ensure_ascii=False) + "\n"
    return Response(text, status, headers, content_type="application/json;charset=utf-8")


def empty(status: int, headers: dict[str, str] | None = None) -> Response:
    """An empty response without a content type."""
    response = Response(status=status, headers=headers)
    response.headers.pop("Content-Type")
    return response
