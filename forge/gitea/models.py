"""The JSON of Forgejo and Gitea as nouns. Performs no I/O.

Each function reads the few fields that its noun has. `pull_request.url` is never read: it is a
page on Forgejo 10 and Gitea 1.26, and the API on Forgejo 17.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from forge.gitea.json_value import JsonValue
from forge.models import (
    Branch,
    Comment,
    CommitStatus,
    FileChange,
    Issue,
    Label,
    PullRequest,
    Push,
    Reaction,
    Ref,
    Repo,
    Repository,
    Review,
    ReviewComment,
    ReviewState,
    State,
    TimelineEvent,
    User,
)

_SKIPPED = "skipped"
_STATES = {state.value: state for state in State} | {_SKIPPED: State.SUCCESS}


@dataclass(frozen=True, slots=True)
class HeldLabel:
    """A label with its id, which writes need."""

    id: int
    label: Label


def user(field: JsonValue) -> User:
    """An account; one that was deleted is `Ghost`, id -1."""
    return User(field["id"].number(), field["login"].text())


def repo(field: JsonValue, forge: str) -> Repo:
    """A repository's name."""
    full_name = field["full_name"]
    try:
        return Repo.parse(f"{forge}:{full_name.text()}")
    except ValueError as error:
        raise full_name.wrong("is no repository") from error


def ref(field: JsonValue, of: Repo) -> Ref:
    """The number of an issue or pull request."""
    try:
        return Ref.parse(f"{of}#{field.number()}")
    except ValueError as error:
        raise field.wrong("is no number of an issue") from error


def repository(field: JsonValue, forge: str) -> Repository:
    """A repository."""
    return Repository(
        id=field["id"].number(),
        repo=repo(field, forge),
        default_branch=field["default_branch"].words(),
        archived=field["archived"].flag(),
        mirror=field["mirror"].flag(),
        empty=field["empty"].flag(),
        private=field["private"].flag(),
    )


def branch(field: JsonValue) -> Branch:
    """A branch; what is told of its protection is that of the rule that counts, whatever its name."""
    checked = field["enable_status_check"].flag()
    return Branch(
        name=field["name"].text(),
        sha=field["commit"]["id"].sha(),
        protected=field["protected"].flag(),
        can_push=field["user_can_push"].flag(),
        can_merge=field["user_can_merge"].flag(),
        required_statuses=tuple(name.text() for name in field["status_check_contexts"].each()) if checked else (),
        rule=field["effective_branch_protection_name"].words(),
    )


def issue(field: JsonValue, of: Repo) -> Issue:
    """An issue, or the issue side of a pull request."""
    return Issue(
        ref=ref(field["number"], of),
        title=field["title"].text(),
        body=field["body"].words(),
        author=user(field["user"]),
        is_open=field["state"].text() == "open",
        is_pull=field["pull_request"].present,
        labels=_label_names(field),
        assignees=_assignees(field),
        created_at=field["created_at"].time(),
        updated_at=field["updated_at"].time(),
        milestone=title(field["milestone"]),
        due=field["due_date"].day(),
        pinned=field["pin_order"].count() > 0,
    )


def title(field: JsonValue) -> str:
    """The title of a milestone; empty for none."""
    return field["title"].text() if field.present else ""


def _head_repo(field: JsonValue, base_id: int, of: Repo) -> Repo | None:
    """Where the commits of a pull request come from; its own repository under the name by which it was asked for."""
    if not field.present:
        return None
    return of if field["id"].present and field["id"].number() == base_id else repo(field, of.forge)


def pull(field: JsonValue, of: Repo) -> PullRequest:
    """A pull request; `head.repo` is null once its fork was deleted."""
    head, base, merger = field["head"], field["base"], field["merged_by"]
    return PullRequest(
        ref=ref(field["number"], of),
        title=field["title"].text(),
        body=field["body"].words(),
        author=user(field["user"]),
        is_open=field["state"].text() == "open",
        draft=field["draft"].flag(),
        head_repo=_head_repo(head["repo"], base["repo_id"].number(), of),
        head_branch=head["ref"].text(),
        head_sha=head["sha"].sha(),
        base_branch=base["ref"].text(),
        base_sha=base["sha"].sha(),
        base_repo_id=base["repo_id"].number(),
        labels=_label_names(field),
        assignees=_assignees(field),
        mergeable=field["mergeable"].flag(),
        merged=field["merged"].flag(),
        merged_by=user(merger) if merger.present else None,
        merge_sha=field["merge_commit_sha"].sha() or None,
        html_url=field["html_url"].words(),
        updated_at=field["updated_at"].time(),
        reviewers=tuple(user(account) for account in field["requested_reviewers"].each() if account.present),
    )


def comment(field: JsonValue, of: Ref) -> Comment:
    """A comment of a conversation."""
    return Comment(
        id=field["id"].number(),
        ref=of,
        author=user(field["user"]),
        body=field["body"].words(),
        created_at=field["created_at"].time(),
        updated_at=field["updated_at"].time(),
        html_url=field["html_url"].words(),
    )


def reaction(field: JsonValue) -> Reaction:
    """Somebody's reaction."""
    return Reaction(user(field["user"]), field["content"].text())


def review(field: JsonValue, of: Ref) -> Review | None:
    """A review; None for the request to a team, which nobody has written, and for an unknown state."""
    state = field["state"].words()
    if not field["user"].present or state not in ReviewState.__members__:
        return None
    return Review(
        id=field["id"].number(),
        ref=of,
        author=user(field["user"]),
        state=ReviewState(state),
        body=field["body"].words(),
        head_sha=field["commit_id"].words(),
        official=field["official"].flag(),
        stale=field["stale"].flag(),
        dismissed=field["dismissed"].flag(),
        submitted_at=field["submitted_at"].time(),
        html_url=field["html_url"].words(),
    )


def submitted(field: JsonValue, of: Ref) -> Review:
    """The answer to a review that was just submitted."""
    found = review(field, of)
    if found is None:
        raise field.wrong("is no review")
    return found


def review_comment(field: JsonValue) -> ReviewComment:
    """A remark of a review: `position` is a line of the new file, `original_position` one of the old."""
    new, old = field["position"].count(), field["original_position"].count()
    return ReviewComment(
        path=field["path"].text(),
        line=new or old,
        body=field["body"].words(),
        old=not new,
        id=field["id"].number(),
        author=user(field["user"]) if field["user"].present else None,
        created_at=field["created_at"].time() if field["created_at"].present else None,
        updated_at=field["updated_at"].time() if field["updated_at"].present else None,
        html_url=field["html_url"].words(),
        resolved=field["resolver"].present,
    )


def file_change(field: JsonValue) -> FileChange:
    """A file of a pull request."""
    return FileChange(
        path=field["filename"].text(),
        status=field["status"].text(),
        additions=field["additions"].count(),
        deletions=field["deletions"].count(),
        previous_path=field["previous_filename"].words() or None,
    )


def status(field: JsonValue) -> CommitStatus:
    """A commit status; a word that is no state is an error, as forges accept any word for one."""
    return CommitStatus(
        context=field["context"].words(),
        state=_STATES.get(field["status"].words(), State.ERROR),
        description=field["description"].words(),
        url=field["target_url"].words(),
    )


def held_label(field: JsonValue) -> HeldLabel:
    """A label and its id."""
    label = Label(
        name=field["name"].text(),
        color=field["color"].words().removeprefix("#").lower(),
        description=field["description"].words(),
        exclusive=field["exclusive"].flag(),
    )
    return HeldLabel(field["id"].number(), label)


def timeline_event(field: JsonValue) -> TimelineEvent:
    """A row of a timeline; `text` is the new title for a change of it, else the forge's own text."""
    actor, label, account = field["user"], field["label"], field["assignee"]
    kind, body = field["type"].text(), field["body"].words()
    return TimelineEvent(
        id=field["id"].number(),
        kind=kind,
        actor=user(actor) if actor.present else None,
        created_at=field["created_at"].time(),
        text=field["new_title"].words() if kind == "change_title" else body,
        label=label["name"].text() if label.present else "",
        user=user(account) if account.present else None,
        # The body of a label's row is "1" when it was added; nothing else tells.
        removed=body != "1" if kind == "label" else field["removed_assignee"].flag(),
    )


def push(field: JsonValue, of: str) -> Push | None:
    """A row of the activity feed, if it moved the branch `of`."""
    if field["ref_name"].words() != f"refs/heads/{of}":
        return None
    old, new = _range(field["content"].words())
    return Push(field["id"].number(), of, old, new, field["act_user_id"].number())


def _label_names(field: JsonValue) -> tuple[str, ...]:
    return tuple(label["name"].text() for label in field["labels"].each())


def _assignees(field: JsonValue) -> tuple[User, ...]:
    return tuple(user(account) for account in field["assignees"].each())


def _range(content: str) -> tuple[str, str]:
    # A push carries JSON whose CompareURL ends in old...new; a deletion carries nothing.
    try:
        compare = JsonValue(json.loads(content), "content")["CompareURL"].words()
    except (ValueError, RecursionError):
        return "", ""
    old, _, new = compare.rpartition("/")[2].partition("...")
    return old, new
