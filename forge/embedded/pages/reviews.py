"""Reviewing: the changed files with what was said about their lines, and the form in which it is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask import Response

from forge.embedded.instance import Refusal
from forge.embedded.pages import changes, pulls, remarks, talk
from forge.embedded.pages.changes import File
from forge.embedded.pages.visit import Page, Visit, natural, words
from forge.embedded.rules import PULLS
from forge.embedded.services import merging, reviews
from forge.embedded.services.reviews import Remark
from forge.embedded.state import Row

_EVENTS = {"approve": "APPROVED", "reject": "REQUEST_CHANGES", "comment": "COMMENT", "pending": "PENDING"}


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form: the words of a review, and of a remark on one line (minus in the old file)."""

    content: str = ""
    path: str = ""
    line: int = 0
    remark: str = ""


def _files(visit: Visit) -> Response:
    path, _, place = visit.query("comment").rpartition(":")
    line = natural(place.removeprefix("-")) or 0
    return _show(visit, Typed(path=path, line=-line if place.startswith("-") else line))


def _show(visit: Visit, typed: Typed, refused: str = "", status: int = 200) -> Response:
    issue, pull = pulls.one(visit)
    found = changes.files_of(visit.site.git(visit.repo), pull)
    placed, astray = _place(found, remarks.of_pull(visit, issue, pull))
    return visit.show(
        "files.html",
        status,
        files=found,
        placed=placed,
        astray_remarks=astray,
        typed=typed,
        refused=refused,
        pending=_pending(visit, issue),
        **talk.head(visit, issue, pull),
    )


_Placed = dict[tuple[str, int], list[remarks.Remark]]


def _place(found: Iterable[File], said: Iterable[remarks.Remark]) -> tuple[_Placed, dict[str, list[remarks.Remark]]]:
    """Remarks by the line under which they stand, and by file those whose line is not there any more."""
    lines = {(file.path, line.place): line for file in found for hunk in file.hunks for line in hunk.lines}
    placed: _Placed = {}
    astray: dict[str, list[remarks.Remark]] = {}
    for remark in said:
        line = lines.get((remark.path, remark.place))
        if line and remark.fits(line):
            placed.setdefault((remark.path, remark.place), []).append(remark)
        else:
            astray.setdefault(remark.path, []).append(remark)
    return placed, astray


def _pending(visit: Visit, issue: Row) -> Row | None:
    """The review that the viewer has begun and not submitted."""
    sql = "SELECT * FROM reviews WHERE issue_id = ? AND user_id = ? AND state = 'PENDING' ORDER BY id"
    return visit.site.state.row(sql, issue["id"], visit.viewer["id"]) if visit.viewer else None


def _review(visit: Visit) -> Response:
    """Submit a review, or hold a remark back until one is submitted, or throw away what is held back."""
    issue, _ = pulls.one(visit)
    kind, content, said = visit.field("type"), visit.field("content"), _said(visit)
    try:
        if kind == "discard":
            _discard(visit, issue)
        else:
            _write(visit, _EVENTS.get(kind, ""), content, said)
    except Refusal as refusal:
        last = said[-1] if said else Remark("", 0, "")
        return _show(visit, Typed(content, last.path, last.line, last.body), words(refusal), refusal.status)
    path = talk.path_of(visit, issue)
    return visit.go(f"{path}/files" if kind in {"pending", "discard"} else f"{path}#end")


def _said(visit: Visit) -> list[Remark]:
    """The remarks that a form brings; `side` is `old` for a line that is gone."""
    columns = (visit.request.form.getlist(name) for name in ("path", "line", "side", "remark"))
    return [
        Remark(path, -line if side == "old" else line, body.replace("\r\n", "\n").strip())
        for path, place, side, body in zip(*columns, strict=False)
        if (line := natural(place)) and body.strip()
    ]


def _write(visit: Visit, event: str, content: str, said: Sequence[Remark]) -> None:
    site, actor, (issue, _) = visit.site, visit.actor, pulls.one(visit)
    held = _pending(visit, issue)
    if not event:
        raise Refusal(422, "A review approves, requests changes or comments.")
    if event != "PENDING":
        has_remarks = bool(said or (held and reviews.remarks(site, held)))
        reviews.refuse(issue, actor, event, content, has_remarks=has_remarks)
    elif not said:
        raise Refusal(422, "A remark needs words.")
    with site.state.writing():
        mine = reviews.hold(site, actor, issue)
        for remark in said:
            reviews.remark_on(site, actor, issue, mine, remark)
        if event == "PENDING":
            site.state.update("reviews", mine["id"], body=content, updated=site.now())
        else:
            reviews.submit(site, actor, issue, mine, state=event, body=content)
    merging.merge_scheduled(site, visit.repo)


def _reply(visit: Visit) -> Response:
    """Answer a remark."""
    issue, remark = _remark(visit)
    said = reviews.reply(visit.site, visit.actor, issue, remark, visit.field("content").replace("\r\n", "\n").strip())
    return visit.go(f"{talk.path_of(visit, issue)}#issuecomment-{said['id']}")


def _resolve(visit: Visit) -> Response:
    """Call a conversation resolved, or open it again."""
    issue, remark = _remark(visit)
    remark = reviews.conversation(visit.site, remark)
    reviews.resolve(visit.site, visit.actor, issue, remark, resolved=visit.field("resolved") == "yes")
    return visit.go(f"{talk.path_of(visit, issue)}#issuecomment-{remark['id']}")


def _remark(visit: Visit) -> tuple[Row, Row]:
    issue, _ = pulls.one(visit)
    sql = "SELECT * FROM comments WHERE id = ? AND issue_id = ? AND kind = 'code'"
    remark = visit.site.state.row(sql, natural(visit.args["id"]) or 0, issue["id"])
    if remark is None or reviews.get(visit.site, issue, remark["review_id"])["state"] == "PENDING":
        raise Refusal(404, "There is no such remark.")
    return issue, remark


def _discard(visit: Visit, issue: Row) -> None:
    held = _pending(visit, issue)
    if held is None:
        raise Refusal(404, "There is nothing to discard.")
    reviews.delete(visit.site, visit.actor, held)


PAGES = (
    Page("GET ~/pulls/<number>/files", _files, (PULLS,)),
    Page("POST ~/pulls/<number>/reviews", _review, (PULLS,), login=True),
    Page("POST ~/pulls/<number>/remarks/<id>", _reply, (PULLS,), login=True),
    Page("POST ~/pulls/<number>/remarks/<id>/conversation", _resolve, (PULLS,), login=True),
)
