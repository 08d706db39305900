"""Conversations: comments, timelines, reactions."""

from __future__ import annotations

from typing import Any

from flask import Response

from forge.embedded import events
from forge.embedded.api.call import Call, Route, answer, login
from forge.embedded.api.forms import Form
from forge.embedded.instance import Missing, Refusal, broken
from forge.embedded.services import comments, issues, timeline
from forge.embedded.shapes import issues as shapes
from forge.embedded.shapes.people import Json
from forge.embedded.state import Row

COMMENT = Form("CreateIssueCommentOption", {"body": "string"}, ("body",))
REACTION = Form("EditReactionOption", {"content": "string"})


def _issue(call: Call) -> Row:
    return issues.get(call.site, call.repo, call.number("index"))


def _since(call: Call) -> dict[str, int]:
    return {"since": call.moment("since") or 0, "before": call.moment("before") or 0}


def _conversation(call: Call) -> Response:
    return _all_comments(call, comments.of_issue(call.site, _issue(call), **_since(call)))


def _all_comments(call: Call, rows: list[Row]) -> Response:
    """Comments never come in pages, whatever is asked for."""
    return answer([shapes.comment(call.site, row) for row in rows], headers={"X-Total-Count": str(len(rows))})


def _repo_comments(call: Call) -> Response:
    rows = comments.of_repo(call.site, call.repo, **_since(call))
    return _all_comments(call, rows)


def _comment(call: Call) -> Json:
    issue = issues.find(call.site, call.repo, call.number("index"))
    if issue is None:
        if call.site.flavour.comment_on_unknown >= 500:
            raise broken()
        key = f"id: 0, repo_id: {call.repo['id']}, index: {call.args['index']}"
        raise Missing(f"issue does not exist [{key}]", message="IsErrIssueNotExist")
    if shapes.is_locked(call.site, issue) and not issues.may_write(call.site, call.actor, issue):
        raise Refusal(403, "You cannot comment on a locked issue.")
    body = call.read(COMMENT)["body"]
    crashes = bool(issue["is_pull"]) and call.site.flavour.pull_comment_crashes
    crashes = crashes and events.heard(call.site, call.repo, "pull_request_comment")
    comment = comments.create(call.site, call.actor, issue, body, quiet=crashes)
    if crashes:
        # It is written all the same, and whoever asks again writes it twice.
        raise Refusal(500, html=True)
    return shapes.comment(call.site, comment)


def _said_one(call: Call) -> Row:
    return comments.get(call.site, call.repo, call.number("id"))


def _own_comment(call: Call) -> Row:
    row = _said_one(call)
    if not comments.may_edit(call.site, call.actor, row):
        raise Refusal(403, None)
    return row


def _show_comment(call: Call) -> Json | Response:
    """A comment; what else a timeline holds is there and says nothing, remarks on code and replies to them too."""
    row = _said_one(call)
    return shapes.comment(call.site, row) if row["kind"] == "comment" else Response(status=204)


def _edit_comment(call: Call) -> Json:
    body, old = call.read(COMMENT)["body"], _own_comment(call)
    told = shapes.comment(call.site, comments.edit(call.site, call.actor, old, body))
    return told if body != old["body"] or call.site.flavour.told_when_same else told | {"user": None}


def _delete_comment(call: Call) -> None:
    comments.delete(call.site, call.actor, _own_comment(call))


def _whole_timeline(call: Call) -> Response:
    """As real forges page: no page is no limit, remarks on code count but are left out, the total is that of the page."""
    rows = timeline.rows(call.site, _issue(call), **_since(call), remarks=True)
    if call.query("page"):
        page, limit = call.page
        rows = rows[(page - 1) * limit : page * limit]
    shown = [shapes.timeline_event(call.site, row, call.viewer) for row in rows if row["kind"] != "code"]
    return answer(shown or None, headers={"X-Total-Count": str(len(shown))})


# Reactions
def _reacted(call: Call) -> tuple[Row, int]:
    if "id" in call.args:
        row = _said_one(call)
        return call.site.must("issues", row["issue_id"]), int(row["id"])
    return _issue(call), 0


def _reactions(call: Call) -> Any:
    issue, key = _reacted(call)
    rows = comments.reactions(call.site, issue, comment_id=key)
    if key:
        return [shapes.reaction(call.site, row, call.viewer) for row in rows]
    return call.paged(rows, lambda row: shapes.reaction(call.site, row, call.viewer))


def _react(call: Call) -> Response:
    issue, key = _reacted(call)
    row, new = comments.react(call.site, call.actor, issue, call.read(REACTION).get("content", ""), comment_id=key)
    return answer(shapes.reaction(call.site, row, call.viewer), 201 if new else 200)


def _unreact(call: Call) -> None:
    issue, key = _reacted(call)
    comments.remove_reaction(call.site, call.actor, issue, call.read(REACTION).get("content", ""), comment_id=key)


_ONE = "~/issues/<index>"
_SAID = "~/issues/comments/<id>"
ROUTES = (
    Route("GET ~/issues/comments", _repo_comments, "issue"),
    Route(f"GET {_ONE}/comments", _conversation, "issue"),
    Route(f"POST {_ONE}/comments", _comment, "issue", login, 201),
    Route(f"GET {_SAID}", _show_comment, "issue"),
    Route(f"PATCH {_SAID}", _edit_comment, "issue", login),
    Route(f"DELETE {_SAID}", _delete_comment, "issue", login, 204, bare=True),
    Route(f"GET {_ONE}/timeline", _whole_timeline, "issue"),
    Route(f"GET {_ONE}/reactions", _reactions, "issue"),
    Route(f"POST {_ONE}/reactions", _react, "issue", login),
    Route(f"DELETE {_ONE}/reactions", _unreact, "issue", login, bare=True),
    Route(f"GET {_SAID}/reactions", _reactions, "issue"),
    Route(f"POST {_SAID}/reactions", _react, "issue", login),
    Route(f"DELETE {_SAID}/reactions", _unreact, "issue", login, bare=True),
)
