"""Pull requests: opening one, its commits and its diff as text, merging it and updating its branch."""

from __future__ import annotations

from flask import Response

from forge.embedded import diffs
from forge.embedded.git import EMPTY_TREE
from forge.embedded.instance import Missing, Refusal
from forge.embedded.pages import diff_view, merge_box
from forge.embedded.pages.code import commit_rows, resolve
from forge.embedded.pages.conversation import find, header, path_of, show
from forge.embedded.pages.page_context import Page, PageContext
from forge.embedded.rules import CODE, PULLS
from forge.embedded.services import merging, pulls
from forge.embedded.services.merging import Wish


def _commits(page: PageContext) -> Response:
    issue = find(page)
    pull = pulls.row(page.site, issue)
    commits = commit_rows(page, "--reverse", diff_view.commit_range(pull))
    return page.render("pull_commits.html", commits=commits, **header(page, issue, pull))


def _plain_text(page: PageContext) -> Response:
    """The diff, or the commits as patches for `git am`."""
    pull = pulls.row(page.site, find(page))
    if not pull["merge_base"]:
        raise Missing
    make = diffs.patch if page.request.path.endswith(".patch") else diffs.text
    content = make(page.site.git(page.repo), pull["merge_base"], pull["head_sha"])
    return Response(content, content_type="text/plain; charset=utf-8")


def _merge(page: PageContext) -> Response:
    issue, style = find(page), page.field("do")
    if style not in dict(merge_box.styles(page.repo)):
        raise Refusal(422, f"This is not a merge style of this repository: {style or 'none'}")
    head = page.require("head_commit_id", "A merge must name the commit that was reviewed.")
    delete_branch = page.field("delete_branch_after_merge") == "on"
    merging.merge(page.site, page.actor, issue, Wish(style, head_sha=head, delete_branch=delete_branch))
    return page.redirect(f"{path_of(page, issue)}#end")


def _update(page: PageContext) -> Response:
    issue = find(page)
    merging.update(page.site, page.actor, issue, "merge")
    return page.redirect(f"{path_of(page, issue)}#end")


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


_ONE = "~/pulls/<number>"
PAGES = (
    Page("GET ~/compare/<path:range>", _compare, (CODE,)),
    Page("POST ~/compare/<path:range>", _open, (CODE,), login=True, form=_compare),
    Page(f"GET {_ONE}/commits", _commits, (PULLS,)),
    Page(f"GET {_ONE}.diff", _plain_text, (PULLS,)),
    Page(f"GET {_ONE}.patch", _plain_text, (PULLS,)),
    Page(f"POST {_ONE}/merge", _merge, (PULLS,), login=True, form=show),
    Page(f"POST {_ONE}/update", _update, (PULLS,), login=True, form=show),
)
