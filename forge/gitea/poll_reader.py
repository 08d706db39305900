"""What a sweep asks of Forgejo and Gitea. Changes nothing there.

Lists end at the number of rows that the forge counts (`X-Total-Count`) where it counts them, and at
an empty page where it does not. Every answer is counted, and tells the forge's own time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from requests import Response

from forge.gitea import decode_models, timeline
from forge.gitea.client import SECONDS, route
from forge.gitea.connection import Current, as_named
from forge.gitea.json_value import JsonValue
from forge.gitea.reader import GiteaReader
from forge.models import Issue, Ref, Repo
from forge.poll_changes import Activity, Change, CommentSnapshot, Release, RepositoryEntry, ReviewSnapshot, SubjectEntry
from forge.protocol import NotFound, Unavailable

_REFS = ("refs/heads/", "refs/tags/")


class GiteaPollReader(GiteaReader):
    """A reader that can ask for what changed."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        token: str,
        seconds: float = SECONDS,
        current: Current = as_named,
        named: Callable[[Repo, int], Repo] = lambda repo, _: repo,
    ) -> None:
        """`name` is the configured name of the forge; `seconds` is how long a silence is tolerated.

        `named` maps a repository of the forge, with its id, to its configured name.
        """
        super().__init__(name=name, url=url, token=token, seconds=seconds, current=current)
        self._named = named
        self._heard = threading.local()
        self._client.heard = self._hear

    @property
    def requests(self) -> int:
        """How many answers this thread has had."""
        return getattr(self._heard, "count", 0)

    def now(self) -> datetime:
        """The forge's clock at its last answer to this thread, in whole seconds; asks if there was none."""
        if not hasattr(self._heard, "date"):
            self._client.get("/version")
        try:
            told = parsedate_to_datetime(self._heard.date)
        except ValueError as error:
            raise Unavailable("the forge does not tell its time") from error
        return told if told.tzinfo else told.replace(tzinfo=UTC)

    def list_repositories(self, owner: str) -> list[RepositoryEntry]:
        """The repositories of an organisation."""
        found = (timeline.listed(row, self._name) for row in self._client.counted(route("orgs", owner, "repos")))
        return [
            replace(row, repository=replace(each, repo=self._named(each.repo, each.id)))
            for row in found
            for each in (row.repository,)
        ]

    def activity(self, owner: str, after: int | None) -> list[Activity]:
        """What an organisation's feed holds above a row, newest first; None for its newest rows only."""
        found: list[Activity] = []
        for page in self._client.pages(route("orgs", owner, "activities", "feeds")):
            news = [row for row in map(timeline.activity, page) if after is None or row.id > after]
            found += news
            # Rows of one second come in any order: only a page without any news is the end.
            if after is None or len(news) < len(page):
                break
        return sorted(found, key=lambda row: row.id, reverse=True)

    def changed_subjects(self, owner: str, since: datetime) -> list[SubjectEntry]:
        """Issues and pull requests of an organisation, open or not, that changed at or after `since`."""
        when = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        found = self._client.counted("/repos/issues/search", owner=owner, state="all", since=when)
        return [self._subject(row, row["repository"]) for row in found]

    def subjects(self, repo: Repo, repo_id: int) -> list[SubjectEntry]:
        """All issues and pull requests of a repository."""
        return [
            timeline.subject(row, repo, repo_id) for row in self._client.counted(self._at(repo, "issues"), state="all")
        ]

    def issues(self, repo: Repo) -> Iterator[Issue]:
        """The issues of a repository, open or not, newest first; each page is asked for when it is needed."""
        rows = self._client.counted(self._at(repo, "issues"), state="all", type="issues")
        return (decode_models.issue(row, repo) for row in rows)

    def subject(self, ref: Ref) -> SubjectEntry:
        """One issue or pull request."""
        row = self._client.get(self._issue_at(ref))
        return self._subject(row, row["repository"])

    def changes_of(self, subject: SubjectEntry) -> tuple[list[Change], list[CommentSnapshot]]:
        """What happened to a subject, oldest first, and its comments as they stand."""
        return timeline.timeline(self._timeline(subject.issue.ref), subject)

    def submitted_reviews(self, ref: Ref) -> list[ReviewSnapshot]:
        """The reviews of a pull request that were submitted."""
        found = map(timeline.submitted_review, self._client.counted(self._pull_at(ref, "reviews")))
        return [review for review in found if review]

    def remarks(self, ref: Ref, review_id: int) -> list[CommentSnapshot]:
        """The remarks of a review."""
        found = self._client.get(self._pull_at(ref, "reviews", review_id, "comments"))
        return timeline.remarks(found.each(), ref.number)

    def status_changes(self, repo: Repo, repo_id: int, sha: str) -> list[Change]:
        """The statuses that were ever set on a commit; none for one that is gone."""
        try:
            found = list(self._client.counted(self._at(repo, "statuses", sha)))
        except NotFound:
            return []
        return [timeline.status(row, repo, repo_id, sha) for row in found]

    def comments_since(self, repo: Repo, since: datetime) -> list[CommentSnapshot]:
        """Comments of a repository that were written or changed at or after `since`."""
        when = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        found = self._client.counted(self._at(repo, "issues", "comments"), since=when)
        return [timeline.comment(row, timeline.number(row)) for row in found]

    def refs(self, repo: Repo) -> dict[str, str]:
        """The branches and tags of a repository and what they point to, in one request."""
        found = self._client.get(self._at(repo, "git", "refs"))
        pairs = {row["ref"].text(): row["object"]["sha"].sha() for row in found.each()}
        return {name: sha for name, sha in pairs.items() if name.startswith(_REFS)}

    def releases(self, repo: Repo) -> list[Release]:
        """The releases of a repository."""
        return [timeline.release(row) for row in self._client.counted(self._at(repo, "releases"))]

    def _subject(self, row: JsonValue, place: JsonValue) -> SubjectEntry:
        repo_id = place["id"].number()
        return timeline.subject(row, self._named(decode_models.repo(place, self._name), repo_id), repo_id)

    def _hear(self, response: Response) -> None:
        self._heard.count = self.requests + 1
        self._heard.date = response.headers.get("Date", "")
