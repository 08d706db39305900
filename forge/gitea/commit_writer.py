"""Commits, tags and commit statuses of one account on Forgejo and Gitea."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence

from forge.gitea import decode_models, file_contents
from forge.gitea.account import Account
from forge.gitea.confirm import gone, once
from forge.gitea.json_value import JsonValue
from forge.models import CommitStatus, FileEdit, Repo
from forge.protocol import Conflict, Invalid, NotFound, Unavailable

_STALE = ("sha does not match", "already exists")
"""The statuses of a changed file: 422 on Forgejo 10 and Gitea 1.26, 409 on Forgejo 17."""


class CommitWriter(Account):
    """Files, commits, tags and statuses."""

    def put_file(self, repo: Repo, path: str, content: bytes, *, message: str, branch: str) -> None:
        """Commit a file's new content, unless it holds it already."""
        held = self._blob(repo, path, branch)
        if file_contents.is_named(content, held):
            return
        said = {"content": b64encode(content).decode(), "message": message, "branch": branch}
        try:
            made = self._put(self._at(repo, "contents", *path.split("/")), held, said)
        except Unavailable:
            made = self._blob(repo, path, branch)
            if not file_contents.is_named(content, made):
                raise
        if not file_contents.is_named(content, made):
            raise Conflict(f"{repo}: {path} holds something else")

    def commit(self, repo: Repo, edits: Sequence[FileEdit], *, message: str, branch: str, start: str = "") -> None:
        """Commit several edits at once, except those that are there already; without any left, no commit.

        A missing branch is created from the branch `start`, if given. A file that was changed by others in the meantime
        raises Conflict, and then none of the edits is made.
        """
        if len({edit.path for edit in edits}) < len(edits):
            raise ValueError("two edits of one file")
        fresh = bool(start) and gone(lambda: self.branch(repo, branch))
        wanted = self._wanted(repo, edits, start if fresh else branch)
        if not wanted:
            return
        where = {"branch": start, "new_branch": branch} if fresh else {"branch": branch}
        try:
            _stale(lambda: self._client.post(self._at(repo, "contents"), files=wanted, message=message, **where))
        except Unavailable:
            if (fresh and gone(lambda: self.branch(repo, branch))) or self._wanted(repo, edits, branch):
                raise

    def set_status(self, repo: Repo, sha: str, status: CommitStatus, *, last: CommitStatus | None = None) -> None:
        """Set a commit status, unless the context's newest one is the same.

        `last` is what this identity set there last, if that is known: if it differs, the newest one is not looked up.
        A commit that is not there is 500 on Forgejo 10 and Gitea 1.26: it raises NotFound.
        """
        said = {"state": status.state.value, "description": status.description, "target_url": status.url}
        try:
            once(
                lambda: next((held for held in self.statuses(repo, sha) if held == status), None),
                lambda: decode_models.status(
                    self._client.post(self._at(repo, "statuses", sha), context=status.context, **said)
                ),
                none_yet=last is not None and last != status,
            )
        except Unavailable as error:
            if error.status == 500 and gone(lambda: self._client.get(self._at(repo, "git", "commits", sha))):
                raise NotFound(f"{repo} has no commit {sha}", status=404) from error
            raise

    def tag(self, repo: Repo, name: str, sha: str, message: str) -> None:
        """Make an annotated tag; one of the same name on another commit raises Conflict."""
        at = self._tagged(repo, name) or self._make_tag(repo, name, sha, message)
        if at != sha:
            raise Conflict(f"{repo}: the tag {name} is on {at}")

    def _put(self, at: str, held: str, said: dict[str, str]) -> str:
        answer = _stale(lambda: self._client.put(at, **said, sha=held) if held else self._client.post(at, **said))
        return answer["content"]["sha"].sha()

    def _wanted(self, repo: Repo, edits: Sequence[FileEdit], branch: str) -> list[dict[str, str]]:
        """What has still to be done to the files of a branch."""
        found = (_operation(edit, self._blob(repo, edit.path, branch)) for edit in edits)
        return [operation for operation in found if operation]

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


def _operation(edit: FileEdit, held: str) -> dict[str, str] | None:
    if edit.content is None:
        return {"operation": "delete", "path": edit.path, "sha": held} if held else None
    if file_contents.is_named(edit.content, held):
        return None
    said = {"path": edit.path, "content": b64encode(edit.content).decode()}
    return {"operation": "update", "sha": held, **said} if held else {"operation": "create", **said}


def _stale(write: Callable[[], JsonValue]) -> JsonValue:
    """Write, and tell a file that has moved on from nonsense: some forges answer 422 to both."""
    try:
        return write()
    except Invalid as error:
        if any(words in str(error) for words in _STALE):
            raise Conflict(str(error), status=error.status) from error
        raise
