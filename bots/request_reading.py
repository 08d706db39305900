"""Reads requests out of issues, comments and reviews: for engines that read text and no prompt. Performs no I/O.

A request holds what a reader of the page sees, like a prompt, but in parts and without fences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bots.models import Team
from bots.sanitize import printable, rendered
from bots.turn_request import LineRemark, TurnRequest
from bots.views import FindingView
from forge.models import Issue, Review, ReviewComment, User

MAX_REQUEST = 50_000
"""Characters of one text; a parser needs time for more, and a change that is longer belongs in a branch."""

MAX_REMARKS = 50

_FENCE = re.compile(r" {0,3}(?P<ticks>`{3,}|~{3,})(?P<info>[^`]*)")
_PATH = re.compile(
    r"(?P<language>[\w+#.-]*)[ \t]*\b(?:path|file|title|filename)=(?P<quote>[\"']?)(?P<path>[\w./@+-]+)(?P=quote)[ \t]*"
)


def of_issue(issue: Issue, team: Team) -> TurnRequest:
    """An issue as a request."""
    return _request(issue.title, issue.body, issue.author, team)


def of_comment(body: str, author: User, team: Team, *, to: ReviewComment | None = None) -> TurnRequest:
    """A comment as a request; `to` is the remark on a line that it answers."""
    return _request("", body, author, team, remarks=() if to is None else (_remark(to, []),))


def of_review(
    review: Review, remarks: Iterable[ReviewComment], findings: Iterable[FindingView], team: Team
) -> TurnRequest:
    """A review as a request; the hive's own `findings` say exactly what a remark of its bot suggests."""
    account = team.accounts.get("review")
    known = list(findings) if account is not None and review.author.id == account.id else []
    found = tuple(_remark(remark, known) for remark in remarks)
    return _request("", review.body, review.author, team, remarks=found[:MAX_REMARKS])


def of_findings(findings: Iterable[FindingView], author: User, team: Team) -> TurnRequest:
    """Findings of the hive's review that an operator wants fixed."""
    remarks = tuple(LineRemark(each.path, each.line, each.title, each.was, each.suggestion) for each in findings)
    return _request("", "", author, team, remarks=remarks[:MAX_REMARKS])


def _request(title: str, body: str, author: User, team: Team, *, remarks: tuple[LineRemark, ...] = ()) -> TurnRequest:
    plain = body.replace("\r\n", "\n").replace("\r", "\n")
    shown = rendered("\n".join(_with_paths(plain[:MAX_REQUEST])))
    is_cut = len(plain) > MAX_REQUEST or shown.strip() != "\n".join(_with_paths(plain)).strip()
    line = " ".join(printable(title).split())
    return TurnRequest(line[:500], shown, author.login, team.is_trusted(author), is_cut, remarks)


def _remark(remark: ReviewComment, findings: list[FindingView]) -> LineRemark:
    """A remark, with what a finding knows of it; several on one line are told apart by their order."""
    line = 0 if remark.old else remark.line
    text = rendered(remark.body[:MAX_REQUEST])
    found = next((each for each in findings if (each.path, each.line) == (remark.path, line)), None)
    if found is None:
        return LineRemark(remark.path, line, text)
    findings.remove(found)
    return LineRemark(remark.path, line, text, found.was, found.suggestion)


def _with_paths(text: str) -> Iterator[str]:
    """The lines of a text; a path behind the ticks of a block, which no page shows, becomes a sentence above it."""
    ticks = ""
    for line in text.split("\n"):
        fence = _FENCE.fullmatch(line)
        if fence is not None and not ticks:
            ticks = fence["ticks"]
            named = _PATH.fullmatch(fence["info"].strip())
            if named is not None:
                yield f"Write the file `{named['path']}`:"
                yield ""
                yield f"{ticks}{named['language']}"
                continue
        elif fence is not None and fence["ticks"].startswith(ticks) and not fence["info"].strip():
            ticks = ""
        yield line
