"""The recorded situations in their order, which of them cannot be made again, and where the embedded forge differs.

`LEFT` and `KNOWN` name cases by pattern and say why. What is in `KNOWN` has to fail: a difference that
was mended is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from tests.contract.stories import code, issues, merging, people, pulls
from tests.contract.story import Story

CHAPTERS: tuple[Callable[[Story], None], ...] = (
    people.begin,
    code.files,
    code.branches,
    code.templates,
    issues.labels,
    issues.filing,
    issues.editing,
    issues.labelling,
    issues.assigning,
    issues.talking,
    issues.listing,
    pulls.opening,
    pulls.editing,
    pulls.forked,
    pulls.reviewing,
    code.statuses,
    merging.styles,
    merging.troubles,
    merging.rules,
    merging.checked,
    merging.approved,
    merging.behind,
    people.end,
)

_RACE = "how it ends depends on how soon the forge has looked for conflicts"
LEFT: Mapping[str, str] = {
    "merge.race_*": _RACE,
    "pull_request.opened of merge.race_*": "sent before a race that is not run again; as all others are",
    "merge.lower_case_do": _RACE,
    **dict.fromkeys(
        (
            *("pulls.create", "pull_request.opened of pulls.create"),
            *(f"pull_request_review_request.review_requested of pulls.{case}" for case in ("create", "edit_ready")),
        ),
        "recorded with owners of the code, whom the forge asks by itself",
    ),
    **dict.fromkeys(
        (
            *("branches.*", "protection.branch_delete_refused", "collaborators.remove", "collaborators.list"),
            *("hooks.delete", "hooks.repo_list", "hooks.filter_other_branch", "issues.delete_by_*", "issues.search"),
            *("git.refs", "comments.repo_wide*", "admin.user_*"),
        ),
        "asked since by sweeps and by what keeps a forge ready; no story makes it again yet",
    ),
}
"""Recorded cases that no story makes again."""

_PAGES = "since 1.26.0 a timeline that is asked for without a page has 30 rows"
_LATER_10 = "real 10.0.0-dev-456d055999*"
_WORDS = "1.26.0 has other words, of its own or of the Go that it was built with"
KNOWN: Mapping[str, str] = {
    "embedded gitea-1.26 timeline.pull_small_page": "it keeps a row for each push, a real one folds some: others are on page 4",
    "real 1.26.0 timeline.all": _PAGES,
    "real 1.26.0 timeline.limit_without_page": _PAGES,
    **{f"real 1.26.0 errors.{case}": _WORDS for case in ("bad_*", "invalid_json", "wrong_*")},
    "real 1.26.0 issues.create_label_names": _WORDS,
    "real 1.26.0 issue_labels.add_bare_array": _WORDS,
    "real 1.26.0 merge.manually_merged_wrong": "1.26.0 takes the setting by PATCH, and then the merge",
    "real 1.26.0 dependencies.list": "1.26.0 counts them in X-Total-Count",
    f"{_LATER_10} pulls.create_unknown_head": "it answers 500 for a branch that is not there",
    "real 1.26.0 *reviews.line_past_end": "1.26.0 answers 500 to a remark on a line past the end",
}
"""Where a server is known to differ from the recording: `embedded gitea-1.26 case` or `real 1.26.0 case`."""


def why(table: Mapping[str, str], case: str) -> str:
    """The reason for which a case stands in a table; empty if it does not."""
    return next((reason for pattern, reason in table.items() if fnmatchcase(case, pattern)), "")


def play(story: Story) -> None:
    """Make all situations."""
    for chapter in CHAPTERS:
        chapter(story)
