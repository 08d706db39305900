"""Commit statuses: rows are only ever added, the newest of each context counts."""

from __future__ import annotations

from collections.abc import Sequence

from forge.embedded import events
from forge.embedded.instance import ForgeInstance, Missing, Refusal
from forge.embedded.rules import matches
from forge.embedded.shapes import commits
from forge.embedded.shapes.pulls import worst
from forge.embedded.state import Row

PASSING = {"success", "skipped"}
"""States that let a merge through; `warning` does not (seen on Gitea 1.27 and Forgejo 11)."""


def create(
    site: ForgeInstance, actor: Row, repo: Row, at: str, *, state: str, context: str, description: str, target_url: str
) -> Row:
    """Set a status on a commit, given by sha or branch; any word is taken as a state."""
    sha = site.git(repo).resolve(at)
    if not sha:
        raise (
            Missing(message=at) if site.flavour.unknown_status_sha == 404 else Refusal(site.flavour.unknown_status_sha)
        )
    with site.state.writing():
        nth = site.state.value("SELECT count(*) FROM statuses WHERE repo_id = ? AND sha = ?", repo["id"], sha) + 1
        about = {
            "context": context,
            "state": state,
            "description": description,
            "target_url": target_url,
            "created": site.now(),
        }
        key = site.state.insert("statuses", repo_id=repo["id"], nth=nth, sha=sha, user_id=actor["id"], **about)
        entry = site.must("statuses", key)
        if "status" in site.flavour.extra_events:
            told = commits.payload(site, repo, site.git(repo).commit(sha), files=True, verified=False)
            events.status(site, actor, repo, entry, told)
    return entry


def of_commit(site: ForgeInstance, repo: Row, sha: str) -> list[Row]:
    """All rows of a commit, newest second first."""
    return site.state.rows(
        "SELECT * FROM statuses WHERE repo_id = ? AND sha = ? ORDER BY created DESC, nth", repo["id"], sha
    )


def latest(site: ForgeInstance, repo: Row, sha: str) -> list[Row]:
    """The newest row of each context of a commit."""
    sql = "SELECT * FROM statuses WHERE id IN (SELECT max(id) FROM statuses WHERE repo_id = ? AND sha = ? GROUP BY context) ORDER BY id"
    return site.state.rows(sql, repo["id"], sha)


def satisfied(rows: Sequence[Row], required: Sequence[str]) -> bool:
    """Whether each required context (a glob) is there and successful or skipped; without any, whether all that are there are."""
    if not required:
        return worst(rows) == "success"
    fitting = [[row["state"] for row in rows if matches(pattern, row["context"], across=True)] for pattern in required]
    return all(states and set(states) <= PASSING for states in fitting)
