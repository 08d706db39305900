"""What the poller asks of a forge. Performs no I/O.

Together with the methods of a reader they are the `PollReader` of `forge.protocol`; each raises its errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from forge.models import Issue, Ref, Repo, Repository
from forge.poll_changes import Activity, Change, CommentSnapshot, Release, RepositoryEntry, ReviewSnapshot, SubjectEntry


class ChangeReader(Protocol):
    """Changes, and the rows that show them, independent of a forge's own words."""

    @property
    def requests(self) -> int:
        """How many answers this thread has had."""

    def now(self) -> datetime:
        """The forge's clock at its last answer to this thread."""

    def list_repositories(self, owner: str) -> list[RepositoryEntry]:
        """The repositories of an organisation."""

    def activity(self, owner: str, after: int | None) -> list[Activity]:
        """What an organisation's feed holds above a row, newest first; None for its newest rows only."""

    def changed_subjects(self, owner: str, since: datetime) -> list[SubjectEntry]:
        """Issues and pull requests of an organisation, open or not, that changed at or after `since`."""

    def subjects(self, repo: Repo, repo_id: int) -> list[SubjectEntry]:
        """All issues and pull requests of a repository."""

    def issues(self, repo: Repo) -> Iterator[Issue]:
        """The issues of a repository, open or not, newest first; each page is asked for when it is needed."""

    def subject(self, ref: Ref) -> SubjectEntry:
        """One issue or pull request."""

    def changes_of(self, subject: SubjectEntry) -> tuple[list[Change], list[CommentSnapshot]]:
        """What happened to a subject, oldest first, and its comments as they stand."""

    def submitted_reviews(self, ref: Ref) -> list[ReviewSnapshot]:
        """The reviews of a pull request that were submitted."""

    def remarks(self, ref: Ref, review_id: int) -> list[CommentSnapshot]:
        """The remarks of a review."""

    def status_changes(self, repo: Repo, repo_id: int, sha: str) -> list[Change]:
        """The statuses that were ever set on a commit."""

    def comments_since(self, repo: Repo, since: datetime) -> list[CommentSnapshot]:
        """Comments of a repository that were written or changed at or after `since`."""

    def refs(self, repo: Repo) -> dict[str, str]:
        """The branches and tags of a repository and what they point to."""

    def releases(self, repo: Repo) -> list[Release]:
        """The releases of a repository."""

    def repository_by_id(self, repo_id: int) -> Repository | None:
        """A repository wherever it is now; None if it is gone."""
