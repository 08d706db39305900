"""Questions to Forgejo and Gitea about branches, files and commits. Changes nothing there."""

from __future__ import annotations

from forge.gitea import decode_models, file_contents, protection
from forge.gitea.connection import ForgeConnection
from forge.gitea.json_value import JsonValue
from forge.models import Branch, CommitStatus, Protection, Push, Repo
from forge.protocol import NotFound


class GiteaCodeReader(ForgeConnection):
    """What one account can see of the code."""

    def branch(self, repo: Repo, name: str) -> Branch:
        """One branch."""
        return decode_models.branch(self._client.get(self._at(repo, "branches", *name.split("/"))))

    def protection(self, repo: Repo, branch: str) -> Protection | None:
        """The effective rule of a branch, whatever its name; None without one; Refused for plain readers."""
        return self._protection(repo, self._rule_of(repo, branch))

    def protection_of(self, repo: Repo, branch: Branch) -> Protection | None:
        """The effective rule of a branch that was read; None without one; Refused for plain readers."""
        return self._protection(repo, branch.rule)

    def _protection(self, repo: Repo, rule: str) -> Protection | None:
        return next((protection.rule(row) for row in self._rules(repo) if row["rule_name"].text() == rule), None)

    def _rules(self, repo: Repo) -> list[JsonValue]:
        """All rules of a repository, which no forge pages; none of one that is not there yet."""
        try:
            return list(self._client.get(self._at(repo, "branch_protections")).each())
        except NotFound:
            return []

    def _rule_of(self, repo: Repo, branch: str) -> str:
        """The name of the effective rule of a branch; for a missing branch, the one of its own name.

        Gitea since 1.23 takes the first match by `priority`: an older `m*` applies to `main` before `main` does.
        """
        try:
            return self.branch(repo, branch).rule
        except NotFound:
            return branch

    def file(self, repo: Repo, path: str, at: str) -> bytes:
        """A file's bytes at a branch, tag or commit, checked against its name in git."""
        return file_contents.content(self._entry(repo, path, at))

    def statuses(self, repo: Repo, sha: str) -> list[CommitStatus]:
        """The newest status of each context on a commit."""
        rows = list(self._client.counted(self._at(repo, "statuses", sha)))
        rows.sort(key=lambda row: row["id"].number())
        return list({row["context"].words(): decode_models.status(row) for row in rows}.values())

    def pushes(self, repo: Repo, branch: str, after: int) -> list[Push]:
        """Movements of a branch with a feed row above `after`, newest first."""
        found: list[Push] = []
        for page in self._client.pages(self._at(repo, "activities", "feeds")):
            rows = [row for row in page if row["id"].number() > after]
            found += filter(None, (decode_models.push(row, branch) for row in rows))
            if not rows:
                break
        return sorted(found, key=lambda push: push.id, reverse=True)

    def _entry(self, repo: Repo, path: str, at: str) -> JsonValue:
        entry = self._client.get(self._at(repo, "contents", *path.split("/")), ref=at)
        # A directory is a list; a link or submodule has a type of its own.
        if isinstance(entry.value, list) or entry["type"].text() != "file":
            raise NotFound(f"{repo}: {path} is no file")
        return entry

    def _blob(self, repo: Repo, path: str, branch: str) -> str:
        """The name in git of what a file holds; empty if there is none."""
        try:
            return self._entry(repo, path, branch)["sha"].sha()
        except NotFound:
            return ""
