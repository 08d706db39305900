"""Deeds of one account on Forgejo and Gitea. Each looks before it acts: doing it twice is doing it once.

A deed whose answer says nothing (a time-out, a 500) may have been done all the same: it is looked
for again before its failure is believed. Forgejo 10 answers 500 to every comment on a pull request
that a webhook listens to, and has written it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from forge.gitea import blob, shapes
from forge.gitea.client import SECONDS
from forge.gitea.labels import LabelIds
from forge.gitea.read import GiteaReader
from forge.protocol import Conflict, Invalid, NotFound, Refused, Unavailable
from forge.types import Comment, CommitStatus, Issue, PullRequest, Ref, Repo, Review, ReviewComment, ReviewState, User

T = TypeVar("T")

_ANSWERS = frozenset({ReviewState.APPROVED, ReviewState.REQUEST_CHANGES, ReviewState.COMMENT})
_STALE = ("sha does not match", "already exists")
"""How a forge says that a file has moved on: with 422 on Forgejo 10 and Gitea 1.26, 409 on Forgejo 17."""


class GiteaForge(GiteaReader):
    """What one account does on a forge; only `hive.apply` holds one."""

    def __init__(self, *, name: str, url: str, token: str, me: User | None = None, seconds: float = SECONDS) -> None:
        """`me` is the account of the token, else asked for when it is needed: some tokens cannot ask."""
        super().__init__(name=name, url=url, token=token, seconds=seconds)
        self._me = me
        self._labels = LabelIds(self._client)

    def comment(self, ref: Ref, body: str, *, marker: str) -> Comment:
        """Say `body`, unless a comment of this identity that contains `marker` is there already."""
        _check(body, marker)
        return _once(
            lambda: next((each for each in self.comments(ref) if self._said(each, marker)), None),
            lambda: shapes.comment(self._client.post(self._issue_at(ref, "comments"), body=body), ref),
        )

    def edit_comment(self, ref: Ref, comment_id: int, body: str) -> None:
        """Replace a comment's text; the same text is not sent again, as Forgejo calls that an edit."""
        at = self._at(ref.repo, "issues", "comments", comment_id)
        held = self._client.get(at)
        if not held.present:
            raise NotFound(f"{ref}: {comment_id} is no comment")
        if held["body"].words() != body:
            self._client.patch(at, body=body)

    def label(self, ref: Ref, *, add: Sequence[str], remove: Sequence[str] = ()) -> None:
        """Add and remove labels by name; unknown names raise Invalid, as forges drop them silently.

        Only what differs is written: forges send an event for every call, change or not.
        """
        at = self._issue_at(ref, "labels")
        held = {row["name"].text(): row["id"].number() for row in self._client.get(at).each()}
        ids = self._labels.of(ref.repo, [name for name in (*add, *remove) if name not in held])
        for name in sorted(held.keys() & set(remove)):
            self._client.delete(f"{at}/{held[name]}")
        missing = [ids[name] for name in add if name not in held]
        if missing and not self._add_labels(at, missing):
            self._labels.forget(ref.repo)
            raise Conflict(f"{ref}: the forge dropped one of the labels {', '.join(add)}")

    def assign(self, ref: Ref, logins: Sequence[str]) -> None:
        """Add assignees to those who are assigned; a login that the forge drops raises Refused."""
        held = [user.login for user in self.issue(ref).assignees]
        missing = _without(logins, held)
        if not missing:
            return
        for login in missing:
            self.user(login)  # all three forges answer 500 to an assignee that they do not know
        self._client.patch(self._issue_at(ref), assignees=[*held, *missing])
        dropped = _without(missing, [user.login for user in self.issue(ref).assignees])
        if dropped:
            raise Refused(f"{ref}: may not be assigned: {', '.join(dropped)}")

    def open_issue(self, repo: Repo, title: str, body: str, *, marker: str) -> Issue:
        """File an issue, unless an open one of this identity contains `marker`."""
        _check(body, marker)
        return _once(
            lambda: self._filed(repo, marker),
            lambda: shapes.issue(self._client.post(self._at(repo, "issues"), title=title, body=body), repo),
        )

    def close(self, ref: Ref) -> None:
        """Close an issue or pull request."""
        if not self.issue(ref).is_open:
            return
        if shapes.issue(self._client.patch(self._issue_at(ref), state="closed"), ref.repo).is_open:
            raise Conflict(f"{ref}: still open")

    def open_pull(self, repo: Repo, *, head: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request, or find the open one with this head and base.

        `head` is a branch, or `owner:branch` for one of a fork.
        """
        try:
            made = self._client.post(self._at(repo, "pulls"), head=head, base=base, title=title, body=body)
            return self.pull(shapes.ref(made["number"], repo))
        except (Conflict, Unavailable) as error:
            found = self._opened(repo, head, base)
            if found is not None:
                return found
            if isinstance(error, Unavailable) and ":" not in head:
                self.branch(repo, head)  # Forgejo 10 answers 500 for a branch that is not there
            raise

    def review(
        self, ref: Ref, *, head_sha: str, state: ReviewState, body: str, comments: Sequence[ReviewComment], marker: str
    ) -> Review:
        """Submit one review pinned to a head, unless one of this identity contains `marker`.

        A pending review of this identity is deleted first: it would swallow the new one's remarks.
        """
        _check(body, marker)
        if state not in _ANSWERS:
            raise ValueError(f"{state} is no answer to a pull request")
        at = self._pull_at(ref, "reviews")
        said = {"event": state.value, "body": body, "commit_id": head_sha, "comments": [_remark(c) for c in comments]}
        mine = self._own_reviews(ref)
        done = _saying(mine, marker, head_sha)
        if done:
            return done
        for left in (review for review in mine if review.state is ReviewState.PENDING):
            self._client.delete(f"{at}/{left.id}")
        try:
            return shapes.submitted(self._client.post(at, **said), ref)
        except Unavailable:
            done = _saying(self._own_reviews(ref), marker, head_sha)
            if done is None:
                raise
            return done

    def set_status(self, repo: Repo, sha: str, status: CommitStatus) -> None:
        """Set a commit status, unless the context's newest word is the same."""
        said = {"state": status.state.value, "description": status.description, "target_url": status.url}
        _once(
            lambda: next((held for held in self.statuses(repo, sha) if held == status), None),
            lambda: shapes.status(self._client.post(self._at(repo, "statuses", sha), context=status.context, **said)),
        )

    def tag(self, repo: Repo, name: str, sha: str, message: str) -> None:
        """Make an annotated tag; one of the same name on another commit raises Conflict."""
        at = self._tagged(repo, name) or self._make_tag(repo, name, sha, message)
        if at != sha:
            raise Conflict(f"{repo}: the tag {name} is on {at}")

    def put_file(self, repo: Repo, path: str, content: bytes, *, message: str, branch: str) -> None:
        """Commit a file's new content, unless it holds it already."""
        held = self._blob(repo, path, branch)
        if blob.is_named(content, held):
            return
        said = {"content": b64encode(content).decode(), "message": message, "branch": branch}
        try:
            made = self._put(self._at(repo, "contents", *path.split("/")), held, said)
        except Unavailable:
            made = self._blob(repo, path, branch)
            if not blob.is_named(content, made):
                raise
        if not blob.is_named(content, made):
            raise Conflict(f"{repo}: {path} holds something else")

    def _put(self, at: str, held: str, said: dict[str, str]) -> str:
        try:
            answer = self._client.put(at, **said, sha=held) if held else self._client.post(at, **said)
        except Invalid as error:
            if any(words in str(error) for words in _STALE):
                raise Conflict(str(error), status=error.status) from error
            raise
        return answer["content"]["sha"].sha()

    def _blob(self, repo: Repo, path: str, branch: str) -> str:
        try:
            return self._entry(repo, path, branch)["sha"].sha()
        except NotFound:
            return ""

    def _tagged(self, repo: Repo, name: str) -> str:
        try:
            return self._client.get(self._at(repo, "tags", *name.split("/")))["commit"]["sha"].sha()
        except NotFound:
            return ""

    def _make_tag(self, repo: Repo, name: str, sha: str, message: str) -> str:
        try:
            made = self._client.post(self._at(repo, "tags"), tag_name=name, target=sha, message=message)
            return made["commit"]["sha"].sha()
        except (Conflict, Unavailable):
            at = self._tagged(repo, name)
            if not at:
                raise
            return at

    def _own(self) -> User:
        if self._me is None:
            self._me = shapes.user(self._client.get("/user"))
        return self._me

    def _said(self, comment: Comment, marker: str) -> bool:
        return marker in comment.body and comment.author.id == self._own().id

    def _filed(self, repo: Repo, marker: str) -> Issue | None:
        me = self._own()
        rows = self._client.rows(self._at(repo, "issues"), state="open", type="issues", created_by=me.login)
        issues = (shapes.issue(row, repo) for row in rows)
        return next((issue for issue in issues if issue.author.id == me.id and marker in issue.body), None)

    def _opened(self, repo: Repo, head: str, base: str) -> PullRequest | None:
        owner, _, branch = head.rpartition(":")
        wanted = (owner or repo.owner).lower(), branch, base
        pulls = (shapes.pull(row, repo) for row in self._client.rows(self._at(repo, "pulls"), state="open"))
        return next((pull for pull in pulls if _targets(pull) == wanted), None)

    def _own_reviews(self, ref: Ref) -> list[Review]:
        return [review for review in self.reviews(ref) if review.author.id == self._own().id]

    def _add_labels(self, at: str, ids: Sequence[int]) -> bool:
        return {row["id"].number() for row in self._client.post(at, labels=ids).each()}.issuperset(ids)


def _once(find: Callable[[], T | None], make: Callable[[], T]) -> T:
    """Make what is not there; after an answer that says nothing, look once more."""
    found = find()
    if found is not None:
        return found
    try:
        return make()
    except Unavailable:
        found = find()
        if found is None:
            raise
        return found


def _check(body: str, marker: str) -> None:
    # A text without its marker would be written again and again.
    if not marker or marker not in body:
        raise ValueError("the body does not contain its marker")


def _without(logins: Iterable[str], held: Iterable[str]) -> list[str]:
    known = {login.lower() for login in held}
    return [login for login in logins if login.lower() not in known]


def _remark(comment: ReviewComment) -> dict[str, object]:
    side = "old_position" if comment.old else "new_position"
    return {"path": comment.path, "body": comment.body, side: comment.line}


def _saying(reviews: Iterable[Review], marker: str, head_sha: str) -> Review | None:
    said = (review for review in reviews if review.state in _ANSWERS and review.head_sha == head_sha)
    return next((review for review in said if marker in review.body), None)


def _targets(pull: PullRequest) -> tuple[str, str, str]:
    owner = pull.head_repo.owner.lower() if pull.head_repo else ""
    return owner, pull.head_branch, pull.base_branch
