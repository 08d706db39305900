"""Labels and milestones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from forge.embedded import events
from forge.embedded.instance import ForgeInstance, Missing, Refusal
from forge.embedded.services import timeline
from forge.embedded.shapes import issues as shapes
from forge.embedded.state import Row

_COLOR = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")


def of_repo(site: ForgeInstance, repo: Row) -> list[Row]:
    """The labels of a repository, by name."""
    return site.state.rows("SELECT * FROM labels WHERE repo_id = ? ORDER BY name, id", repo["id"])


def of_org(site: ForgeInstance, org: Row) -> list[Row]:
    """The labels that all repositories of an organisation share."""
    return site.state.rows("SELECT * FROM labels WHERE org_id = ? ORDER BY name, id", org["id"])


def usable(site: ForgeInstance, repo: Row, *, org: bool = True) -> list[Row]:
    """All labels that an issue of a repository can have: its own first."""
    own = of_repo(site, repo)
    return (
        own + site.state.rows("SELECT * FROM labels WHERE org_id = ? ORDER BY name, id", repo["owner_id"])
        if org
        else own
    )


def create(site: ForgeInstance, place: Row, *, name: str, color: str, **more: Any) -> Row:
    """A label of a place (`repo_id` or `org_id`); the same name may be there already."""
    key = site.state.insert("labels", **place, name=name, color=_color(color), **more)
    return site.must("labels", key)


def edit(site: ForgeInstance, label: Row, changes: Row) -> Row:
    """Change a label."""
    given = {key: value for key, value in changes.items() if value is not None}
    if "color" in given:
        given["color"] = _color(given["color"])
    site.state.update("labels", label["id"], **given)
    return site.must("labels", label["id"])


def delete(site: ForgeInstance, label: Row) -> None:
    """Remove a label, also from the issues that have it."""
    with site.state.writing():
        site.state.run("DELETE FROM issue_labels WHERE label_id = ?", label["id"])
        site.state.run("DELETE FROM labels WHERE id = ?", label["id"])


def _color(text: str) -> str:
    match = _COLOR.fullmatch(text)
    if match is None:
        raise Refusal(422, f"bad color code: {text if text.startswith('#') else '#' + text}")
    digits = match[1].lower()
    return digits if len(digits) == 6 else "".join(2 * digit for digit in digits)


def pick(site: ForgeInstance, repo: Row, wanted: Sequence[int | str]) -> list[Row]:
    """The labels of these ids or names; those that do not exist are left out."""
    if len({type(one) for one in wanted}) > 1:
        raise Refusal(400, "labels should be an array of strings or integers")
    if wanted and isinstance(wanted[0], str):
        known = {label["name"]: label for label in reversed(usable(site, repo, org=site.flavour.org_labels_by_name))}
    else:
        known = {label["id"]: label for label in usable(site, repo)}
    return [known[one] for one in dict.fromkeys(wanted) if one in known]


def on(site: ForgeInstance, issue: Row) -> list[Row]:
    """The labels that an issue has, by name."""
    sql = "SELECT labels.* FROM labels JOIN issue_labels ON label_id = id WHERE issue_id = ? ORDER BY name, id"
    return site.state.rows(sql, issue["id"])


def put(site: ForgeInstance, actor: Row, issue: Row, *, add: Iterable[Row] = (), remove: Iterable[Row] = ()) -> None:
    """Add and remove labels, without an event; an exclusive one pushes out its siblings."""
    with site.state.writing():
        before = {label["id"] for label in on(site, issue)}
        for label in add:
            if label["id"] in before:
                continue
            for sibling in _siblings(site, issue, label):
                _set(site, actor, issue, sibling, present=False)
            _set(site, actor, issue, label, present=True)
        for label in remove:
            _set(site, actor, issue, label, present=False)


def _siblings(site: ForgeInstance, issue: Row, label: Row) -> list[Row]:
    scope, slash, _ = label["name"].rpartition("/")
    if not label["exclusive"] or not slash:
        return []
    return [one for one in on(site, issue) if one["exclusive"] and one["name"].rpartition("/")[0] == scope]


def _set(site: ForgeInstance, actor: Row, issue: Row, label: Row, *, present: bool) -> None:
    verb = (
        "INSERT OR IGNORE INTO issue_labels VALUES (?, ?)"
        if present
        else "DELETE FROM issue_labels WHERE issue_id = ? AND label_id = ?"
    )
    if site.state.run(verb, issue["id"], label["id"]):
        timeline.write(site, actor, issue, "label", "1" if present else "", label=label["id"])


def add(site: ForgeInstance, actor: Row, issue: Row, wanted: Sequence[int | str]) -> None:
    """Add labels; the event comes whether or not anything changed."""
    change(site, actor, issue, add=pick(site, site.must("repositories", issue["repo_id"]), wanted))


def replace(site: ForgeInstance, actor: Row, issue: Row, wanted: Sequence[int | str], *, quiet: bool = False) -> None:
    """Set the labels; `quiet` sends no event."""
    chosen = pick(site, site.must("repositories", issue["repo_id"]), wanted)
    keys = {label["id"] for label in chosen}
    gone = [label for label in on(site, issue) if label["id"] not in keys]
    if quiet:
        put(site, actor, issue, add=chosen, remove=gone)
    else:
        overlay: Row = {} if site.flavour.replaced_labels_told else {"labels": []}
        change(site, actor, issue, add=chosen, remove=gone, overlay=overlay)


def change(
    site: ForgeInstance,
    actor: Row,
    issue: Row,
    *,
    add: Iterable[Row] = (),
    remove: Iterable[Row] = (),
    overlay: Row | None = None,
) -> None:
    """Add and remove labels, with one event; `overlay` replaces keys of its issue."""
    with site.state.writing():
        put(site, actor, issue, add=add, remove=remove)
        now = site.must("issues", issue["id"])
        events.about_issue(site, actor, now, "issue_label", "label_updated", overlay=overlay or {})


def remove(site: ForgeInstance, actor: Row, issue: Row, named: str) -> None:
    """Remove one label by its id or, where the flavour allows it, by name."""
    known = usable(site, site.must("repositories", issue["repo_id"]))
    found = [label for label in known if str(label["id"]) == named]
    if not found and site.flavour.label_removed_by_name:
        found = [label for label in known if label["name"] == named]
    if not found:
        raise Refusal(site.flavour.absent_label_status, "label does not exist [label_id: 0]")
    change(site, actor, issue, remove=found[:1])


def clear(site: ForgeInstance, actor: Row, issue: Row) -> None:
    """Remove all labels; the event still shows the old ones."""
    with site.state.writing():
        overlay = {"labels": shapes.labels(site, issue)}
        put(site, actor, issue, remove=on(site, issue))
        events.about_issue(
            site, actor, site.must("issues", issue["id"]), "issue_label", "label_cleared", overlay=overlay
        )


def milestones(site: ForgeInstance, repo: Row, state: str) -> list[Row]:
    """The milestones of a repository in a state (`open`, `closed` or `all`)."""
    sql = "SELECT * FROM milestones WHERE repo_id = ? AND (? = 'all' OR (closed IS NULL) = (? = 'open')) ORDER BY coalesce(due, 1e12), id"
    return site.state.rows(sql, repo["id"], state, state)


def milestone(site: ForgeInstance, repo: Row, key: int) -> Row:
    """One milestone."""
    row = site.state.row("SELECT * FROM milestones WHERE repo_id = ? AND id = ?", repo["id"], key)
    if row is None:
        raise Missing
    return row


def create_milestone(site: ForgeInstance, repo: Row, *, title: str, **more: Any) -> Row:
    """A new milestone."""
    key = site.state.insert(
        "milestones", repo_id=repo["id"], title=title, created=site.now(), updated=site.now(), **more
    )
    return site.must("milestones", key)


def edit_milestone(site: ForgeInstance, row: Row, *, state: str | None = None, **changes: Any) -> Row:
    """Change a milestone, also its state."""
    given = {key: value for key, value in changes.items() if value is not None}
    if state in {"open", "closed"}:
        given["closed"] = site.now() if state == "closed" else None
    site.state.update("milestones", row["id"], updated=site.now(), **given)
    return site.must("milestones", row["id"])


def delete_milestone(site: ForgeInstance, row: Row) -> None:
    """Remove a milestone, also from its issues."""
    with site.state.writing():
        site.state.run("UPDATE issues SET milestone_id = NULL WHERE milestone_id = ?", row["id"])
        site.state.run("DELETE FROM milestones WHERE id = ?", row["id"])
