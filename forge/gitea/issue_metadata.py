"""How one account orders issues and pull requests on Forgejo and Gitea.

Forges drop in silence what this account may not set, or what they do not know: what was set is
looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from forge.gitea import models
from forge.gitea.account import Account, without
from forge.gitea.confirm import once, sure
from forge.gitea.labels import compatible
from forge.models import Issue, Ref, Repo
from forge.protocol import Conflict, Invalid, Refused


class GiteaMetadataWriter(Account):
    """Labels, assignees, milestones, due days, pins and dependencies."""

    def label(self, ref: Ref, *, add: Sequence[str], remove: Sequence[str] = ()) -> None:
        """Add and remove labels by name.

        Unknown names raise Invalid, as forges drop them silently; so do two of one exclusive scope.
        Only what differs is written: forges send an event for every call, change or not.
        """
        at = self._issue_at(ref, "labels")
        held = {each.label.name: each for each in map(models.held_label, self._client.get(at).each())}
        known = {**self._labels.of(ref.repo, [name for name in (*add, *remove) if name not in held]), **held}
        compatible(known[name].label for name in add)
        for name in sorted(held.keys() & (set(remove) - set(add))):
            self._client.delete(f"{at}/{held[name].id}")
        missing = [known[name].id for name in dict.fromkeys(add) if name not in held]
        if missing and not self._add_labels(at, missing):
            self._labels.forget(ref.repo)
            raise Conflict(f"{ref}: the forge dropped one of the labels {', '.join(add)}")

    def assign(self, ref: Ref, logins: Sequence[str]) -> None:
        """Add assignees to those who are assigned; a login that the forge drops raises Refused."""
        held = [user.login for user in self.issue(ref).assignees]
        missing = without(logins, held)
        if not missing:
            return
        for login in missing:
            self.user(login)  # all three forges answer 500 to an assignee that they do not know
        dropped = without(missing, self._assigned(ref, [*held, *missing]))
        if dropped:
            raise Refused(f"{ref}: may not be assigned: {', '.join(dropped)}")

    def unassign(self, ref: Ref, logins: Sequence[str]) -> None:
        """Take assignees away."""
        held = [user.login for user in self.issue(ref).assignees]
        rest = without(held, logins)
        if len(rest) == len(held):
            return
        left = without(self._assigned(ref, rest), rest)
        if left:
            raise Refused(f"{ref}: may not be taken away: {', '.join(left)}")

    def ensure_milestone(self, repo: Repo, title: str, *, description: str = "") -> None:
        """An open milestone of that title; one that is there keeps its description, and is opened again."""
        at = self._at(repo, "milestones")
        held = once(
            lambda: self._milestone(repo, title),
            lambda: models.milestone(self._client.post(at, title=title, description=description)),
        )
        if not held.is_open:
            self._client.patch(f"{at}/{held.id}", state="open")

    def set_milestone(self, ref: Ref, title: str) -> None:
        """Set the milestone by its title, or clear it with an empty one; unknown titles raise Invalid."""
        if self.issue(ref).milestone == title:
            return
        held = self._milestone(ref.repo, title) if title else None
        if title and held is None:
            raise Invalid(f"{ref.repo} has no milestone {title!r}")
        found = self._change(ref, milestone=held.id if held else 0)
        if found.milestone != title:
            raise Refused(f"{ref}: the milestone may not be set")

    def set_due(self, ref: Ref, day: date | None) -> None:
        """Set the day by which it is due, or clear it: forges keep its last second, in a zone of their own."""
        if self.issue(ref).due == day:
            return
        wish: dict[str, object] = {"due_date": f"{day:%Y-%m-%d}T00:00:00Z"} if day else {"unset_due_date": True}
        if self._change(ref, **wish).due != day:
            raise Refused(f"{ref}: the due day may not be set")

    def pin(self, ref: Ref) -> None:
        """Pin an issue above the others: for administrators of the repository, and for few issues."""
        sure(lambda: self._client.post(self._issue_at(ref, "pin")), lambda: self.issue(ref).pinned)

    def unpin(self, ref: Ref) -> None:
        """Pin an issue no more."""
        sure(lambda: self._client.delete(self._issue_at(ref, "pin")), lambda: not self.issue(ref).pinned)

    def add_dependency(self, ref: Ref, on: Ref) -> None:
        """Let an issue wait for another.

        Forges answer 500 to one that is there and to a circle; a circle raises Conflict, as it
        would be tried again for ever.
        """

        def join() -> None:
            if ref == on or ref in self.dependencies(on):
                raise Conflict(f"{ref} and {on} would wait for each other")
            self._client.post(self._issue_at(ref, "dependencies"), **self._named(on))

        sure(join, lambda: on in self.dependencies(ref))

    def remove_dependency(self, ref: Ref, on: Ref) -> None:
        """Let an issue wait for another no more."""
        at = self._issue_at(ref, "dependencies")
        sure(lambda: self._client.delete(at, **self._named(on)), lambda: on not in self.dependencies(ref))

    def _change(self, ref: Ref, **wish: object) -> Issue:
        # An author who may not write gets 201 to a wish that is dropped.
        self._client.patch(self._issue_at(ref), **wish)
        return self.issue(ref)

    def _assigned(self, ref: Ref, logins: Sequence[str]) -> list[str]:
        return [user.login for user in self._change(ref, assignees=list(logins)).assignees]

    def _add_labels(self, at: str, ids: Sequence[int]) -> bool:
        return {row["id"].number() for row in self._client.post(at, labels=ids).each()}.issuperset(ids)

    def _milestone(self, repo: Repo, title: str) -> models.Milestone | None:
        # `name` looks for a part of the title, and titles are not unique: the oldest counts.
        rows = self._client.rows(self._at(repo, "milestones"), state="all", name=title)
        found = (held for held in map(models.milestone, rows) if held.title == title)
        return min(found, key=lambda held: held.id, default=None)

    def _named(self, on: Ref) -> dict[str, object]:
        if on.repo.forge != self._name:
            raise ValueError(f"{on} is not on the forge {self._name}")
        now = self._current(on.repo)
        return {"index": on.number, "owner": now.owner, "repo": now.name}
