"""Reviews, code comments, and asking for reviews."""

from __future__ import annotations

from flask import Response

from forge.embedded.api.call import Call, answer
from forge.embedded.api.forms import Form
from forge.embedded.api.routes import ApiRoute, login
from forge.embedded.instance import Missing, Refusal
from forge.embedded.services import comments, issues, merging, orgs, people, reviews
from forge.embedded.services.reviews import Remark
from forge.embedded.shapes import pulls as shapes
from forge.embedded.shapes.values import Json
from forge.embedded.state import Row

CREATE = Form("CreatePullReviewOptions", "event body commit_id comments:[]map")
DISMISS = Form("DismissPullReviewOptions", "message priors:bool")
REPLY = Form("CreatePullReviewCommentReplyOptions", "body!")
REQUEST = Form("PullReviewRequestOptions", "reviewers:[]string team_reviewers:[]string")


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
        row for row in rows[(page - 1) * limit : page * limit] if row["state"] != "PENDING" or row["user_id"] == mine
    ]
    return answer([_shape(call, row) for row in shown], headers={"X-Total-Count": str(len(rows))})


def _create(call: Call) -> Json:
    given = call.read(CREATE)
    about = {"sha": given.get("commit_id", ""), "remarks": [_remark(one) for one in given.get("comments", [])]}
    review = reviews.write(call.site, call.actor, _issue(call), given.get("event", ""), given.get("body", ""), **about)
    merging.merge_scheduled(call.site, call.repo)
    return _shape(call, review)


def _remark(given: Row) -> Remark:
    line = int(given.get("new_position") or 0) or -int(given.get("old_position") or 0)
    return Remark(str(given.get("path", "")), line, str(given.get("body", "")))


def _delete(call: Call) -> None:
    reviews.delete(call.site, call.actor, _review(call)[1])


def _remarks(call: Call) -> list[Json]:
    return [shapes.remark(call.site, row, call.viewer) for row in reviews.remarks(call.site, _review(call)[1])]


def _dismiss(call: Call) -> Json:
    if not call.granted.administers:
        raise Refusal(403, "Must be repo admin")
    (issue, review), message = _review(call), call.read(DISMISS).get("message", "")
    return _shape(call, reviews.dismiss(call.site, call.actor, issue, review, message))


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


def _remove_request(call: Call) -> None:
    issue = _issue(call)
    users, teams = _asked(call, call.read(REQUEST))
    for user in users:
        reviews.remove_request(call.site, call.actor, issue, user=user)
    for team in teams:
        reviews.remove_request(call.site, call.actor, issue, team=team)


def _reply(call: Call) -> Json:
    issue, given = _issue(call), call.read(REPLY)
    remark = comments.get(call.site, call.repo, call.number("id"))
    if remark["kind"] != "code" or remark["issue_id"] != issue["id"]:
        raise Missing(f"comment does not exist [id: {call.number('id')}, issue_id: {issue['id']}]")
    return shapes.remark(call.site, reviews.reply(call.site, call.actor, issue, remark, given["body"]), call.viewer)


def _resolve(call: Call) -> None:
    remark, resolved = comments.get(call.site, call.repo, call.number("id")), call.request.path.endswith("/resolve")
    if remark["kind"] != "code":
        raise Refusal(400, "comment does not belong to a review")
    reviews.resolve(call.site, call.actor, call.site.must("issues", remark["issue_id"]), remark, resolved=resolved)


_ALL, _ONE, _ASKED = "~/pulls/<index>/reviews", "~/pulls/<index>/reviews/<id>", "~/pulls/<index>/requested_reviewers"
ROUTES = (
    ApiRoute(f"GET {_ALL}", _index, "repository"),
    ApiRoute(f"POST {_ALL}", _create, "repository", login),
    ApiRoute(f"DELETE {_ONE}", _delete, "repository", login, 204, bare=True),
    ApiRoute(f"GET {_ONE}/comments", _remarks, "repository"),
    ApiRoute(f"POST {_ONE}/dismissals", _dismiss, "repository", login),
    ApiRoute(f"POST {_ASKED}", _request, "repository", login, 201),
    ApiRoute(f"DELETE {_ASKED}", _remove_request, "repository", login, 204, bare=True),
    ApiRoute("POST ~/pulls/<index>/comments/<id>/replies", _reply, "repository", login, 201),
    ApiRoute("POST ~/pulls/comments/<id>/resolve", _resolve, "repository", login, 204, bare=True),
    ApiRoute("POST ~/pulls/comments/<id>/unresolve", _resolve, "repository", login, 204, bare=True),
)
