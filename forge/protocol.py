"""What the hive asks of a forge, wants of it, and how a forge says no. Performs no I/O.

Reader      questions; the only part that a bot ever sees
Forge       Reader plus repeatable deeds of one identity; only `hive.apply` holds one
Operator    the deed that no bot has an intent for: merging
Admin       provisioning: each `ensure_…` makes it so and may be called again

ForgeError
├── Unavailable    no answer worth the name: try again later
├── NotFound       not there, or not to be seen by this identity
├── Refused        this identity may not
├── Conflict       not in the state that this asks for: look again
└── Invalid        the forge cannot make sense of it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from forge.types import (
    Branch,
    Comment,
    CommitStatus,
    FileChange,
    Happening,
    Issue,
    Label,
    Protection,
    PullRequest,
    Push,
    Ref,
    Repo,
    Repository,
    Review,
    ReviewComment,
    ReviewState,
    User,
)


class ForgeError(Exception):
    """A forge did not do what was asked; `status` is its HTTP status, 0 without an answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Unavailable(ForgeError):
    """Nothing can be concluded: time-out, 429, 5xx, a page instead of JSON. A write may have happened.

    `retry_after` is the number of seconds that the forge asked to wait, 0.0 if it did not say.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class NotFound(ForgeError):
    """It is not there, or this identity may not see it: forges answer both alike."""


class Refused(ForgeError):
    """This identity may not do that."""


class Conflict(ForgeError):
    """The forge's state does not allow it now."""


class Invalid(ForgeError):
    """The request makes no sense to the forge."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a forge can do, probed from its version; branch on these, never on a name."""

    kind: str
    version: str
    status_webhook: bool
    repo_tokens: bool
    compare_by_sha: bool
    admins_key: str
    """Protection key that includes admins: `apply_to_admins`, or Gitea's `block_admin_merge_override`."""


class Reader(Protocol):
    """Questions to a forge. Each raises NotFound, Refused or Unavailable."""

    def capabilities(self) -> Capabilities:
        """What this forge can do."""

    def user(self, login: str) -> User:
        """The account of that name."""

    def repository(self, repo: Repo) -> Repository:
        """The repository under exactly that name; a renamed one raises NotFound."""

    def repositories(self, owner: str) -> list[Repository]:
        """All repositories of an organisation that this identity sees."""

    def branch(self, repo: Repo, name: str) -> Branch:
        """One branch."""

    def protection(self, repo: Repo, branch: str) -> Protection | None:
        """The protection rule of that name; None without one; Refused for plain readers."""

    def file(self, repo: Repo, path: str, at: str) -> bytes:
        """A file's bytes at a branch, tag or commit."""

    def issue(self, ref: Ref) -> Issue:
        """An issue, or the issue side of a pull request."""

    def changed_since(self, repo: Repo, since: datetime) -> list[Issue]:
        """Issues and pull requests, open or not, updated at or after `since`."""

    def comments(self, ref: Ref) -> list[Comment]:
        """All comments of a conversation, oldest first."""

    def timeline(self, ref: Ref) -> list[Happening]:
        """All rows of a timeline, oldest first."""

    def pull(self, ref: Ref) -> PullRequest:
        """A pull request."""

    def pull_of(self, repo: Repo, sha: str) -> PullRequest | None:
        """The merged pull request that a commit of the base branch came from, if any."""

    def files(self, ref: Ref) -> list[FileChange]:
        """The files that a pull request changes."""

    def diff(self, ref: Ref) -> str:
        """The unified diff of a pull request."""

    def reviews(self, ref: Ref) -> list[Review]:
        """All reviews of a pull request, oldest first."""

    def review_comments(self, ref: Ref, review_id: int) -> list[ReviewComment]:
        """The remarks of one review."""

    def statuses(self, repo: Repo, sha: str) -> list[CommitStatus]:
        """The newest status of each context on a commit."""

    def pushes(self, repo: Repo, branch: str, after: int) -> list[Push]:
        """Movements of a branch with a feed row above `after`, newest first."""


class Forge(Reader, Protocol):
    """Deeds of one identity; doing one twice is doing it once."""

    def comment(self, ref: Ref, body: str, *, marker: str) -> Comment:
        """Say `body`, unless a comment of this identity that contains `marker` is there already."""

    def edit_comment(self, ref: Ref, comment_id: int, body: str) -> None:
        """Replace a comment's text."""

    def label(self, ref: Ref, *, add: Sequence[str], remove: Sequence[str] = ()) -> None:
        """Add and remove labels by name; unknown names raise Invalid, as forges drop them silently."""

    def assign(self, ref: Ref, logins: Sequence[str]) -> None:
        """Add assignees to those who are assigned."""

    def open_issue(self, repo: Repo, title: str, body: str, *, marker: str) -> Issue:
        """File an issue, unless an open one of this identity contains `marker`."""

    def close(self, ref: Ref) -> None:
        """Close an issue or pull request."""

    def open_pull(self, repo: Repo, *, head: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request, or find the open one with this head and base."""

    def review(
        self, ref: Ref, *, head_sha: str, state: ReviewState, body: str, comments: Sequence[ReviewComment], marker: str
    ) -> Review:
        """Submit one review pinned to a head, unless one of this identity contains `marker`.

        Remarks on lines that the diff does not show must be left out by the caller: forges accept
        them and hang them anywhere.
        """

    def set_status(self, repo: Repo, sha: str, status: CommitStatus) -> None:
        """Set a commit status, unless the context's newest word is the same."""

    def tag(self, repo: Repo, name: str, sha: str, message: str) -> None:
        """Make an annotated tag; one of the same name on another commit raises Conflict."""

    def put_file(self, repo: Repo, path: str, content: bytes, *, message: str, branch: str) -> None:
        """Commit a file's new content, unless it holds it already."""


class Operator(Protocol):
    """What an operator does on a forge and no bot can want."""

    def merge(self, ref: Ref, *, head_sha: str, style: str = "merge") -> None:
        """Merge a pull request if its head is `head_sha`.

        Raises Conflict while the forge checks for conflicts or when there is one (the same 405 on
        all forges), Refused with the forge's reason when protection forbids it.
        """


class Admin(Protocol):
    """Provisioning. Every call may be repeated; each returns whether, or with what, it was made."""

    def ensure_user(self, login: str, *, password: str, email: str) -> User:
        """An account that needs no change of its password."""

    def make_token(self, login: str, name: str, scopes: Sequence[str]) -> str:
        """A new token of that name, replacing an older one: forges show a token once."""

    def ensure_org(self, name: str) -> bool:
        """An organisation."""

    def ensure_team(
        self, org: str, name: str, *, permission: str, units: dict[str, str], members: Sequence[str]
    ) -> bool:
        """A team on all repositories of the organisation, with rights by unit, and its members."""

    def ensure_repo(self, repo: Repo, *, private: bool, default_branch: str = "main") -> bool:
        """An empty repository, manual merges off."""

    def ensure_collaborator(self, repo: Repo, login: str, permission: str) -> bool:
        """A collaborator with `read`, `write` or `admin`."""

    def ensure_label(self, repo: Repo, label: Label) -> bool:
        """A label of a repository."""

    def ensure_hook(self, org: str, url: str, secret: str, events: Sequence[str]) -> bool:
        """Exactly one active hook of the organisation to `url`."""

    def ensure_protection(self, repo: Repo, rule: Protection) -> bool:
        """A branch protection rule with exactly these settings."""
