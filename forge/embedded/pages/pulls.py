"""Pull requests: opening one, its commits and files, merging it and bringing it up to date."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response

from forge.embedded import diffs
from forge.embedded.git import EMPTY_TREE, SHA
from forge.embedded.instance import Missing, Refusal
from forge.embedded.pages import changes, code, mergebox, talk
from forge.embedded.pages.visit import Page, Visit, words
from forge.embedded.rules import CODE, PULLS
from forge.embedded.services import merging, pulls, repos
from forge.embedded.services.merging import Wish
from forge.embedded.state import Row


def one(visit: Visit) -> tuple[Row, Row]:
    """The pull request of the path: its issue and its own row."""
    issue = talk.one(visit)
    return issue, pulls.row(visit.site, issue)


def _commits(visit: Visit) -> Response:
    issue, pull = one(visit)
    found = visit.site.git(visit.repo).commits(changes.commits_of(pull), changes=False)
    shown = [(commit, code.account(visit, commit), tuple(mergebox.checks(visit, commit.sha))) for commit in found]
    return visit.show("pull_commits.html", commits=shown[::-1], **talk.head(visit, issue, pull))


def _diff(visit: Visit) -> Response:
    _, pull = one(visit)
    return _text(diffs.text(visit.site.git(visit.repo), pull["merge_base"] or EMPTY_TREE, pull["head_sha"]))


def _patch(visit: Visit) -> Response:
    _, pull = one(visit)
    if not pull["merge_base"]:
        raise Missing
    return _text(diffs.patch(visit.site.git(visit.repo), pull["merge_base"], pull["head_sha"]))


def _text(content: bytes) -> Response:
    return Response(content, content_type="text/plain; charset=utf-8")


def _merge(visit: Visit) -> Response:
    issue, _ = one(visit)
    try:
        merging.merge(visit.site, visit.actor, issue, _wish(visit))
    except Refusal as refusal:
        return _refused(visit, issue, refusal)
    return visit.go(f"{talk.path_of(visit, issue)}#end")


def _wish(visit: Visit) -> Wish:
    style = visit.field("do")
    if style not in dict(mergebox.styles(visit.repo)):
        raise Refusal(422, f"This is not a merge style of this repository: {style or 'none'}")
    head = visit.need("head_commit_id", "A merge has to say which commit was looked at.")
    return Wish(style, head_sha=head, delete_branch=visit.field("delete_branch_after_merge") == "on")


def _update(visit: Visit) -> Response:
    issue, _ = one(visit)
    try:
        merging.update(visit.site, visit.actor, issue, "merge")
    except Refusal as refusal:
        return _refused(visit, issue, refusal)
    return visit.go(f"{talk.path_of(visit, issue)}#end")


def _refused(visit: Visit, issue: Row, refusal: Refusal) -> Response:
    # 405 is the API's word for "not now"; a browser would take it for a wrong method.
    status = 409 if refusal.status == 405 else refusal.status
    return talk.page(visit, visit.site.must("issues", issue["id"]), refused=words(refusal), status=status)


# New ones
def _compare(visit: Visit) -> Response:
    base, dots, head = visit.args["range"].partition("...")
    sides = {"base": base, "head": head} if dots else {"head": base}
    return visit.go(f"{visit.home}/pulls/new?{urlencode(sides)}")


def _new(visit: Visit) -> Response:
    base = visit.query("base") or visit.repo["default_branch"]
    return _form(
        visit,
        {"head": visit.query("head"), "base": base, "title": visit.query("title"), "content": visit.query("body")},
    )


def _form(visit: Visit, typed: Row, refused: str = "", status: int = 200) -> Response:
    names = code.branches(visit)
    sides = {side: [*names, *([typed[side]] if typed[side] not in {"", *names} else [])] for side in ("base", "head")}
    shown = {"typed": typed, "sides": sides, "refused": refused, "is_possible": not SHA.fullmatch(typed["head"])}
    return visit.show("pull_new.html", status, **shown, **_preview(visit, typed))


def _preview(visit: Visit, typed: Row) -> Row:
    """What would be merged; nothing for a head in a fork, which is fetched only when the pull request is opened."""
    git = visit.site.git(visit.repo)
    onto, tip = (_commit(visit, typed[side]) for side in ("base", "head"))
    if not onto or not tip:
        return {"found": None, "commits": [], "files": ()}
    found = pulls.facts(git, onto, tip)
    listed = git.commits(f"{onto}..{tip}", changes=False)
    files = changes.files(git, found.merge_base or EMPTY_TREE, tip)
    return {"found": found, "commits": [(commit, code.account(visit, commit), ()) for commit in listed], "files": files}


def _commit(visit: Visit, name: str) -> str:
    """The tip of a branch, or a commit by its own name."""
    is_sha = SHA.fullmatch(name) is not None
    return visit.site.git(visit.repo).resolve(name) if is_sha else repos.tip(visit.site, visit.repo, name)


def _create(visit: Visit) -> Response:
    typed = {name: visit.field(name) for name in ("head", "base", "title", "content")}
    try:
        visit.need("title", "A pull request needs a title.")
        about = {name: typed[name] for name in ("head", "base", "title")}
        made = pulls.create(visit.site, visit.actor, visit.repo, body=typed["content"], **about)
    except Refusal as refusal:
        return _form(visit, typed, words(refusal), refusal.status)
    return visit.go(f"{visit.home}/pulls/{made['number']}")


_ONE = "~/pulls/<number>"
PAGES = (
    Page("GET ~/compare/<path:range>", _compare, (CODE,)),
    Page("GET ~/pulls/new", _new, (CODE,), login=True),
    Page("POST ~/pulls/new", _create, (PULLS,), login=True),
    Page(f"GET {_ONE}/commits", _commits, (PULLS,)),
    Page(f"GET {_ONE}.diff", _diff, (PULLS,)),
    Page(f"GET {_ONE}.patch", _patch, (PULLS,)),
    Page(f"POST {_ONE}/merge", _merge, (PULLS,), login=True),
    Page(f"POST {_ONE}/update", _update, (PULLS,), login=True),
)
