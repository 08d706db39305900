"""Reads about issues, pull requests and code. Performs no I/O.

Together with a few more they are the `Reader` of `forge.protocol`; each raises its errors.
"""

from __future__ import annotations

from typing import Protocol

from forge.issue_templates import IssueTemplate
from forge.models import (
    Branch,
    Comment,
    CommitStatus,
    FileChange,
    Issue,
    Protection,
    PullRequest,
    Push,
    Reaction,
    Ref,
    Repo,
    Review,
    ReviewComment,
    TimelineEvent,
)


class IssueReader(Protocol):
    """Questions about issues, and about what pull requests share with them."""

    def issue(self, ref: Ref) -> Issue:
        """An issue, or the issue side of a pull request."""

    def sees_subjects(self, repo: Repo) -> bool:
        """Whether this identity may see issues and pull requests of a repository at all: hidden ones look deleted."""

    def comments(self, ref: Ref) -> list[Comment]:
        """All comments of a conversation, oldest first."""

    def comment_by_id(self, ref: Ref, comment_id: int) -> Comment:
        """One comment of a conversation."""

    def reactions(self, ref: Ref, comment_id: int = 0) -> list[Reaction]:
        """The reactions to an issue or pull request, or to one of its comments."""

    def is_blocked(self, ref: Ref) -> bool:
        """Whether an issue depends on one that is open; never where a forge keeps no dependencies."""

    def timeline(self, ref: Ref) -> list[TimelineEvent]:
        """All rows of a timeline, oldest first."""

    def issue_templates(self, repo: Repo) -> list[IssueTemplate]:
        """The issue templates of the default branch that the forge can read; none without code."""


class PullReader(Protocol):
    """Questions about pull requests."""

    def pull(self, ref: Ref) -> PullRequest:
        """A pull request."""

    def open_pulls(self, repo: Repo, *, head: str = "", base: str = "") -> list[PullRequest]:
        """The open pull requests, of one head (`branch`, or `owner:branch` of a fork) and into one base if named."""

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


class CodeReader(Protocol):
    """Questions about branches, files and commits."""

    def branch(self, repo: Repo, name: str) -> Branch:
        """One branch."""

    def protection_of(self, repo: Repo, branch: Branch) -> Protection | None:
        """The protection rule that counts for a branch that was read; None without one; Refused for plain readers."""

    def file(self, repo: Repo, path: str, at: str) -> bytes:
        """A file's bytes at a branch, tag or commit."""

    def statuses(self, repo: Repo, sha: str) -> list[CommitStatus]:
        """The newest status of each context on a commit."""

    def pushes(self, repo: Repo, branch: str, after: int) -> list[Push]:
        """Movements of a branch with a feed row above `after`, newest first."""
