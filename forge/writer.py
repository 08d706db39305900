"""Writes of one identity. Performs no I/O.

Together with its reads they are the `Forge` of `forge.protocol`. Each may be repeated; each raises Refused
without the permission, and Conflict if the forge's state does not allow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from forge.conversation import Conversation
from forge.models import (
    Comment,
    CommitStatus,
    FileEdit,
    Issue,
    PullRequest,
    Ref,
    Repo,
    Review,
    ReviewComment,
    ReviewState,
)


class IssueWriter(Protocol):
    """Writes to issues and pull requests."""

    def open_issue(self, repo: Repo, title: str, body: str, *, marker: str) -> Issue:
        """File an issue, unless an open one of this identity contains `marker`."""

    def edit(self, ref: Ref, *, title: str | None = None, body: str | None = None) -> None:
        """Change the title or the text of an issue or pull request; None leaves it."""

    def close(self, ref: Ref) -> None:
        """Close an issue or pull request; one with an open dependency raises Conflict."""

    def comment(self, ref: Ref, body: str, *, marker: str, seen: Issue | None = None) -> Comment:
        """Say `body`, unless a comment of this identity that contains `marker` is there already.

        `seen` is the subject as it was read just now, if it was: without comments there is none to look for.
        """

    def edit_comment(self, ref: Ref, comment_id: int, body: str) -> None:
        """Replace a comment's text."""

    def react(self, ref: Ref, content: str, *, comment_id: int = 0) -> None:
        """React to an issue, a pull request or one of its comments; unknown reactions raise Refused."""


class IssueMetadataWriter(Protocol):
    """What orders issues and pull requests: needs the right to write issues."""

    def label(self, ref: Ref, *, add: Sequence[str], remove: Sequence[str] = (), seen: Issue | None = None) -> None:
        """Add and remove labels by name.

        Unknown names raise Invalid, as forges drop them silently; so do two of one exclusive scope. `seen` is the
        subject as it was read a moment ago, if it was: labels that are only added are not asked for again.
        """

    def assign(self, ref: Ref, logins: Sequence[str], *, seen: Issue | None = None) -> None:
        """Add assignees to those who are assigned; `seen` is the subject as it was read just now, if it was."""

    def unassign(self, ref: Ref, logins: Sequence[str]) -> None:
        """Take assignees away."""

    def pin(self, ref: Ref) -> None:
        """Pin an issue above the others: for administrators of the repository, and for few issues."""


class PullWriter(Protocol):
    """What is done to pull requests; merging is not among it."""

    def open_pull(self, repo: Repo, *, head: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request, or find the open one with this head and base."""

    def request_reviews(self, ref: Ref, logins: Sequence[str]) -> None:
        """Request reviews; of the author raises Invalid."""

    def review(
        self, ref: Ref, *, head_sha: str, state: ReviewState, body: str, comments: Sequence[ReviewComment], marker: str
    ) -> Review:
        """Submit one review pinned to a head, unless one of this identity contains `marker`.

        On a pull request of the same author only COMMENT is possible, the rest raises Invalid. Comments on
        lines that the diff does not show must be left out by the caller: forges accept them and
        show them anywhere.
        """

    def reply(self, to: Conversation, body: str, *, marker: str) -> Comment:
        """Reply in a conversation on a line, unless this identity has posted `marker` there already."""

    def edit_reply(self, to: Conversation, reply_id: int, body: str) -> None:
        """Replace the text of a reply."""

    def resolve(self, conversation: Conversation) -> None:
        """Call a conversation on a line resolved: for the pull request's author and for who may write there."""


class CodeWriter(Protocol):
    """What is done to commits and branches."""

    def put_file(self, repo: Repo, path: str, content: bytes, *, message: str, branch: str) -> None:
        """Commit a file's new content, unless it holds it already."""

    def commit(self, repo: Repo, edits: Sequence[FileEdit], *, message: str, branch: str, start: str = "") -> None:
        """Commit several edits at once, except those that are there already; without any left, no commit.

        A missing branch is created from the branch `start`, if given. A file that was changed by others in the meantime
        raises Conflict, and then none of the edits is made.
        """

    def set_status(self, repo: Repo, sha: str, status: CommitStatus, *, last: CommitStatus | None = None) -> None:
        """Set a commit status, unless the context's newest one is the same.

        `last` is what this identity set there last, if that is known: if it differs, the newest one is not looked up.
        """

    def tag(self, repo: Repo, name: str, sha: str, message: str) -> None:
        """Create an annotated tag; one of the same name on another commit raises Conflict."""
