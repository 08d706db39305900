"""How one account orders issues and pull requests on Forgejo and Gitea.

Forges drop in silence what this account may not set, or what they do not know: what was set is
looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from forge.gitea import models
from forge.gitea.account import Account, without
from forge.gitea.confirm import sure
from forge.gitea.labels import compatible
from forge.models import Issue, Ref
from forge.protocol import Conflict, Refused


class GiteaMetadataWriter(Account):
    """Labels, assignees and pins."""

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

    def pin(self, ref: Ref) -> None:
        """Pin an issue above the others: for administrators of the repository, and for few issues."""
        sure(lambda: self._client.post(self._issue_at(ref, "pin")), lambda: self.issue(ref).pinned)

    def _change(self, ref: Ref, **wish: object) -> Issue:
        # An author who may not write gets 201 to a wish that is dropped.
        self._client.patch(self._issue_at(ref), **wish)
        return self.issue(ref)

    def _assigned(self, ref: Ref, logins: Sequence[str]) -> list[str]:
        return [user.login for user in self._change(ref, assignees=list(logins)).assignees]

    def _add_labels(self, at: str, ids: Sequence[int]) -> bool:
        return {row["id"].number() for row in self._client.post(at, labels=ids).each()}.issuperset(ids)
