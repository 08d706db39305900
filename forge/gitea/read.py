"""Questions to Forgejo and Gitea. Changes nothing there."""

from __future__ import annotations

from datetime import UTC, datetime

from forge.gitea import blob, protection, shapes
from forge.gitea.client import SECONDS, Client, route
from forge.gitea.connection import Connection
from forge.gitea.field import Field
from forge.protocol import NotFound, Unavailable
from forge.types import (
    Branch,
    Comment,
    CommitStatus,
    FileChange,
    Happening,
    Issue,
    Protection,
    PullRequest,
    Push,
    Ref,
    Repo,
    Repository,
    Review,
    ReviewComment,
    User,
)


class GiteaReader(Connection):
    """What one account can see of a forge; this is all that a bot gets."""

    def __init__(self, *, name: str, url: str, token: str, seconds: float = SECONDS) -> None:
        """`name` is the house's name for the forge; `seconds` is how long a silence is waited out."""
        super().__init__(name, Client(url, token=token, seconds=seconds))

    def user(self, login: str) -> User:
        """The account of that name; one that was renamed is not found under its old one."""
        return shapes.user(self._client.get(route("users", login)))

    def repository(self, repo: Repo) -> Repository:
        """The repository under exactly that name; a renamed one raises NotFound."""
        found = shapes.repository(self._client.get(self._at(repo)), self._name)
        if found.repo.path.lower() != repo.path.lower():
            raise NotFound(f"{repo} is {found.repo} now")
        return found

    def repositories(self, owner: str) -> list[Repository]:
        """All repositories of an organisation that this identity sees."""
        return [shapes.repository(row, self._name) for row in self._client.rows(route("orgs", owner, "repos"))]

    def branch(self, repo: Repo, name: str) -> Branch:
        """One branch."""
        return shapes.branch(self._client.get(self._at(repo, "branches", *name.split("/"))))

    def protection(self, repo: Repo, branch: str) -> Protection | None:
        """The protection rule of that name; None without one; Refused for plain readers."""
        try:
            return protection.rule(self._client.get(self._at(repo, "branch_protections", branch)))
        except NotFound:
            return None

    def file(self, repo: Repo, path: str, at: str) -> bytes:
        """A file's bytes at a branch, tag or commit, checked against its name in git."""
        return blob.content(self._entry(repo, path, at))

    def issue(self, ref: Ref) -> Issue:
        """An issue, or the issue side of a pull request."""
        return shapes.issue(self._client.get(self._issue_at(ref)), ref.repo)

    def changed_since(self, repo: Repo, since: datetime) -> list[Issue]:
        """Issues and pull requests, open or not, updated at or after `since`, a time with a zone."""
        if since.tzinfo is None:
            raise ValueError("a time without a zone is no point in time")
        when = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        rows = self._client.rows(self._at(repo, "issues"), state="all", since=when)
        return [shapes.issue(row, repo) for row in rows]

    def comments(self, ref: Ref) -> list[Comment]:
        """All comments of a conversation, oldest first; forges do not page them."""
        rows = self._all_about(ref, "comments").each()
        return sorted((shapes.comment(row, ref) for row in rows), key=lambda comment: comment.id)

    def timeline(self, ref: Ref) -> list[Happening]:
        """All rows of a timeline, oldest first; without `page` they come at once, null for none."""
        rows = self._all_about(ref, "timeline").each()
        return sorted((shapes.happening(row) for row in rows), key=lambda happening: happening.id)

    def pull(self, ref: Ref) -> PullRequest:
        """A pull request."""
        return shapes.pull(self._client.get(self._pull_at(ref)), ref.repo)

    def pull_of(self, repo: Repo, sha: str) -> PullRequest | None:
        """The merged pull request that a commit of the base branch came from, if any."""
        try:
            found = shapes.pull(self._client.get(self._at(repo, "commits", sha, "pull")), repo)
        except NotFound:
            return None
        return found if found.merged else None

    def files(self, ref: Ref) -> list[FileChange]:
        """The files that a pull request changes."""
        return [shapes.file_change(row) for row in self._client.rows(self._pull_at(ref, "files"))]

    def diff(self, ref: Ref) -> str:
        """The unified diff of a pull request; raises Invalid for one that is too large to look at."""
        return self._client.text(self._at(ref.repo, "pulls", f"{ref.number}.diff"))

    def reviews(self, ref: Ref) -> list[Review]:
        """All reviews of a pull request, oldest first; pending ones of others are not shown."""
        rows = (shapes.review(row, ref) for row in self._client.rows(self._pull_at(ref, "reviews")))
        return sorted((review for review in rows if review), key=lambda review: review.id)

    def review_comments(self, ref: Ref, review_id: int) -> list[ReviewComment]:
        """The remarks of one review; forges do not page them."""
        rows = self._client.get(self._pull_at(ref, "reviews", review_id, "comments")).each()
        return [shapes.review_comment(row) for row in rows]

    def statuses(self, repo: Repo, sha: str) -> list[CommitStatus]:
        """The newest status of each context on a commit."""
        rows = list(self._client.rows(self._at(repo, "statuses", sha)))
        rows.sort(key=lambda row: row["id"].number())
        return list({row["context"].words(): shapes.status(row) for row in rows}.values())

    def pushes(self, repo: Repo, branch: str, after: int) -> list[Push]:
        """Movements of a branch with a feed row above `after`, newest first."""
        found: list[Push] = []
        for page in self._client.pages(self._at(repo, "activities", "feeds")):
            rows = [row for row in page if row["id"].number() > after]
            found += filter(None, (shapes.push(row, branch) for row in rows))
            if not rows:
                break
        return sorted(found, key=lambda push: push.id, reverse=True)

    def _all_about(self, ref: Ref, what: str) -> Field:
        try:
            return self._client.get(self._issue_at(ref, what))
        except Unavailable:
            self.issue(ref)  # Gitea 1.26.0 answers 500 for an issue that is not there
            raise

    def _entry(self, repo: Repo, path: str, at: str) -> Field:
        entry = self._client.get(self._at(repo, "contents", *path.split("/")), ref=at)
        # A directory is a list; a link or submodule has a type of its own.
        if isinstance(entry.value, list) or entry["type"].text() != "file":
            raise NotFound(f"{repo}: {path} is no file")
        return entry
