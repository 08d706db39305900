"""A conversation as its page tells it: what was said, and between that what happened. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from forge.embedded.git import GitFailed
from forge.embedded.pages import look, mergebox
from forge.embedded.pages.look import Html
from forge.embedded.pages.remarks import Remark, by_file
from forge.embedded.pages.visit import Visit
from forge.embedded.services import people, timeline
from forge.embedded.state import Row

_TOGETHER = 60
"""Seconds within which labels that one person sets are told in one row; assignees likewise."""

_EMOJI = {
    "+1": "👍", "-1": "👎", "laugh": "😄", "hooray": "🎉", "confused": "😕", "heart": "❤️", "rocket": "🚀", "eyes": "👀",
}  # fmt: skip

About = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row; `about` holds what only its kind has."""

    id: int
    kind: str
    actor: Row
    at: int
    body: Html | None = None
    is_edited: bool = False
    reactions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    about: About = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Talk:
    """What the rows of one conversation are told with."""

    visit: Visit
    issue: Row
    pull: Row | None
    remarks: Mapping[int, Sequence[Remark]]
    subjects: Mapping[str, str]
    last: Mapping[int, int]
    """The newest row of each review: a pending one has an earlier row as well."""


def entries(visit: Visit, issue: Row, pull: Row | None, said: Sequence[Remark]) -> list[Entry]:
    """All rows of a conversation after its opening words."""
    rows = timeline.rows(visit.site, issue)
    of_review: dict[int, list[Remark]] = {}
    for remark in said:
        of_review.setdefault(remark.review["id"], []).append(remark)
    last = {row["review_id"]: row["id"] for row in rows if row["kind"] == "review"}
    talk = _Talk(visit, issue, pull, of_review, _subjects(visit, rows), last)
    reacted = reactions(visit, issue)
    return list(
        _together(_entry(talk, row, about, reacted) for row in rows if (about := _about(talk, row)) is not None)
    )


def reactions(visit: Visit, issue: Row) -> dict[int, dict[str, list[str]]]:
    """Who reacted how, by comment; 0 is the issue itself."""
    sql = """SELECT comment_id, content, login FROM reactions JOIN users ON users.id = user_id
             WHERE issue_id = ? ORDER BY reactions.id"""
    found: dict[int, dict[str, list[str]]] = {}
    for row in visit.site.state.rows(sql, issue["id"]):
        found.setdefault(row["comment_id"], {}).setdefault(_EMOJI[row["content"]], []).append(row["login"])
    return found


def _entry(talk: _Talk, row: Row, about: About, reacted: Mapping[int, Mapping[str, Sequence[str]]]) -> Entry:
    has_words = row["kind"] in {"comment", "review", "dismiss_review"} and row["body"].strip()
    return Entry(
        row["id"],
        row["kind"],
        people.by_id(talk.visit.site, row["user_id"]),
        row["created"],
        body=talk.visit.prose(row["body"]) if has_words else None,
        is_edited=row["kind"] == "comment" and row["updated"] > row["created"],
        reactions=reacted.get(row["id"], {}),
        about=about,
    )


def _about(talk: _Talk, row: Row) -> About | None:
    """What only this kind of row has; None for one that is not shown."""
    tell = _TOLD.get(row["kind"])
    return tell(talk, row, json.loads(row["detail"])) if tell else None


def _nothing(talk: _Talk, row: Row, detail: Row) -> About:
    return {"body": row["body"]}


def _label(talk: _Talk, row: Row, detail: Row) -> About | None:
    label = talk.visit.site.state.get("labels", detail["label"])
    return {"added" if row["body"] else "removed": [label]} if label else None


def _assignees(talk: _Talk, row: Row, detail: Row) -> About:
    user = people.by_id(talk.visit.site, detail["assignee"])
    return {"removed" if detail.get("removed") else "added": [user]}


def _milestone(talk: _Talk, row: Row, detail: Row) -> About:
    found = (talk.visit.site.state.get("milestones", detail.get(name)) for name in ("old_milestone", "milestone"))
    old, new = ((milestone or {}).get("title", "") for milestone in found)
    return {"old": old, "new": new}


def _reference(talk: _Talk, row: Row, detail: Row) -> About | None:
    site = talk.visit.site
    other = site.state.get("issues", detail.get("ref_issue") or detail.get("dependent_issue"))
    repo = site.state.get("repositories", other["repo_id"]) if other else None
    if other is None or repo is None or not (path := talk.visit.issue(repo["full_name"], other["number"])):
        return None
    said = f"#issuecomment-{detail['ref_comment']}" if "ref_comment" in detail else ""
    return {"issue": other, "path": path + said, "closes": detail.get("ref_action") == "closes"}


def _commit(talk: _Talk, row: Row, detail: Row) -> About | None:
    if talk.pull and talk.pull["merge_sha"] == detail["ref_commit_sha"]:
        return None  # the merge itself is told already
    return {"sha": detail["ref_commit_sha"], "subject": look.plain(row["body"])}


def _push(talk: _Talk, row: Row, detail: Row) -> About:
    pushed = json.loads(row["body"])
    shas = pushed["commit_ids"]
    return {"forced": pushed["is_force_push"], "commits": [(sha, talk.subjects.get(sha, "")) for sha in shas]}


def _review(talk: _Talk, row: Row, detail: Row) -> About | None:
    review = talk.visit.site.state.get("reviews", row["review_id"])
    if review is None or review["state"] == "PENDING" or talk.last[review["id"]] != row["id"]:
        return None
    return {"review": review, "files": by_file(talk.remarks.get(review["id"], ()))}


def _dismissed(talk: _Talk, row: Row, detail: Row) -> About | None:
    review = talk.visit.site.state.get("reviews", row["review_id"])
    return {"who": people.by_id(talk.visit.site, review["user_id"])["login"]} if review else None


def _request(talk: _Talk, row: Row, detail: Row) -> About:
    who = people.by_id(talk.visit.site, detail.get("assignee"))["login"]
    who = mergebox.team_name(talk.visit, detail["team"]) if "team" in detail else who
    return {"who": who, "removed": bool(detail.get("removed"))}


def _merged(talk: _Talk, row: Row, detail: Row) -> About | None:
    return {"sha": talk.pull["merge_sha"], "branch": talk.pull["base_branch"]} if talk.pull else None


def _renamed(talk: _Talk, row: Row, detail: Row) -> About:
    names = ("title", "ref")
    return {
        side: next((detail[f"{side}_{name}"] for name in names if f"{side}_{name}" in detail), "")
        for side in ("old", "new")
    }


_TOLD: dict[str, Callable[[_Talk, Row, Row], About | None]] = {
    "comment": _nothing,
    "label": _label,
    "assignees": _assignees,
    "milestone": _milestone,
    "close": _nothing,
    "reopen": _nothing,
    "issue_ref": _reference,
    "pull_ref": _reference,
    "comment_ref": _reference,
    "commit_ref": _commit,
    "add_dependency": _reference,
    "remove_dependency": _reference,
    "pull_push": _push,
    "review": _review,
    "dismiss_review": _dismissed,
    "review_request": _request,
    "merge_pull": _merged,
    "change_title": _renamed,
    "change_target_branch": _renamed,
    "delete_branch": _renamed,
    "pin": _nothing,
    "unpin": _nothing,
    "added_deadline": _nothing,
    "modified_deadline": _nothing,
    "removed_deadline": _nothing,
    "pull_scheduled_merge": _nothing,
    "pull_cancel_scheduled_merge": _nothing,
}
"""How each kind is told."""


def _subjects(visit: Visit, rows: Sequence[Row]) -> dict[str, str]:
    """The first lines of all pushed commits, asked of git once."""
    shas = [sha for row in rows if row["kind"] == "pull_push" for sha in json.loads(row["body"])["commit_ids"]]
    if not shas:
        return {}
    try:
        found = visit.site.git(visit.repo).commits("--no-walk=unsorted", *shas, changes=False)
    except GitFailed:
        return {}
    return {commit.sha: commit.message.partition("\n")[0] for commit in found}


def _together(shown: Iterator[Entry]) -> Iterator[Entry]:
    """One row for labels, or assignees, that one person changed in one go."""
    held: Entry | None = None
    for entry in shown:
        if held and _is_one_go(held, entry):
            names = ("added", "removed")
            about = {name: [*held.about.get(name, ()), *entry.about.get(name, ())] for name in names}
            held = replace(held, about=about)
            continue
        if held:
            yield held
        held = entry
    if held:
        yield held


def _is_one_go(one: Entry, other: Entry) -> bool:
    same = one.kind == other.kind and one.actor["id"] == other.actor["id"]
    return same and one.kind in {"label", "assignees"} and other.at - one.at <= _TOGETHER
