"""Conversations: comments, timelines, reactions."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded import events
from forge.embedded.api.call import Call, answer
from forge.embedded.api.forms import Form
from forge.embedded.api.routes import ApiRoute, login
from forge.embedded.instance import Refusal, broken
from forge.embedded.services import comments, issues, timeline
from forge.embedded.shapes import issues as shapes
from forge.embedded.shapes.values import Json
from forge.embedded.state import Row

COMMENT = Form("CreateIssueCommentOption", "body!")
REACTION = Form("EditReactionOption", "content")


def _issue(call: Call) -> Row:
    return issues.get(call.site, call.repo, call.number("index"))


def _since(call: Call) -> dict[str, int]:
    return {"since": call.moment("since") or 0, "before": call.moment("before") or 0}


def _comments(call: Call) -> Response:
    return _unpaged(call, comments.of_issue(call.site, _issue(call), **_since(call)))


def _repo_comments(call: Call) -> Response:
    return _unpaged(call, comments.of_repo(call.site, call.repo, **_since(call)))


def _unpaged(call: Call, rows: list[Row]) -> Response:
    """All comments: real forges do not page them, whatever is asked for."""
    return answer([shapes.comment(call.site, row) for row in rows], headers={"X-Total-Count": str(len(rows))})


def _create(call: Call) -> Json:
    issue = issues.find(call.site, call.repo, call.number("index"))
    if issue is None:
        unexpected = call.site.flavour.comment_on_unknown >= 500
        raise broken() if unexpected else issues.unknown(call.repo, call.number("index"))
    if shapes.is_locked(call.site, issue) and not issues.may_write(call.site, call.actor, issue):
        raise Refusal(403, "You cannot comment on a locked issue.")
    body = call.read(COMMENT)["body"]
    crashes = bool(issue["is_pull"]) and call.site.flavour.pull_comment_crashes
    crashes = crashes and events.is_subscribed(call.site, call.repo, "pull_request_comment")
    comment = comments.create(call.site, call.actor, issue, body, quiet=crashes)
    if crashes:
        # It is written all the same, and a client that tries again writes it twice.
        raise Refusal(500, html=True)
    return shapes.comment(call.site, comment)


def _comment(call: Call) -> Row:
    return comments.get(call.site, call.repo, call.number("id"))


def _editable(call: Call) -> Row:
    row = _comment(call)
    if not comments.may_edit(call.site, call.actor, row):
        raise Refusal(403, None)
    return row


def _show(call: Call) -> Json | Response:
    """A comment; 204 for any other row of a timeline, code comments and replies to them too."""
    row = _comment(call)
    return shapes.comment(call.site, row) if row["kind"] == "comment" else Response(status=204)


def _edit(call: Call) -> Json:
    body, old = call.read(COMMENT)["body"], _editable(call)
    shape = shapes.comment(call.site, comments.edit(call.site, call.actor, old, body))
    return shape if body != old["body"] or call.site.flavour.told_when_same else shape | {"user": None}


def _delete(call: Call) -> None:
    comments.delete(call.site, call.actor, _editable(call))


def _timeline(call: Call) -> Response:
    """A timeline in pages: without a page there is no limit, code comments count and are left out."""
    rows = timeline.rows(call.site, _issue(call), **_since(call), remarks=True)
    if call.query("page"):
        page, limit = call.page
        rows = rows[(page - 1) * limit : page * limit]
    shown = [shapes.timeline_event(call.site, row, call.viewer) for row in rows if row["kind"] != "code"]
    return answer(shown or None, headers={"X-Total-Count": str(len(shown))})


# Reactions
def _subject(call: Call) -> tuple[Row, int]:
    """The issue and the id of the comment that are reacted to; 0 for the issue itself."""
    if "id" in call.args:
        row = _comment(call)
        return call.site.must("issues", row["issue_id"]), int(row["id"])
    return _issue(call), 0


def _reactions(call: Call) -> Any:
    issue, key = _subject(call)
    rows = comments.reactions(call.site, issue, comment_id=key)
    if key:
        return [shapes.reaction(call.site, row, call.viewer) for row in rows]
    return call.paged(rows, lambda row: shapes.reaction(call.site, row, call.viewer))


def _react(call: Call) -> Response:
    issue, key = _subject(call)
    row, new = comments.react(call.site, call.actor, issue, call.read(REACTION).get("content", ""), comment_id=key)
    return answer(shapes.reaction(call.site, row, call.viewer), 201 if new else 200)


def _remove_reaction(call: Call) -> None:
    issue, key = _subject(call)
    comments.remove_reaction(call.site, call.actor, issue, call.read(REACTION).get("content", ""), comment_id=key)


_ISSUE, _COMMENT = "~/issues/<index>", "~/issues/comments/<id>"
ROUTES = (
    ApiRoute("GET ~/issues/comments", _repo_comments, "issue"),
    ApiRoute(f"GET {_ISSUE}/comments", _comments, "issue"),
    ApiRoute(f"POST {_ISSUE}/comments", _create, "issue", login, 201),
    ApiRoute(f"GET {_ISSUE}/timeline", _timeline, "issue"),
    ApiRoute(f"GET {_COMMENT}", _show, "issue"),
    ApiRoute(f"PATCH {_COMMENT}", _edit, "issue", login),
    ApiRoute(f"DELETE {_COMMENT}", _delete, "issue", login, 204, bare=True),
    *(
        route
        for place in (_ISSUE, _COMMENT)
        for route in (
            ApiRoute(f"GET {place}/reactions", _reactions, "issue"),
            ApiRoute(f"POST {place}/reactions", _react, "issue", login),
            ApiRoute(f"DELETE {place}/reactions", _remove_reaction, "issue", login, bare=True),
        )
    ),
)
