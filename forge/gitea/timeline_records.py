"""Rows of timelines, feeds and lists in the JSON of Forgejo and Gitea, as a poll reads them. Performs no I/O."""

from __future__ import annotations

from forge.gitea.records import AccountRecord, LabelName, Titled
from forge.gitea.schema import Count, Flag, Maybe, Number, Text, Time, Words, record


@record
class Row:
    """A row of a timeline: which, and of what type; the rest of it is read by its type."""

    id: Number
    type: Text


@record
class ByAt:
    """Who did it, and when."""

    user: Maybe[AccountRecord]
    created_at: Time


@record
class LabelRow:
    """A label came, if the text is "1", or went."""

    body: Words
    label: Maybe[LabelName]


@record
class LoginRecord:
    """An account, by its name."""

    login: Text


@record
class AssigneeRow:
    """Somebody was assigned or taken away."""

    assignee: Maybe[LoginRecord]
    removed_assignee: Flag


@record
class RequestRow:
    """Somebody or a team was asked for a review, or no more."""

    assignee: Maybe[LoginRecord]
    assignee_team: Maybe[LabelName]
    removed_assignee: Flag


@record
class MilestoneRow:
    """A milestone was set, or another, or none."""

    milestone: Maybe[Titled]
    old_milestone: Maybe[Titled]


@record
class TitleRow:
    """The title was changed."""

    new_title: Words


@record
class TargetRow:
    """The target branch was changed."""

    new_ref: Words


@record
class Other:
    """Another issue; any number is passed on."""

    number: Number


@record
class DependencyRow:
    """Another issue has to be closed first, or no more."""

    dependent_issue: Maybe[Other]


@record
class Identified:
    """Something of which only the id counts."""

    id: Number


@record
class SaidRecord:
    """A comment, as a poll sees it."""

    id: Number
    user: Maybe[AccountRecord]
    body: Words
    created_at: Time
    updated_at: Time


@record
class RemarkPlace:
    """Where a remark of a review is."""

    id: Number
    path: Text
    position: Count
    original_position: Count


@record
class JudgedRecord:
    """A review that was submitted."""

    id: Number
    user: Maybe[AccountRecord]
    submitted_at: Time
    comments_count: Count


@record
class StatedRecord:
    """A commit status that was set once."""

    id: Number
    context: Words
    status: Words
    creator: Maybe[AccountRecord]
    created_at: Time


@record
class ReleaseRecord:
    """A release."""

    id: Number
    tag_name: Text
    name: Words
    body: Words
    draft: Flag
    prerelease: Flag
    author: Maybe[AccountRecord]
    created_at: Time


@record
class Dated:
    """When something was made, and changed last."""

    created_at: Time
    updated_at: Time


@record
class ActivityRecord:
    """A row of a feed."""

    id: Number
    op_type: Words
    ref_name: Words
    act_user: Maybe[AccountRecord]
    repo_id: Number
