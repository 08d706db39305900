"""Title and body of a pull request that the hive keeps up to date, beside what people change in them. Performs no I/O.

The hive's part of a body is a block between two invisible marks; what stands around it is people's. The first mark holds a
signature of the block and one of the title as the hive has written them. Who changes the block makes it theirs: it stays as
it is, and the hive's next block follows below it. A title that a person has changed is left alone, but for a mark of drafts
that the hive itself has set.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

DRAFT = "WIP: "
"""What begins the title of a draft; Forgejo and Gitea know no other sign."""

RULE = "\n\n---\n\n"
_DRAFT = re.compile(r"(?:\s*(?:\[WIP\]|WIP:))+\s*", re.IGNORECASE)
_BLOCK = re.compile(
    r"<!-- hive:pull (?P<sign>[0-9a-f]{24}) (?P<title>[0-9a-f]{24}) (?P<state>draft|ready) -->\n*"
    r"(?P<text>.*?)\n*<!-- /hive:pull (?P=sign) -->",
    re.DOTALL,
)
_MARK = re.compile(r"\n*<!-- /?hive:pull [0-9a-f]{24}[^>\n]*-->\n*")

NO_TITLE = ""
"""Where the hive has written no title, the mark is of this one, which no pull request can have."""

Sign = Callable[[str], str]
"""A signature of a text: 24 hexadecimal digits that only the hive can make."""


@dataclass(frozen=True, slots=True)
class PullText:
    """The title and the body of a pull request."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class PullRevision:
    """What the hive wants of them; None leaves a part as it is."""

    title: str | None = None
    block: str | None = None
    is_draft: bool | None = None


def is_draft(title: str) -> bool:
    """Whether a title makes a draft."""
    return _DRAFT.match(title) is not None


def without_draft(title: str) -> str:
    """A title that makes no draft."""
    return _DRAFT.sub("", title, count=1).strip() if is_draft(title) else title


def new_text(title: str, block: str, *, draft: bool, sign: Sign) -> PullText:
    """The text of a new pull request."""
    title = _titled(title, draft=draft)
    return PullText(title, _sealed(block, _title_mark(title, sign), sign))


def revised(now: PullText, wanted: PullRevision, sign: Sign) -> PullText:
    """A pull request's text with the hive's part as it is wanted, and people's changes as they are."""
    body = now.body.replace("\r\n", "\n")
    blocks = list(_BLOCK.finditer(body))
    last = blocks[-1] if blocks else None
    is_ours = last is not None and last["title"] == sign(now.title)
    title, mark = now.title, f"{last['title']} {last['state']}" if last is not None else _title_mark(NO_TITLE, sign)
    if wanted.title is not None or wanted.is_draft is not None:
        draft = is_draft(now.title) if wanted.is_draft is None else wanted.is_draft
        written = _titled(now.title if wanted.title is None else wanted.title, draft=draft)
        mark = _title_mark(written, sign)
        if is_ours:
            title = written
        elif last is not None and last["state"] == "draft" and not draft:
            title = without_draft(now.title)
    is_intact = last is not None and last["sign"] == sign(_plain(last["text"]))
    block = wanted.block if wanted.block is not None or last is None else last["text"]
    if block is None or (not is_intact and wanted.block is None):
        return PullText(title, now.body)
    seal = _sealed(block, mark, sign)
    if last is not None and is_intact:
        return PullText(title, f"{body[: last.start()]}{seal}{body[last.end() :]}")
    theirs = _MARK.sub("\n\n", body).strip()
    return PullText(title, f"{theirs}{RULE}{seal}" if theirs else seal)


def _titled(title: str, *, draft: bool) -> str:
    return f"{DRAFT}{without_draft(title)}" if draft else without_draft(title)


def _title_mark(title: str, sign: Sign) -> str:
    return f"{sign(title)} {'draft' if is_draft(title) else 'ready'}"


def _sealed(block: str, title_mark: str, sign: Sign) -> str:
    signed = sign(_plain(block))
    return f"<!-- hive:pull {signed} {title_mark} -->\n\n{block}\n\n<!-- /hive:pull {signed} -->"


def _plain(text: str) -> str:
    """A text without what an editor changes unasked: white space at the end of lines, and around it."""
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))
