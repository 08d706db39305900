"""What concerns nobody in particular, and notifications."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded.api.call import MOST, PAGE, Call, Route, login
from forge.embedded.dialect import shaped
from forge.embedded.instance import Missing
from forge.embedded.services import feed
from forge.embedded.shapes import issues as shapes
from forge.embedded.shapes.people import Json
from forge.embedded.state import Row


def _version(call: Call) -> Json:
    return {"version": call.site.flavour.version}


def _settings_api(call: Call) -> Json:
    sizes = {
        "max_response_items": MOST,
        "default_paging_num": PAGE,
        "default_git_trees_per_page": 1000,
        "default_max_blob_size": 10485760,
        "default_max_response_size": 104857600,
    }
    return shaped(call.site.flavour, "settings_api", sizes)


def _settings_repository(call: Call) -> Json:
    kinds = ("mirrors", "http_git", "migrations", "stars", "forks", "time_tracking", "lfs")
    return shaped(call.site.flavour, "settings_repository", {f"{kind}_disabled": kind == "lfs" for kind in kinds})


def _notifications(call: Call) -> Response:
    rows = feed.notices(call.site, call.actor, repo=call.repo or None, unread_only=not call.flag("all"))
    since = call.moment("since")
    rows = [row for row in rows if since is None or row["updated"] >= since]
    return call.paged(rows, lambda row: _shape(call, row))


def _read_all(call: Call) -> list[Any]:
    rows = feed.notices(call.site, call.actor, repo=call.repo or None)
    return [_shape(call, feed.read(call.site, row)) for row in rows]


def _count(call: Call) -> Json:
    return {"new": len(feed.notices(call.site, call.actor))}


def _thread(call: Call) -> Json:
    return _shape(call, _own(call))


def _read_thread(call: Call) -> Json:
    return _shape(call, feed.read(call.site, _own(call)))


def _own(call: Call) -> Row:
    row = call.site.must("notices", call.number("id"))
    if row["user_id"] != call.actor["id"]:
        raise Missing
    return row


def _shape(call: Call, row: Row) -> Json:
    return shapes.notice(call.site, row, call.actor)


ROUTES = (
    Route("GET /version", _version),
    Route("GET /settings/api", _settings_api),
    Route("GET /settings/repository", _settings_repository),
    Route("GET /notifications", _notifications, "notification", login),
    Route("PUT /notifications", _read_all, "notification", login, 205),
    Route("GET /notifications/new", _count, "notification", login),
    Route("GET /notifications/threads/<id>", _thread, "notification", login),
    Route("PATCH /notifications/threads/<id>", _read_thread, "notification", login, 205),
    Route("GET ~/notifications", _notifications, "notification", login),
    Route("PUT ~/notifications", _read_all, "notification", login, 205),
)
