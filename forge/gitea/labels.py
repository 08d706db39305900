"""Which id a label has: deeds name labels by id, as Forgejo 10 knows no label of an organisation by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from forge.gitea import shapes
from forge.gitea.client import Client, route
from forge.protocol import Invalid, NotFound, Refused
from forge.types import Repo


class LabelIds:
    """The labels of repositories and of their organisations, remembered until a name is missed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[Repo, Mapping[str, int]] = {}

    def of(self, repo: Repo, names: Sequence[str]) -> Mapping[str, int]:
        """The ids of at least these names; raises Invalid that lists those which are no labels."""
        known = self._known.get(repo, {})
        if not known.keys() >= set(names):
            known = self._known[repo] = self._look(repo, set(names))
        unknown = sorted(set(names) - known.keys())
        if unknown:
            raise Invalid(f"{repo} has no label {', '.join(unknown)}")
        return known

    def forget(self, repo: Repo) -> None:
        """Ask again next time: a label that was made anew has a new id."""
        self._known.pop(repo, None)

    def _look(self, repo: Repo, names: set[str]) -> Mapping[str, int]:
        own = self._ids(route("repos", repo.owner, repo.name, "labels"))
        if own.keys() >= names:
            return own
        try:
            return self._ids(route("orgs", repo.owner, "labels")) | own
        except (NotFound, Refused):  # the owner is a person, or the token may not look at organisations
            return own

    def _ids(self, endpoint: str) -> dict[str, int]:
        held = [shapes.held_label(row) for row in self._client.rows(endpoint)]
        # Names are not unique; of two labels the older one counts.
        return {each.label.name: each.id for each in sorted(held, key=lambda each: each.id, reverse=True)}
