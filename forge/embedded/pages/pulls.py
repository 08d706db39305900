"""Pull requests: opening, reviewing line by line, merging, and updating the branch."""

from __future__ import annotations

from flask import Response

from forge.embedded import diffs
from forge.embedded.git import EMPTY_TREE
from forge.embedded.instance import Missing, Refusal
from forge.embedded.pages import diff_view
from forge.embedded.pages.code import commit_rows, resolve
from forge.embedded.pages.issues import commit_range, header, show
from forge.embedded.pages.merge_box import MergeBox
from forge.embedded.pages.page_context import Page, PageContext, clean, natural
from forge.embedded.rules import CODE, PULLS
from forge.embedded.services import merging, pulls, reviews
from forge.embedded.services.merging import MergeOptions
from forge.embedded.services.reviews import Remark
from forge.embedded.state import Row

_EVENTS = {"approve": "APPROVED", "reject": "REQUEST_CHANGES", "comment": "COMMENT"}


def _commits(page: PageContext) -> Response:
    commits = commit_rows(page, "--reverse", commit_range(page.pull))
    return page.render("pull_commits.html", commits=commits, **header(page))


def _plain_text(page: PageContext) -> Response:
    """The diff, or the commits as patches for `git am`."""
    if not page.pull["merge_base"]:
        raise Missing
    make = diffs.patch if page.request.path.endswith(".patch") else diffs.text
    content = make(page.site.git(page.repo), page.pull["merge_base"], page.pull["head_sha"])
    return Response(content, content_type="text/plain; charset=utf-8")


def _merge(page: PageContext) -> Response:
    style = page.field("do")
    if style not in MergeBox(page).styles:
        raise Refusal(422, f"This is not a merge style of this repository: {style or 'none'}")
    head = page.require("head_commit_id", "A merge must name the commit that was reviewed.")
    delete_branch = page.field("delete_branch_after_merge") == "on"
    merging.merge(page.site, page.actor, page.issue, MergeOptions(style, head_sha=head, delete_branch=delete_branch))
    return page.redirect(f"{page.issue_home}#end")


def _update(page: PageContext) -> Response:
    merging.update(page.site, page.actor, page.issue, "merge")
    return page.redirect(f"{page.issue_home}#end")


def _compare(page: PageContext) -> Response:
    """Show what a branch or commit has that another lacks, with a form that opens a pull request."""
    base, head = _range(page)
    old, new = (resolve(page, "branch", name) or resolve(page, "commit", name) for name in (base, head))
    if not old or not new:
        raise Missing
    git = page.site.git(page.repo)
    return page.render(
        "compare.html",
        base=base,
        head=head,
        is_branch=bool(resolve(page, "branch", head)),
        commits=commit_rows(page, f"{old}..{new}"),
        files=diff_view.files(git, git.merge_base(old, new) or EMPTY_TREE, new),
    )


def _range(page: PageContext) -> tuple[str, str]:
    base, _, head = page.args["range"].rpartition("...")
    return base or page.repo["default_branch"], head


def _open(page: PageContext) -> Response:
    base, head = _range(page)
    title, body = page.require("title", "A pull request needs a title."), page.field("content")
    made = pulls.create(page.site, page.actor, page.repo, title=title, body=body, base=base, head=head)
    return page.redirect(f"{page.home}/pulls/{made['number']}")


def _files(page: PageContext) -> Response:
    """Show the files, with a form below the line that is being commented on."""
    base = page.pull["merge_base"] or EMPTY_TREE
    files = diff_view.files(page.site.git(page.repo), base, page.pull["head_sha"])
    placed, unplaced = diff_view.place(files, diff_view.comments_on_lines(page))
    values = {"files": files, "placed": placed, "unplaced": unplaced, "draft": _draft(page)}
    return page.render("files.html", **values, **header(page))


def _draft(page: PageContext) -> Remark:
    """The comment of a refused form, or an empty one on the line that was clicked."""
    if written := _written(page):
        return written[-1]
    path, _, position = page.query("comment").rpartition(":")
    line = natural(position.removeprefix("-")) or 0
    return Remark(path, -line if position.startswith("-") else line, "")


def _review(page: PageContext) -> Response:
    """Submit a review: a verdict, a text, and comments on lines."""
    event = _EVENTS.get(page.field("type"))
    if not event:
        raise Refusal(422, "A review approves, requests changes or comments.")
    reviews.write(page.site, page.actor, page.issue, event, page.field("content"), remarks=_written(page))
    merging.merge_scheduled(page.site, page.repo)
    return page.redirect(f"{page.issue_home}#end")


def _written(page: PageContext) -> list[Remark]:
    """The comments of a form; `side` is `old` for a removed line."""
    columns = (page.request.form.getlist(name) for name in ("path", "line", "side", "comment"))
    return [
        Remark(path, -line if side == "old" else line, clean(body))
        for path, number, side, body in zip(*columns, strict=False)
        if (line := natural(number)) and body.strip()
    ]


def _reply(page: PageContext) -> Response:
    made = reviews.reply(page.site, page.actor, page.issue, _line_comment(page), page.field("content"))
    return page.redirect(f"{page.issue_home}#issuecomment-{made['id']}")


def _resolve(page: PageContext) -> Response:
    """Resolve a conversation on a line, or reopen it."""
    first = reviews.conversation(page.site, _line_comment(page))
    reviews.resolve(page.site, page.actor, page.issue, first, resolved=page.field("resolved") == "yes")
    return page.redirect(f"{page.issue_home}#issuecomment-{first['id']}")


def _line_comment(page: PageContext) -> Row:
    sql = "SELECT * FROM comments WHERE id = ? AND issue_id = ? AND kind = 'code'"
    comment = page.site.state.row(sql, natural(page.args["id"]) or 0, page.issue["id"])
    if comment is None or reviews.get(page.site, page.issue, comment["review_id"])["state"] == "PENDING":
        raise Missing(message="There is no such comment.")
    return comment


_ONE = "~/pulls/<number>"
PAGES = (
    Page("GET", "~/compare/<path:range>", _compare, (CODE,)),
    Page("POST", "~/compare/<path:range>", _open, (CODE,), login=True, form=_compare),
    Page("GET", f"{_ONE}/commits", _commits, (PULLS,)),
    Page("GET", f"{_ONE}.diff", _plain_text, (PULLS,)),
    Page("GET", f"{_ONE}.patch", _plain_text, (PULLS,)),
    Page("POST", f"{_ONE}/merge", _merge, (PULLS,), login=True, form=show),
    Page("POST", f"{_ONE}/update", _update, (PULLS,), login=True, form=show),
    Page("GET", f"{_ONE}/files", _files, (PULLS,)),
    Page("POST", f"{_ONE}/reviews", _review, (PULLS,), login=True, form=_files),
    Page("POST", f"{_ONE}/comments/<id>/replies", _reply, (PULLS,), login=True),
    Page("POST", f"{_ONE}/comments/<id>/conversation", _resolve, (PULLS,), login=True),
)
