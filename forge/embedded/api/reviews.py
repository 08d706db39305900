"""Reviews, and asking for them."""

from __future__ import annotations

from flask import Response

from forge.embedded.api.call import Call, Route, answer, login
from forge.embedded.api.forms import Form
from forge.embedded.instance import Missing, Refusal
from forge.embedded.services import comments, issues, merging, orgs, people, reviews
from forge.embedded.services.reviews import Remark
from forge.embedded.shapes import pulls as shapes
from forge.embedded.shapes.people import Json
from forge.embedded.state import Row

CREATE = Form(
    "CreatePullReviewOptions", {"event": "string", "body": "string", "commit_id": "string", "comments": "[]map"}
)
SUBMIT = Form("SubmitPullReviewOptions", {"event": "string", "body": "string"})
DISMISS = Form("DismissPullReviewOptions", {"message": "string", "priors": "bool"})
REMARK = Form(
    "CreatePullReviewCommentOptions",
    {"path": "string", "body": "string", "new_position": "int64", "old_position": "int64"},
)
REPLY = Form("CreatePullReviewCommentReplyOptions", {"body": "string"}, ("body",))
REQUEST = Form("PullReviewRequestOptions", {"reviewers": "[]string", "team_reviewers": "[]string"})


def _issue(call: Call) -> Row:
    issue = issues.get(call.site, call.repo, call.number("index"))
    reviews.pull_of(call.site, issue)
    return issue


def _review(call: Call) -> tuple[Row, Row]:
    issue = _issue(call)
    return issue, reviews.get(call.site, issue, call.number("id"))


def _shape(call: Call, row: Row) -> Json:
    return shapes.review(call.site, row, call.viewer)


def _index(call: Call) -> Response:
    rows = [row for row in reviews.of_pull(call.site, _issue(call)) if row["state"] != "REQUEST_REVIEW"]
    page, limit = call.page
    mine = call.viewer["id"] if call.viewer else 0
    # Pending ones of others are hidden, and counted all the same.
    shown = [
        _shape(call, row)
        for row in rows[(page - 1) * limit : page * limit]
        if row["state"] != "PENDING" or row["user_id"] == mine
    ]
    return answer(shown, headers={"X-Total-Count": str(len(rows))})


def _create(call: Call) -> Json:
    given = call.read(CREATE)
    said = [_remark(one) for one in given.get("comments", [])]
    about = {"sha": given.get("commit_id", ""), "said": said}
    review = reviews.write(call.site, call.actor, _issue(call), given.get("event", ""), given.get("body", ""), **about)
    merging.merge_scheduled(call.site, call.repo)
    return _shape(call, review)


def _remark(given: Row) -> Remark:
    line = int(given.get("new_position") or 0) or -int(given.get("old_position") or 0)
    return Remark(str(given.get("path", "")), line, str(given.get("body", "")))


def _show(call: Call) -> Json:
    return _shape(call, _review(call)[1])


def _submit(call: Call) -> Json:
    (issue, review), given = _review(call), call.read(SUBMIT)
    event, body = given.get("event", ""), given.get("body", "")
    if review["state"] != "PENDING":
        raise Refusal(422, "only a pending review can be submitted")
    reviews.refuse(issue, call.actor, event, body, has_remarks=bool(reviews.remarks(call.site, review)))
    return _shape(call, reviews.submit(call.site, call.actor, issue, review, state=event, body=body))


def _delete(call: Call) -> None:
    reviews.delete(call.site, call.actor, _review(call)[1])


def _remarks(call: Call) -> list[Json]:
    return [shapes.remark(call.site, row, call.viewer) for row in reviews.remarks(call.site, _review(call)[1])]


def _add_remark(call: Call) -> Json:
    issue, review = _review(call)
    row = reviews.remark_on(call.site, call.actor, issue, review, _remark(call.read(REMARK)))
    return shapes.remark(call.site, row, call.viewer)


def _dismiss(call: Call) -> Json:
    return _mark(call, dismissed=True)


def _undismiss(call: Call) -> Json:
    return _mark(call, dismissed=False)


def _mark(call: Call, *, dismissed: bool) -> Json:
    if not call.granted.administers:
        raise Refusal(403, "Must be repo admin")
    issue, review = _review(call)
    message = call.read(DISMISS).get("message", "") if dismissed else ""
    return _shape(call, reviews.dismiss(call.site, call.actor, issue, review, message, dismissed=dismissed))


def _asked(call: Call, given: Row) -> tuple[list[Row], list[Row]]:
    """The users and teams that a request names."""
    users, teams = [], []
    for name in given.get("reviewers", []):
        user = people.find(call.site, name)
        if user is None:
            raise Missing(message=f"User '{name}' not exist")
        users.append(user)
    for name in given.get("team_reviewers", []):
        team = orgs.team_named(call.site, call.repo["owner_id"], name)
        if team is None:
            raise Missing(message=f"Team '{name}' not exist")
        teams.append(team)
    return users, teams


def _request(call: Call) -> list[Json]:
    issue = _issue(call)
    users, teams = _asked(call, call.read(REQUEST))
    made = [reviews.request(call.site, call.actor, issue, user) for user in users]
    made += [reviews.request_team(call.site, call.actor, issue, team) for team in teams]
    return [_shape(call, row) for row in made if row]


def _unrequest(call: Call) -> None:
    issue = _issue(call)
    users, teams = _asked(call, call.read(REQUEST))
    for user in users:
        reviews.unrequest(call.site, call.actor, issue, user=user)
    for team in teams:
        reviews.unrequest(call.site, call.actor, issue, team=team)


def _reply(call: Call) -> Json:
    issue, given = _issue(call), call.read(REPLY)
    sql = "SELECT * FROM comments WHERE id = ? AND issue_id = ? AND kind = 'code'"
    remark = call.site.state.row(sql, call.number("id"), issue["id"])
    if remark is None:
        raise Missing(f"comment does not exist [id: {call.number('id')}, issue_id: {issue['id']}]")
    return shapes.remark(call.site, reviews.reply(call.site, call.actor, issue, remark, given["body"]), call.viewer)


def _resolve(call: Call) -> None:
    _end(call, resolved=True)


def _unresolve(call: Call) -> None:
    _end(call, resolved=False)


def _end(call: Call, *, resolved: bool) -> None:
    remark = comments.get(call.site, call.repo, call.number("id"))
    if remark["kind"] != "code":
        raise Refusal(400, "comment does not belong to a review")
    reviews.resolve(call.site, call.actor, call.site.must("issues", remark["issue_id"]), remark, resolved=resolved)


_ALL, _ONE = "~/pulls/<index>/reviews", "~/pulls/<index>/reviews/<id>"
ROUTES = (
    Route(f"GET {_ALL}", _index, "repository"),
    Route(f"POST {_ALL}", _create, "repository", login),
    Route(f"GET {_ONE}", _show, "repository"),
    Route(f"POST {_ONE}", _submit, "repository", login),
    Route(f"DELETE {_ONE}", _delete, "repository", login, 204, bare=True),
    Route(f"GET {_ONE}/comments", _remarks, "repository"),
    Route(f"POST {_ONE}/comments", _add_remark, "repository", login),
    Route("POST ~/pulls/<index>/comments/<id>/replies", _reply, "repository", login, 201),
    Route("POST ~/pulls/comments/<id>/resolve", _resolve, "repository", login, 204, bare=True),
    Route("POST ~/pulls/comments/<id>/unresolve", _unresolve, "repository", login, 204, bare=True),
    Route(f"POST {_ONE}/dismissals", _dismiss, "repository", login),
    Route(f"POST {_ONE}/undismissals", _undismiss, "repository", login),
    Route("POST ~/pulls/<index>/requested_reviewers", _request, "repository", login, 201),
    Route("DELETE ~/pulls/<index>/requested_reviewers", _unrequest, "repository", login, 204, bare=True),
)
