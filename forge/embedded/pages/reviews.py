"""Reviewing: the changed files with the comments on their lines, and the forms to write and resolve them."""

from __future__ import annotations

from flask import Response

from forge.embedded.instance import Refusal
from forge.embedded.pages import diff_view, line_comments
from forge.embedded.pages.conversation import find, header, path_of
from forge.embedded.pages.page_context import Page, PageContext, clean, natural
from forge.embedded.rules import PULLS
from forge.embedded.services import merging, pulls, reviews
from forge.embedded.services.reviews import Remark
from forge.embedded.state import Row

_EVENTS = {"approve": "APPROVED", "reject": "REQUEST_CHANGES", "comment": "COMMENT"}


def _files(page: PageContext) -> Response:
    """Show the files, with a form below the line that is being commented on."""
    issue = find(page)
    pull = pulls.row(page.site, issue)
    files = diff_view.of_pull(page.site.git(page.repo), pull)
    placed, unplaced = line_comments.place(files, line_comments.of_pull(page, issue))
    return page.render(
        "files.html",
        files=files,
        placed=placed,
        unplaced=unplaced,
        draft=_draft(page),
        **header(page, issue, pull),
    )


def _draft(page: PageContext) -> Remark:
    """The comment of a refused form, or an empty one on the line that was clicked."""
    if written := _written(page):
        return written[-1]
    path, _, position = page.query("comment").rpartition(":")
    line = natural(position.removeprefix("-")) or 0
    return Remark(path, -line if position.startswith("-") else line, "")


def _review(page: PageContext) -> Response:
    """Submit a review: a verdict, a text, and comments on lines."""
    issue, event = find(page), _EVENTS.get(page.field("type"))
    if not event:
        raise Refusal(422, "A review approves, requests changes or comments.")
    reviews.write(page.site, page.actor, issue, event, page.field("content"), said=_written(page))
    merging.merge_scheduled(page.site, page.repo)
    return page.redirect(f"{path_of(page, issue)}#end")


def _written(page: PageContext) -> list[Remark]:
    """The comments of a form; `side` is `old` for a removed line."""
    columns = (page.request.form.getlist(name) for name in ("path", "line", "side", "comment"))
    return [
        Remark(path, -line if side == "old" else line, clean(body))
        for path, number, side, body in zip(*columns, strict=False)
        if (line := natural(number)) and body.strip()
    ]


def _reply(page: PageContext) -> Response:
    issue, comment = _comment(page)
    made = reviews.reply(page.site, page.actor, issue, comment, page.field("content"))
    return page.redirect(f"{path_of(page, issue)}#issuecomment-{made['id']}")


def _resolve(page: PageContext) -> Response:
    """Resolve a conversation, or reopen it."""
    issue, comment = _comment(page)
    first = reviews.conversation(page.site, comment)
    reviews.resolve(page.site, page.actor, issue, first, resolved=page.field("resolved") == "yes")
    return page.redirect(f"{path_of(page, issue)}#issuecomment-{first['id']}")


def _comment(page: PageContext) -> tuple[Row, Row]:
    issue = find(page)
    sql = "SELECT * FROM comments WHERE id = ? AND issue_id = ? AND kind = 'code'"
    comment = page.site.state.row(sql, natural(page.args["id"]) or 0, issue["id"])
    if comment is None or reviews.get(page.site, issue, comment["review_id"])["state"] == "PENDING":
        raise Refusal(404, "There is no such comment.")
    return issue, comment


PAGES = (
    Page("GET ~/pulls/<number>/files", _files, (PULLS,)),
    Page("POST ~/pulls/<number>/reviews", _review, (PULLS,), login=True, form=_files),
    Page("POST ~/pulls/<number>/comments/<id>/replies", _reply, (PULLS,), login=True),
    Page("POST ~/pulls/<number>/comments/<id>/conversation", _resolve, (PULLS,), login=True),
)
