"""The nouns of a forge, frozen, each with one text form. Performs no I/O.

`forgejo:acme/app` is a repository, `forgejo:acme/app#12` an issue or a pull request in it.
These two are the only identifiers in YAML, logs, URLs and queue keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

_FORGE = r"[a-z][a-z0-9-]{0,31}"
_NAME = r"(?!\.{1,2}(?:/|#|$))[A-Za-z0-9._-]{1,100}"
_REPO = re.compile(rf"(?P<forge>{_FORGE}):(?P<owner>{_NAME})/(?P<name>{_NAME})")
_REF = re.compile(rf"(?P<repo>{_FORGE}:{_NAME}/{_NAME})#(?P<number>[1-9][0-9]{{0,9}})")


@dataclass(frozen=True, slots=True, order=True)
class Repo:
    """One repository of one forge; `forge` is the name that the configuration gives to the forge.

    Two names that differ in the case of letters only are one, as they are for every forge.
    """

    forge: str
    owner: str
    name: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Repo) or self.forge != other.forge:
            return False
        return self.name.lower() == other.name.lower() and self.owner.lower() == other.owner.lower()

    def __hash__(self) -> int:
        return hash((self.forge, self.owner.lower(), self.name.lower()))

    def __str__(self) -> str:
        return f"{self.forge}:{self.owner}/{self.name}"

    @property
    def path(self) -> str:
        """`owner/name`, as the forge itself writes it."""
        return f"{self.owner}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Repo:
        """Parse `forge:owner/name`; raises ValueError for anything else."""
        match = _REPO.fullmatch(text)
        if match is None:
            raise ValueError(f"not a repository (forge:owner/name): {text!r}")
        return cls(**match.groupdict())


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One issue or pull request: they share their numbers."""

    repo: Repo
    number: int

    def __str__(self) -> str:
        return f"{self.repo}#{self.number}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Parse `forge:owner/name#12`; raises ValueError for anything else."""
        match = _REF.fullmatch(text)
        if match is None:
            raise ValueError(f"not an issue or pull request (forge:owner/name#12): {text!r}")
        return cls(Repo.parse(match["repo"]), int(match["number"]))


@dataclass(frozen=True, slots=True)
class User:
    """An account; `id` is what identifies it, a login can be renamed and taken again."""

    id: int
    login: str


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a repository; `exclusive` ones push out their siblings of the same `scope/`."""

    name: str
    color: str = "00aabb"
    description: str = ""
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository; `id` survives a rename."""

    id: int
    repo: Repo
    default_branch: str
    archived: bool
    mirror: bool
    empty: bool
    private: bool


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue, or the issue side of a pull request (`is_pull`).

    `milestone` is the title of its milestone, empty without one; `comments` is how many there are, None if it is not told.
    """

    ref: Ref
    title: str
    body: str
    author: User
    is_open: bool
    is_pull: bool
    labels: tuple[str, ...]
    assignees: tuple[User, ...]
    created_at: datetime
    updated_at: datetime
    milestone: str = ""
    due: date | None = None
    pinned: bool = False
    comments: int | None = None


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request.

    `head_repo` is None once a fork was deleted. After a merge `head_sha` may follow the head
    branch further (seen on Forgejo 10, 17 and Gitea 1.26): never decide on it then.
    `mergeable` is only whether there is no conflict, not whether protection allows the merge.
    `reviewers` are those who were asked for a review and have not given it. A pull request that was pushed to
    `refs/for/…` has no branch: its `head_branch` is `refs/pull/<number>/head`.
    """

    ref: Ref
    title: str
    body: str
    author: User
    is_open: bool
    draft: bool
    head_repo: Repo | None
    head_branch: str
    head_sha: str
    base_branch: str
    base_sha: str
    base_repo_id: int
    labels: tuple[str, ...]
    assignees: tuple[User, ...]
    mergeable: bool
    merged: bool
    merged_by: User | None
    merge_sha: str | None
    html_url: str
    updated_at: datetime
    reviewers: tuple[User, ...] = ()


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on the conversation of an issue or pull request."""

    id: int
    ref: Ref
    author: User
    body: str
    created_at: datetime
    updated_at: datetime
    html_url: str


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction to an issue or a comment, such as `eyes`."""

    user: User
    content: str


class ReviewState(StrEnum):
    """How a review ended; the values are Forgejo's and Gitea's."""

    APPROVED = "APPROVED"
    REQUEST_CHANGES = "REQUEST_CHANGES"
    COMMENT = "COMMENT"
    PENDING = "PENDING"
    REQUEST_REVIEW = "REQUEST_REVIEW"


@dataclass(frozen=True, slots=True)
class Review:
    """A review of one head; `official` ones count for branch protection."""

    id: int
    ref: Ref
    author: User
    state: ReviewState
    body: str
    head_sha: str
    official: bool
    stale: bool
    dismissed: bool
    submitted_at: datetime
    html_url: str


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """A comment of a review on one line: `line` counts in the new file, or in the old one if `old`.

    A reply is another comment of the same review on the same line. `author`, the times and whether the conversation
    that it starts is `resolved` are known for an existing one.
    """

    path: str
    line: int
    body: str
    old: bool = False
    id: int = 0
    author: User | None = field(default=None, compare=False)
    created_at: datetime | None = field(default=None, compare=False)
    updated_at: datetime | None = field(default=None, compare=False)
    html_url: str = field(default="", compare=False)
    resolved: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a pull request; `status` is added, changed, deleted, renamed or copied."""

    path: str
    status: str
    additions: int
    deletions: int
    previous_path: str | None = None


@dataclass(frozen=True, slots=True)
class FileEdit:
    """What a file shall hold after a commit; None takes it away."""

    path: str
    content: bytes | None


class State(StrEnum):
    """The states of a commit status."""

    PENDING = "pending"
    SUCCESS = "success"
    ERROR = "error"
    FAILURE = "failure"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """The newest status of one context on a commit; `description` holds at most 140 characters."""

    context: str
    state: State
    description: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Protection:
    """A branch protection rule, as far as the hive sets and checks it.

    Only `mergers` may merge, every writer if it is empty; nobody may push if `push`
    is False, else `pushers`, or every writer if that is empty. Site and repository
    admins are included if `admins_included`.
    """

    branch: str
    push: bool = False
    mergers: tuple[str, ...] = ()
    required_statuses: tuple[str, ...] = ()
    block_on_rejected_reviews: bool = True
    block_on_outdated_branch: bool = False
    dismiss_stale_approvals: bool = True
    admins_included: bool = True
    pushers: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    """Settings of the forge that allow bypassing the rule, in its own words."""


@dataclass(frozen=True, slots=True)
class Push:
    """One movement of a branch, from the forge's activity feed.

    The feed's row is the only record of who really moved a branch; `merged_by` of a pull request
    can be forged (seen on Forgejo 10, 17 and Gitea 1.26). `new` is empty when the row carries no
    range, as for a deletion.
    """

    id: int
    branch: str
    old: str
    new: str
    actor_id: int


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One row of a timeline; `kind` is the forge's word, such as `label` or `pull_push`.

    `label` and `user` are what a `label` or `assignees` row is about, `removed` is whether it was removed.
    """

    id: int
    kind: str
    actor: User | None
    created_at: datetime
    text: str = ""
    label: str = ""
    user: User | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch, its commit, and what the effective protection rule allows the asking account.

    `rule` is the name of that rule, visible to admins of the repository only.
    """

    name: str
    sha: str
    protected: bool
    can_push: bool = False
    can_merge: bool = False
    required_statuses: tuple[str, ...] = ()
    rule: str = ""
