"""Labels by name: writes need their ids, since Forgejo 10 knows no label of an organisation by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from forge.gitea import decode_models
from forge.gitea.client import Client, route
from forge.gitea.connection import Current, as_named
from forge.gitea.decode_models import HeldLabel
from forge.models import Label, Repo
from forge.protocol import Invalid, NotFound, Refused


class Labels:
    """The labels of repositories and of their organisations, remembered until a name is missed."""

    def __init__(self, client: Client, current: Current = as_named) -> None:
        self._client = client
        self._current = current
        self._known: dict[Repo, Mapping[str, HeldLabel]] = {}

    def of(self, repo: Repo, names: Sequence[str]) -> Mapping[str, HeldLabel]:
        """At least the labels of these names; raises Invalid that lists those which are no labels."""
        known = self._known.get(repo, {})
        if not known.keys() >= set(names):
            known = self._known[repo] = self._look(repo, set(names))
        unknown = sorted(set(names) - known.keys())
        if unknown:
            raise Invalid(f"{repo} has no label {', '.join(unknown)}")
        return known

    def forget(self, repo: Repo) -> None:
        """Read the labels again next time: a recreated one has a new id."""
        self._known.pop(repo, None)

    def _look(self, repo: Repo, names: set[str]) -> Mapping[str, HeldLabel]:
        now = self._current(repo)
        own = self._all(route("repos", now.owner, now.name, "labels"))
        if own.keys() >= names:
            return own
        try:
            return self._all(route("orgs", repo.owner, "labels")) | own
        except (NotFound, Refused):  # the owner is a person, or the token may not look at organisations
            return own

    def _all(self, endpoint: str) -> dict[str, HeldLabel]:
        held = [decode_models.held_label(row) for row in self._client.counted(endpoint)]
        # Names are not unique; of two labels the older one counts.
        return {each.label.name: each for each in sorted(held, key=lambda each: each.id, reverse=True)}


def compatible(labels: Iterable[Label]) -> None:
    """Raise Invalid for two labels of one exclusive scope: each would push out the other for ever."""
    scoped = {label.name: _scope(label) for label in labels if label.exclusive and _scope(label)}
    for scope, count in Counter(scoped.values()).items():
        if count > 1:
            names = sorted(name for name, of in scoped.items() if of == scope)
            raise Invalid(f"labels that exclude each other: {', '.join(names)}")


def _scope(label: Label) -> str:
    # The scope of `a/b/c` is `a/b`.
    return label.name.rpartition("/")[0]
