"""The unit of a repository that each route needs read access to. Performs no I/O.

The table is that of the real ones: `routers/api/v1/api.go` of Forgejo 10 and Gitea 1.23 (`reqRepoReader`,
`mustAllowPulls`, `mustEnableIssuesOrPulls`, `mustEnableWiki`). A team that has a unit in none of its rights reads nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from forge.embedded.instance import Missing, Refusal
from forge.embedded.rules import ACTIONS, CODE, ISSUES, PULLS, RELEASES, WIKI, Access

READER = "user should have specific read permission or be a repo admin or a site admin"
UNIT_OF: Mapping[str, str] = {
    **dict.fromkeys(
        ("branches", "commits", "compare", "contents", "git", "languages", "pulls", "raw", "statuses", "tags"), CODE
    ),
    "releases": RELEASES,
    "actions": ACTIONS,
}
"""The unit that has to be read, by the first word behind the repository; 403 without."""

HIDDEN: Mapping[str, tuple[str, ...]] = {"pulls": (PULLS,), "issues": (ISSUES, PULLS), "wiki": (WIKI,)}
"""What is not there, 404, for somebody who reads none of these units."""


def check(granted: Access, line: str) -> None:
    """Refuse a route's line (`GET ~/pulls/<index>`) to somebody who does not read its unit."""
    word = line.partition("~/")[2].partition("/")[0]
    if word in HIDDEN and not granted.reads(*HIDDEN[word]):
        raise Missing
    if word in UNIT_OF and not granted.reads(UNIT_OF[word]):
        raise Refusal(403, READER)
    if line == "POST ~/forks" and not granted.reads(CODE):
        raise Refusal(403, READER)
