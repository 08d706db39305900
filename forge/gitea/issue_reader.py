"""Questions to Forgejo and Gitea about issues, and about what pull requests share with them. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from forge.gitea import decode_models
from forge.gitea.client import MAX_PAGES, ROWS
from forge.gitea.connection import ForgeConnection
from forge.gitea.issue_templates import issue_template
from forge.gitea.json_value import JsonValue
from forge.issue_templates import IssueTemplate
from forge.models import Comment, Issue, Reaction, Ref, Repo, TimelineEvent
from forge.protocol import NotFound, Refused, Unavailable

_MOST_TEMPLATES = 40
_EMPTY_PAGES = 2
"""Pages without a row that end a timeline: remarks on code are counted and left out."""


class GiteaIssueReader(ForgeConnection):
    """What one account can see of issues."""

    def issue(self, ref: Ref) -> Issue:
        """An issue, or the issue side of a pull request."""
        return decode_models.issue(self._client.get(self._issue_at(ref)), ref.repo)

    def sees_subjects(self, repo: Repo) -> bool:
        """Whether this identity may see issues and pull requests of a repository at all.

        Without the unit an issue is not found, like one that was deleted, but its list is not found either
        (`GET …/issues?type=issues`: 404, Gitea 1.23; that of pull requests: 404 or 403).
        """
        try:
            self._client.get(self._at(repo, "issues"), type="issues", limit=1)
            self._client.get(self._at(repo, "pulls"), limit=1)
        except (NotFound, Refused):
            return False
        return True

    def comments(self, ref: Ref) -> list[Comment]:
        """All comments of a conversation, oldest first; forges do not page them."""
        rows = self._whole(ref, "comments")
        return sorted((decode_models.comment(row, ref) for row in rows), key=lambda comment: comment.id)

    def comment_by_id(self, ref: Ref, comment_id: int) -> Comment:
        """One comment of a conversation; forges answer 204 for a row of the timeline that is none."""
        held = self._client.get(self._comment_at(ref, comment_id))
        if not held.present:
            raise NotFound(f"{ref}: {comment_id} is no comment", status=404)
        return decode_models.comment(held, ref)

    def reactions(self, ref: Ref, comment_id: int = 0) -> list[Reaction]:
        """The reactions to an issue, or to one of its comments: these are not paged."""
        at = self._reactions_at(ref, comment_id)
        rows = self._client.get(at).each() if comment_id else self._client.rows(at)
        return [decode_models.reaction(row) for row in rows]

    def _reactions_at(self, ref: Ref, comment_id: int) -> str:
        return self._comment_at(ref, comment_id, "reactions") if comment_id else self._issue_at(ref, "reactions")

    def is_blocked(self, ref: Ref) -> bool:
        """Whether an issue depends on one that is open; a repository may keep no dependencies (404)."""
        try:
            rows = self._client.get(self._issue_at(ref, "dependencies")).each()
            return any(decode_models.issue(row, ref.repo).is_open for row in rows)
        except (NotFound, Refused):
            return False

    def issue_templates(self, repo: Repo) -> list[IssueTemplate]:
        """The issue templates of the default branch that the forge can read; it answers 404 without code."""
        try:
            rows = self._client.get(self._at(repo, "issue_templates")).each()
            return [issue_template(row) for row in list(rows)[:_MOST_TEMPLATES]]
        except (NotFound, Refused):
            return []

    def timeline(self, ref: Ref) -> list[TimelineEvent]:
        """All rows of a timeline, oldest first."""
        rows = self._timeline(ref)
        return sorted((decode_models.timeline_event(row) for row in rows), key=lambda timeline_event: timeline_event.id)

    def _timeline(self, ref: Ref) -> Iterator[JsonValue]:
        """All rows of a timeline, in the forge's order: at once where it gives them so, null for none, else by pages."""
        if self.capabilities().whole_timeline:
            yield from self._whole(ref, "timeline")
            return
        empty, page = 0, 0
        while empty < _EMPTY_PAGES and page < MAX_PAGES:
            page += 1
            found = list(self._whole(ref, "timeline", page=page, limit=ROWS))
            empty = 0 if found else empty + 1
            yield from found

    def _whole(self, ref: Ref, what: str, **params: int) -> Iterator[JsonValue]:
        """A list as it comes; Gitea 1.26 answers 500 to one of an issue that is not there."""
        try:
            return self._client.get(self._issue_at(ref, what), **params).each()
        except Unavailable as error:
            if error.status == 500:
                self.issue(ref)
            raise

    def _awaited(self, ref: Ref) -> list[Issue]:
        rows = self._client.rows(self._issue_at(ref, "dependencies"))
        here = self._current(ref.repo)
        places = ((row, decode_models.repo(row["repository"], self._name)) for row in rows)
        return [decode_models.issue(row, ref.repo if repo == here else repo) for row, repo in places]

    def _comment_at(self, ref: Ref, *parts: str | int) -> str:
        return self._at(ref.repo, "issues", "comments", *parts)


def moment(time: datetime) -> str:
    """A point in time as forges read it, in whole seconds; raises ValueError without a zone."""
    if time.tzinfo is None:
        raise ValueError("a time without a zone is no point in time")
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
