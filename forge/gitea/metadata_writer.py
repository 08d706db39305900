"""How one account orders issues and pull requests on Forgejo and Gitea.

Forges drop in silence what this account may not set, or what they do not know: what was set is
looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from forge.gitea import decode_models
from forge.gitea.account import Account, without
from forge.gitea.confirm import sure
from forge.gitea.decode_models import HeldLabel
from forge.gitea.labels import compatible
from forge.models import Issue, Ref
from forge.protocol import Conflict, Invalid, NotFound, Refused, Unavailable


class GiteaMetadataWriter(Account):
    """Labels, assignees and pins."""

    def label(self, ref: Ref, *, add: Sequence[str], remove: Sequence[str] = (), seen: Issue | None = None) -> None:
        """Add and remove labels by name.

        Unknown names raise Invalid, as forges drop them silently; so do two of one exclusive scope.
        Only what differs is written: forges send an event for every call, change or not. `seen` is the subject as
        it was read a moment ago, if it was: it names no ids, so that it is enough unless a label has to go.
        """
        at = self._issue_at(ref, "labels")
        if seen is not None and not set(seen.labels) & (set(remove) - set(add)):
            self._add_named(ref, add, held=seen.labels)
            return
        held = {each.label.name: each for each in map(decode_models.held_label, self._client.get(at).each())}
        known = {**self._labels.of(ref.repo, [name for name in (*add, *remove) if name not in held]), **held}
        compatible(known[name].label for name in add)
        for name in sorted(held.keys() & (set(remove) - set(add))):
            self._take_off(at, held[name].id)
        self._add_missing(ref, add, known, held)

    def assign(self, ref: Ref, logins: Sequence[str], *, seen: Issue | None = None) -> None:
        """Add assignees to those who are assigned; a login that the forge drops raises Refused.

        `seen` is the subject as it was read just now, if it was: all of its assignees are written once more.
        """
        held = [user.login for user in (seen or self.issue(ref)).assignees]
        missing = without(logins, held)
        if not missing:
            return
        try:
            dropped = without(missing, self._assigned(ref, [*held, *missing]))
        except Unavailable:
            for login in missing:
                self.user(login)  # all three forges answer 500 to an assignee that they do not know
            raise
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
        """Pin an issue above the others: for administrators of the repository, and for few issues.

        Raises Invalid where no more can be pinned: forges allow three and answer 500 to a fourth (Gitea 1.27, Forgejo 11).
        """
        try:
            sure(lambda: self._client.post(self._issue_at(ref, "pin")), lambda: self.issue(ref).pinned)
        except Unavailable as error:
            if error.status != 500:
                raise
            raise Invalid(f"{ref}: the forge pins no more issues of {ref.repo.path}", status=500) from error

    def _change(self, ref: Ref, **wish: object) -> Issue:
        # An author who may not write gets 201 to a wish that is dropped; the answer tells what became of it.
        answer = self._client.patch(self._issue_at(ref), **wish)
        return decode_models.issue(answer, ref.repo) if answer.present else self.issue(ref)

    def _assigned(self, ref: Ref, logins: Sequence[str]) -> list[str]:
        return [user.login for user in self._change(ref, assignees=list(logins)).assignees]

    def _take_off(self, at: str, label: int) -> None:
        """Take a label away; one that somebody else took away a moment ago is no error (404 on Gitea 1.27, 422 before)."""
        try:
            self._client.delete(f"{at}/{label}")
        except (Invalid, NotFound):
            if any(row["id"].number() == label for row in self._client.get(at).each()):
                raise

    def _add_named(self, ref: Ref, add: Sequence[str], *, held: Collection[str]) -> None:
        known = self._labels.of(ref.repo, add)
        compatible(known[name].label for name in add)
        self._add_missing(ref, add, known, held)

    def _add_missing(self, ref: Ref, add: Sequence[str], known: Mapping[str, HeldLabel], held: Collection[str]) -> None:
        ids = [known[name].id for name in dict.fromkeys(add) if name not in held]
        if not ids:
            return
        answer = self._client.post(self._issue_at(ref, "labels"), labels=ids)
        if not {row["id"].number() for row in answer.each()}.issuperset(ids):
            self._labels.forget(ref.repo)
            raise Conflict(f"{ref}: the forge dropped one of the labels {', '.join(add)}")
